"""Files from the manifest stream into Redshift by COPY, each exactly once: stage two."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ...config.component import Shipped
from ...config.keys import BYTE_LIMIT, RECORD_LIMIT
from ...config.resource import Resource
from ...config.setting import Settings
from ...config.shipped import FOR_FILES
from ...config.work import Cost, Load, Work
from ...files.file import File
from ...files.message import FileMessages
from ...flow.batch import Batch
from ...flow.emitter import Emitter
from ...flow.record import Record
from .destination import SHIPPED, LoadingDestination
from .ledger_questions import LedgerQuestions
from .loader import Loader
from .measures import MEASURES
from .resources import DataTable, LedgerTable, ManifestFiles, RedshiftLogin
from .settings import DECLARED
from .work import work_of_loads


class RedshiftManifestEmitter(LoadingDestination, Emitter[File]):
    """Loads the files that a batch announces; those that cannot be loaded are rejected."""

    own_transformer = FileMessages
    declares = DECLARED
    measures = (*Emitter.measures, *MEASURES)
    shipped = Shipped(
        "redshift_manifest",
        "Stage two: the files that stage one (s3_manifest.properties) announces on the manifest "
        "stream are loaded into a Redshift table by COPY, each exactly once.",
        {
            **FOR_FILES,
            **SHIPPED,
            "connectorDestination": "redshift-manifest",
            "applicationName": "flights-to-redshift",
            "streamName": "manifests",
            "maxRecords": "1000",
            "bufferRecordCountLimit": "100",
            "kinesisInputStreamShardCount": "1",
        },
        frozenset({"bufferByteSizeLimit", "filter", "filterExpression"}),
    )

    def __init__(self, loader: Loader) -> None:
        self.loader = loader

    @classmethod
    def extras(cls, settings: Settings) -> Sequence[str]:
        """Return that of zstd: what is announced may be compressed so, and is read at times."""
        del settings
        return ("zstd",)

    @classmethod
    def resources(cls, settings: Settings) -> Sequence[Resource]:
        """Return the manifests, the ledger, the table, and what a load does with them."""
        return [
            ManifestFiles(settings),
            LedgerTable(settings),
            LedgerQuestions(settings),
            DataTable(settings),
            RedshiftLogin(settings),
        ]

    @classmethod
    def work(cls, settings: Settings, load: Load) -> Work:
        """Load the files of each batch together."""
        most = min(settings[RECORD_LIMIT], int(settings[BYTE_LIMIT] / load.bytes))
        # 150 us of CPU for a file, in loads of 100: tests/bench/README.md
        return work_of_loads(settings, Work(Cost(150)), load.records, load.shards, max(1, most))

    @classmethod
    def from_settings(cls, settings: Settings) -> RedshiftManifestEmitter:
        """Take what loads files."""
        return cls(Loader.from_settings(settings))

    def emit(self, batch: Batch[File]) -> None:
        """Load what the batch announces; reject the messages of files that cannot be loaded."""
        records = _announced(batch)
        for file, reason in self.loader.run(records):
            batch.reject(records[file], reason)

    def close(self) -> None:
        """End the connection."""
        self.loader.close()


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
