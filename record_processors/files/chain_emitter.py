"""What all destinations have in common that begin with a chain of files in S3."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from ..aws.clients import READ_SECONDS
from ..aws.layout import LAYOUT
from ..aws.prices import MILLION_S3_PUTS
from ..aws.stored_as import STORAGE_CLASS, TAGS
from ..config.setting import Setting, Settings
from ..config.work import Bought, Cost, Limit, Load, Work
from ..flow.batch import Batch
from ..flow.emitter import Emitter
from ..flow.rate import batches
from ..flow.record import Position, Record
from .chain import MEASURES, Chain
from .compression import COMPRESSION
from .file import File
from .formats import FORMATS

# docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html
PUTS_A_PREFIX = 3500


class ChainEmitter(Emitter[Any]):
    """Writes each batch as a file of the chain, and delivers the file.

    A file of which it is not known whether an earlier life lived to deliver it is delivered again.
    """

    accepts = frozenset(FORMATS)
    declares: ClassVar[Sequence[Setting[Any]]] = (COMPRESSION, LAYOUT, STORAGE_CLASS, TAGS)
    measures = (*Emitter.measures, *MEASURES)
    longest_try = READ_SECONDS

    def __init__(self, chain: Chain) -> None:
        self.chain = chain

    @classmethod
    def work(cls, settings: Settings, load: Load) -> Work:
        """Write a file for each batch."""
        files = batches(settings, load)
        return Work(
            Cost(7.6, 20_790),
            [Bought("PUTs of files", files, MILLION_S3_PUTS)],
            [
                Limit(
                    "PUTs a second under one prefix of S3",
                    files,
                    PUTS_A_PREFIX,
                    "raise bufferByteSizeLimit: larger files are fewer; S3 divides a prefix by "
                    "itself, after some minutes of answers with 503",
                    "docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html",
                )
            ],
        )

    @classmethod
    def extras(cls, settings: Settings) -> Sequence[str]:
        """Return that of its compression."""
        return ("zstd",) if settings[COMPRESSION] == "zstd" else ()

    @classmethod
    def announces_on(cls, settings: Settings) -> str | None:  # noqa: ARG003 - for overriding
        """Return the stream on which it announces its files; None if on none."""
        return None

    def start(self, shard: str, format: str, null: str | None) -> None:  # noqa: A002
        """Begin the chain of the shard."""
        super().start(shard, format, null)
        self.chain.start(shard, format, null)

    def emit(self, batch: Batch[Any]) -> Position:
        """Write the file and deliver it; return how far it covers the shard, whoever wrote it."""
        file = self.chain.write(batch)
        self.deliver(file)
        return file.covered[1]

    def next_written(self, record: Record) -> Position | None:
        """Return where the next file of the shard begins that an earlier life wrote."""
        return self.chain.next_written(record)

    def adopt(self, first: Record) -> Position | None:
        """Deliver what an earlier life began with ``first``: it may have died before it did."""
        file = self.chain.find(first)
        if file is None:
            return None
        self.deliver(file)
        return file.covered[1]

    def deliver(self, file: File) -> None:
        """Do what is to be done with a file that is in S3: nothing, unless a subclass says more."""

    def deliver_again(self, files: Sequence[File]) -> None:
        """Deliver files that were delivered before, in their order."""
        for file in files:
            self.deliver(file)
