"""Files from the manifest stream into Redshift by COPY, each exactly once: stage two."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from ..bucket import Bucket
from ..buffer import Batch
from ..dead_letters import LOAD_STAGE
from ..ledger import Ledger
from ..manifest import File, ManifestMessage
from ..places import manifests_folder
from ..record import Record
from ..redshift_settings import DATA_TABLE
from ..retry import Retry
from ..settings import Settings
from ..warehouse import Warehouse
from . import Emitter
from .file_check import BadFile, FileCheck
from .load import Load
from .load_search import LoadSearch


class RedshiftManifestEmitter(Emitter[File]):
    """Loads the files that a batch announces; those that cannot be loaded are quarantined."""

    transformer = ManifestMessage

    def __init__(
        self, settings: Settings, bucket: Bucket, warehouse: Warehouse, ledger: Ledger, retry: Retry
    ) -> None:
        self.table = settings[DATA_TABLE]
        self.check = FileCheck(settings, bucket, f"{manifests_folder(settings)}access-check")
        self.load = Load(settings, warehouse, ledger, self.check)
        self.retry = retry

    @classmethod
    def from_settings(cls, settings: Settings) -> RedshiftManifestEmitter:
        """Take the warehouse, the ledger, and the bucket of the manifest files."""
        return cls(
            settings,
            Bucket.from_settings(settings),
            Warehouse.from_settings(settings),
            Ledger.from_settings(settings),
            Retry.from_settings(settings),
        )

    def emit(self, batch: Batch[File]) -> None:
        """Load what the batch announces; reject the messages of files that cannot be loaded."""
        records: dict[File, Record] = {}
        faults: dict[File, str] = {}
        for announced, record in _announced(batch).items():
            try:
                file = self.check.completed(announced)
            except BadFile as bad:
                file = announced
                faults[file] = bad.reason
            records.setdefault(file, record)
        for group in _same_compression(records):
            search = LoadSearch(
                group, lambda files: self.load.run(files, faults), self.load.rehearse
            )
            what = f"loading {len(group)} files into {self.table}"
            for file, reason in self.retry(what, search.run):
                batch.reject(records[file], reason, LOAD_STAGE)


def _announced(batch: Batch[File]) -> dict[File, Record]:
    """Return each announcement once, in order; a bare path only if no message names its file."""
    announced: dict[File, Record] = {}
    for kept in batch.kept:
        for file in kept.rows:
            announced.setdefault(file, kept.record)
    told = {file.url for file in announced if not file.is_bare}
    return {
        file: record
        for file, record in announced.items()
        if not (file.is_bare and file.url in told)
    }


def _same_compression(files: Iterable[File]) -> Iterable[list[File]]:
    """Group files, as one COPY reads one compression; within a group they keep their order."""
    ordered = sorted(files, key=lambda file: file.compression or "")
    return [list(group) for _, group in groupby(ordered, lambda file: file.compression)]
