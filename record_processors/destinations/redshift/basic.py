"""Records into Redshift in one process: the shard's files, each loaded as soon as it is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...aws.bucket import Bucket
from ...config.component import Contradiction, Shipped
from ...config.resource import Resource
from ...config.setting import Settings
from ...config.shipped import FILES_OF_ROWS
from ...config.work import Cost, Load, Work
from ...errors import Fatal
from ...files.chain import Chain
from ...files.chain_emitter import ChainEmitter
from ...files.file import File
from ...files.loadable import loadable
from ...flow.rate import batches
from .destination import SHIPPED, LoadingDestination
from .file_letters import FileLetters
from .ledger_questions import LedgerQuestions
from .loader import Loader
from .measures import MEASURES
from .resources import DataTable, LedgerTable, LoadedFiles, RedshiftLogin
from .rules import AS_READ, disagreements, unread
from .settings import DATA_FORMAT, DECLARED
from .work import work_of_loads


class RedshiftBasicEmitter(LoadingDestination, ChainEmitter):
    """Writes a file of the chain, then loads it: no manifest stream, no second application.

    A file that is found, whoever wrote it, is loaded too, unless the ledger says that it was. So
    a checkpoint passes none that is not in the table, or a dead letter.
    """

    accepts = ChainEmitter.accepts & AS_READ
    measures = (*ChainEmitter.measures, *MEASURES)
    declares = (*ChainEmitter.declares, *DECLARED)
    shipped = Shipped(
        "redshift_basic",
        "Records of a Kinesis stream become files in S3, each of which the same process loads into "
        "a Redshift table by COPY. For a few shards: each COPY has its price, and all of them wait "
        "for one lock. For many, take s3_manifest.properties and redshift_manifest.properties.",
        {
            **FILES_OF_ROWS,
            **SHIPPED,
            "connectorDestination": "redshift-basic",
            "applicationName": "flights-straight-to-redshift",
            "kinesisInputStreamShardCount": "1",
        },
    )

    def __init__(
        self, chain: Chain, loader: Loader, letters: FileLetters, data_format: str
    ) -> None:
        super().__init__(chain)
        self.loader = loader
        self.letters = letters
        self.data_format = data_format

    @classmethod
    def contradictions(cls, settings: Settings) -> Iterator[Contradiction]:
        """Let COPY read what the transformer makes, too."""
        yield from super().contradictions(settings)
        yield from disagreements(settings)

    @classmethod
    def resources(cls, settings: Settings) -> Sequence[Resource]:
        """Return the files, the ledger, the table, and what a load does with them."""
        return [
            LoadedFiles(settings),
            LedgerTable(settings),
            LedgerQuestions(settings),
            DataTable(settings),
            RedshiftLogin(settings),
        ]

    @classmethod
    def work(cls, settings: Settings, load: Load) -> Work:
        """Write a file for each batch, and load it alone."""
        files = super().work(settings, load)._replace(cost=Cost(8.2, 3_083))
        return work_of_loads(settings, files, batches(settings, load), load.shards, 1)

    @classmethod
    def from_settings(cls, settings: Settings) -> RedshiftBasicEmitter:
        """Take the chain, and what loads its files."""
        return cls(
            Chain.from_settings(settings),
            Loader.from_settings(settings),
            FileLetters(settings, Bucket.from_settings(settings)),
            settings[DATA_FORMAT],
        )

    def start(self, shard: str, format: str, null: str | None) -> None:  # noqa: A002
        """Begin the chain of the shard. Raises Fatal for rows that COPY is not told to read."""
        if reason := unread(format, self.data_format):
            raise Fatal(reason)
        super().start(shard, format, null)

    def loadable(self, rows_of: Sequence[Sequence[bytes]]) -> Sequence[Sequence[bytes]]:
        """Refuse rows that no COPY takes, each by itself, before it is in a file with others."""
        return loadable(rows_of)

    def deliver(self, file: File) -> None:
        """Load it, or keep the letter that says why it cannot be loaded."""
        for kept_out, reason in self.loader.run([file]):
            self.letters.write(kept_out, reason)

    def close(self) -> None:
        """End the connection."""
        self.loader.close()
