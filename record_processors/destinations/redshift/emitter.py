"""Files from the manifest stream into Redshift by COPY, each exactly once: stage two."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import msgspec

from ...aws.bucket import Bucket
from ...config.component import Contradiction, Shipped
from ...config.resource import Resource
from ...config.setting import Setting, Settings
from ...config.shipped import DAEMON
from ...files.file import File
from ...files.message import FileMessages
from ...flow.batch import Batch
from ...flow.emitter import Emitter
from ...flow.record import Record
from ...flow.retry import Retry
from .connection import Connection
from .file_check import BadFile, FileCheck
from .ledger import Ledger
from .load import Load
from .rehearsal import Rehearsal
from .repair import Repair
from .repaired_load import RepairedLoad
from .resources import DataTable, LedgerTable, ManifestFiles, RedshiftLogin
from .row_letters import STAGE
from .rules import contradictions
from .search import LoadSearch
from .settings import DECLARED, PASSWORD_VARIABLE, REDSHIFT_USER
from .timeouts import COPY_MILLISECONDS, LOCK_MILLISECONDS
from .unmatched import UnmatchedFields


class RedshiftManifestEmitter(Emitter[File]):
    """Loads the files that a batch announces; those that cannot be loaded are rejected."""

    own_transformer = FileMessages
    declares = DECLARED
    stage = STAGE
    # It takes more to find out which of the files cannot be loaded.
    longest_try = (LOCK_MILLISECONDS + COPY_MILLISECONDS) // 1000
    secrets_come_from = (
        f"the password of Redshift comes from the environment variable {PASSWORD_VARIABLE}, or by "
        "redshiftSecretArn"
    )
    shipped = Shipped(
        "redshift_manifest",
        "Stage two: the files that stage one (s3_manifest.properties) announces on the manifest "
        "stream are loaded into a Redshift table by COPY, each exactly once.",
        {
            **DAEMON,
            "connectorDestination": "redshift-manifest",
            "applicationName": "flights-to-redshift",
            "streamName": "manifests",
            "maxRecords": "1000",
            "shutdownGraceMillis": "60000",
            "bufferRecordCountLimit": "100",
            "kinesisInputStreamShardCount": "1",
            "redshiftUsername": "connectors",
            "redshiftSSLMode": "verify-full",
            "redshiftFileTable": "kinesis_connector_files",
            "redshiftFileKeyColumn": "file",
            "redshiftDataFormat": "json",
            "redshiftCopyOptions": "TIMEFORMAT 'auto'",
            "redshiftCopyMandatory": "true",
        },
        frozenset({"bufferByteSizeLimit", "filter", "filterExpression"}),
    )

    def __init__(
        self,
        load: Load,
        rehearsal: Rehearsal,
        repair: Repair,
        check: FileCheck,
        unmatched: UnmatchedFields,
        retry: Retry,
    ) -> None:
        self.load = load
        self.rehearsal = rehearsal
        self.repair = repair
        self.check = check
        self.unmatched = unmatched
        self.retry = retry

    @classmethod
    def contradictions(cls, settings: Settings) -> Iterator[Contradiction]:
        """Return what contradicts itself: see ``rules``."""
        return contradictions(settings)

    @classmethod
    def variables(cls, settings: Settings) -> Mapping[str, Setting[Any]]:
        """Return the variable that holds the password of a user."""
        return {PASSWORD_VARIABLE: REDSHIFT_USER} if REDSHIFT_USER in settings else {}

    @classmethod
    def resources(cls, settings: Settings) -> Sequence[Resource]:
        """Return the manifests, the ledger, the table, and what a load does with them."""
        return [
            ManifestFiles(settings),
            LedgerTable(settings),
            DataTable(settings),
            RedshiftLogin(settings),
        ]

    @classmethod
    def from_settings(cls, settings: Settings) -> RedshiftManifestEmitter:
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
        )

    def emit(self, batch: Batch[File]) -> None:
        """Load what the batch announces; reject the messages of files that cannot be loaded."""
        records, faults = self._completed(_announced(batch))
        what = f"looking at the columns of {self.load.table}"
        faults.update(self.retry(what, lambda: self.unmatched.refusals(records)))
        for files in _alike(records):
            load = RepairedLoad(self.load, self.repair, self.rehearsal.run, faults)
            search = LoadSearch(files, load.run, self.rehearsal.run)
            what = f"loading {len(files)} files into {self.load.table}"
            for file, reason in self.retry(what, search.run):
                batch.reject(records[file], reason)

    def close(self) -> None:
        """End the connection."""
        self.load.connection.close()

    def _completed(
        self, announced: Mapping[File, Record]
    ) -> tuple[dict[File, Record], dict[File, str]]:
        """Look up what messages do not say; return the files, and what is wrong with some."""
        records: dict[File, Record] = {}
        faults: dict[File, str] = {}
        for file, record in announced.items():
            try:
                found = self.check.completed(file)
            except BadFile as bad:
                found = file
                faults[file] = bad.reason
            records.setdefault(found, record)
        return records, faults


def _announced(batch: Batch[File]) -> dict[File, Record]:
    """Return each announcement once, in order; a bare path only if no message names its file."""
    once: dict[File, tuple[File, Record]] = {}
    for kept in batch.kept:
        for file in kept.rows:
            # Who announces again what an earlier life wrote, has not seen its rows.
            same = msgspec.structs.replace(file, fields=None)
            if same not in once or (once[same][0].fields is None and file.fields is not None):
                once[same] = file, kept.record
    announced = dict(once.values())
    told = {file.url for file in announced if not file.is_bare}
    return {
        file: record
        for file, record in announced.items()
        if not (file.is_bare and file.url in told)
    }


def _alike(files: Iterable[File]) -> Iterable[list[File]]:
    """Group files, as one COPY reads one compression and one null string; they keep their order."""

    def kind(file: File) -> tuple[str, str]:
        return file.compression or "", file.null or ""

    return [list(group) for _, group in groupby(sorted(files, key=kind), kind)]
