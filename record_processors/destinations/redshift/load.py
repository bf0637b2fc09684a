"""One load: files into the table and into the ledger, or into neither."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from ...aws.bucket import Bucket
from ...config.setting import Settings
from ...errors import counted
from ...files.file import File
from ...flow.letter import report
from .connection import Connection, Cursor, LoadErrorDetail, copied_rows, run_copy
from .copy import copy_statement, manifest_of, manifests_folder
from .errors import LoadFailed
from .events import COUNT_DIFFERS, LOADED, LOADED_BEFORE
from .fault import Fault, SetAside, fault_of
from .file_check import BadFile, FileCheck
from .ledger import Ledger, RejectedFile, Verdict
from .repair import Repaired
from .row_letters import RowLetters
from .settings import COPY_MANDATORY, DATA_TABLE
from .sources import Sources

log = logging.getLogger(__name__)


class Load:
    """Loads files in one transaction with their rows of the ledger.

    ::

        BEGIN; LOCK ledger              no other loader is at work
        SELECT ledger                   what is loaded is skipped, what overlaps is rejected
        PUT manifest                    its key holds its digest: never overwritten
        COPY table FROM manifest
        PUT letters                     of the rows left out, if any are
        INSERT ledger; COMMIT
    """

    def __init__(
        self,
        settings: Settings,
        connection: Connection,
        ledger: Ledger,
        bucket: Bucket,
        check: FileCheck,
    ) -> None:
        self.settings = settings
        self.table = settings[DATA_TABLE]
        self.connection = connection
        self.ledger = ledger
        self.check = check
        self.manifests = manifests_folder(settings)
        self.bucket_under_lock = bucket.once()
        self.check_under_lock = FileCheck(settings, self.bucket_under_lock)
        self.letters = RowLetters(settings, self.bucket_under_lock)

    def run(
        self,
        files: Sequence[File],
        faults: Mapping[File, str],
        repaired: Mapping[File, Repaired],
    ) -> Verdict | Fault:
        """Load files of one compression and null string; return what became of each.

        ``faults`` says of some why they cannot be loaded, unless they were before; of those that
        are ``repaired``, COPY reads what is left. If the load failed, nothing is loaded: return
        what was at fault. Raises Transient, Fatal.
        """
        fresh: list[File] = []
        rows = 0
        try:
            with self.connection.transaction() as cursor:
                self.ledger.lock(cursor)
                verdict = self._judge(cursor, files, faults)
                if fresh := verdict.fresh:
                    sources = Sources(fresh, repaired)
                    manifest = self.copy_files(cursor, sources.files)
                    rows = copied_rows(cursor)
                    self._insist_on_all(sources.files, rows)
                    kept = self.letters.write(sources.repaired)
                    self.ledger.enter(cursor, fresh, manifest, sources.repaired)
        except LoadFailed as failure:
            details = self.connection.load_errors()
            return self.fault(Sources(fresh, repaired), str(failure), details)
        except BadFile as bad:
            file = Sources(fresh, repaired).original(bad.file)
            return SetAside([RejectedFile(file, bad.reason)])
        if fresh:
            what = counted(rows, "row"), counted(len(fresh), "file")
            log.info(
                *("loaded %s of %s into %s", *what, self.table),
                extra=LOADED.of(rows=rows, files=len(fresh), table=self.table, manifest=manifest),
            )
            _report_count(sources.files, rows, manifest)
            for letters in kept:
                report(*letters)
        if verdict.loaded:
            before = counted(len(verdict.loaded), "file")
            log.info(
                *("%s had been loaded into %s before", before, self.table),
                extra=LOADED_BEFORE.of(files=len(verdict.loaded), table=self.table),
            )
        return verdict

    def copy_files(self, cursor: Cursor, files: Sequence[File], how: str = "") -> str:
        """Load files, all of one compression and null string; return the manifest that lists them.

        ``how`` are further words for a COPY that is rolled back. Raises LoadFailed, Transient,
        Fatal.
        """
        body = msgspec.json.encode(manifest_of(files, self.settings))
        key = f"{self.manifests}{hashlib.sha256(body).hexdigest()}.manifest"
        self.bucket_under_lock.put(key, body)
        manifest = self.bucket_under_lock.url(key)
        compression, null = files[0].compression or "none", files[0].null
        run_copy(cursor, copy_statement(self.settings, manifest, compression, null) + how)
        return manifest

    def fault(self, sources: Sources, message: str, details: Iterable[LoadErrorDetail]) -> Fault:
        """Return what a COPY was about that failed with this message and these complaints."""
        return sources.of_originals(fault_of(sources.files, message, details, self.check))

    def _judge(self, cursor: Cursor, files: Sequence[File], faults: Mapping[File, str]) -> Verdict:
        """Ask the ledger; reject those with a fault, unless they were loaded without it.

        They come last, so that they stand in the way of no other.
        """
        verdict = self.ledger.judge(cursor, sorted(files, key=lambda file: file in faults))
        sound = [file for file in verdict.fresh if file not in faults]
        bad = [RejectedFile(file, faults[file]) for file in verdict.fresh if file in faults]
        return verdict._replace(fresh=sound, rejected=verdict.rejected + bad)

    def _insist_on_all(self, files: Sequence[File], rows: int) -> None:
        """Let no file into the ledger that COPY passed over: it went after we had looked at it.

        The number of rows tells without a call of S3, if all files say theirs.
        """
        if not self.settings[COPY_MANDATORY] and _announced_rows(files) != rows:
            for file in files:
                self.check_under_lock.look_at(file)


def _report_count(files: Sequence[File], rows: int, manifest: str) -> None:
    announced = _announced_rows(files)
    if announced not in {None, rows}:
        log.warning(
            "COPY reports %d rows, the files of %s were announced with %d: look at "
            "redshiftCopyOptions",
            rows,
            manifest,
            announced,
            extra=COUNT_DIFFERS.of(rows=rows, announced=announced, manifest=manifest),
        )


def _announced_rows(files: Iterable[File]) -> int | None:
    """Add up the rows of files; None if one does not say how many it has."""
    total = 0
    for file in files:
        if file.rows is None:
            return None
        total += file.rows
    return total
