"""Loads files, whoever names them; says which could not be loaded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from itertools import groupby

from ...aws.bucket import Bucket
from ...config.setting import Settings
from ...errors import counted
from ...files.file import File
from ...flow.retry import Retry
from .connection import Connection
from .file_check import BadFile, FileCheck
from .ledger import Ledger, RejectedFile
from .load import Load
from .pause import Window, end_of_pause
from .rehearsal import Rehearsal
from .repair import Repair
from .repaired_load import RepairedLoad
from .search import LoadSearch
from .settings import PAUSE
from .unmatched import UnmatchedFields


class Loader:
    """Loads each file exactly once, or rejects it: see ``Load``, ``RepairedLoad``, ``LoadSearch``.

    On return all of its rows are in the table, or are letters; of a rejected file, none is.
    """

    def __init__(
        self,
        load: Load,
        rehearsal: Rehearsal,
        repair: Repair,
        check: FileCheck,
        unmatched: UnmatchedFields,
        retry: Retry,
        pauses: Sequence[Window] = (),
    ) -> None:
        self.load = load
        self.rehearsal = rehearsal
        self.repair = repair
        self.check = check
        self.unmatched = unmatched
        self.retry = retry
        self.pauses = pauses

    @classmethod
    def from_settings(cls, settings: Settings) -> Loader:
        """Take the connection, the ledger, and the bucket of the manifests."""
        bucket = Bucket.from_settings(settings)
        check = FileCheck(settings, bucket)
        connection = Connection.from_settings(settings)
        load = Load(settings, connection, Ledger.from_settings(settings), bucket, check)
        return cls(
            load,
            Rehearsal(load, check),
            Repair(settings, bucket),
            check,
            UnmatchedFields(settings, connection, bucket),
            Retry.from_settings(settings),
            settings[PAUSE],
        )

    def run(self, named: Iterable[File]) -> list[RejectedFile]:
        """Load files; return those that cannot be loaded, as they were named. Raises Fatal.

        In a pause (``redshiftPause``) it waits for its end first, and touches nothing.
        """
        self.retry.pause(
            f"loading into {self.load.table} (redshiftPause)",
            lambda: end_of_pause(self.pauses, datetime.now(timezone.utc)),
        )
        files, faults = self._completed(named)
        what = f"looking at the columns of {self.load.table}"
        faults.update(self.retry(what, lambda: self.unmatched.refusals(files)))
        rejected: list[RejectedFile] = []
        for alike in _alike(files):
            load = RepairedLoad(self.load, self.repair, self.rehearsal.run, faults)
            search = LoadSearch(alike, load.run, self.rehearsal.run)
            what = f"loading {counted(len(alike), 'file')} into {self.load.table}"
            rejected += self.retry(what, search.run)
        return [RejectedFile(files[file], reason) for file, reason in rejected]

    def close(self) -> None:
        """End the connection."""
        self.load.connection.close()

    def _completed(self, named: Iterable[File]) -> tuple[dict[File, File], dict[File, str]]:
        """Look up what is not said of files.

        Return each with how it was named, and what is wrong with some.
        """
        names: dict[File, File] = {}
        faults: dict[File, str] = {}
        for file in named:
            try:
                found = self.check.completed(file)
            except BadFile as bad:
                found = file
                faults[file] = bad.reason
            names.setdefault(found, file)
        return names, faults


def _alike(files: Iterable[File]) -> Iterable[Sequence[File]]:
    """Group files, as one COPY reads one compression and one null string; they keep their order."""

    def kind(file: File) -> tuple[str, str]:
        return file.compression or "", file.null or ""

    return [list(group) for _, group in groupby(sorted(files, key=kind), kind)]
