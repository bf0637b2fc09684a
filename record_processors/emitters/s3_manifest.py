"""S3 files, each announced on the manifest stream: stage one."""

from __future__ import annotations

from ..aws import Client, call, client
from ..buffer import Batch
from ..manifest import File
from ..record import Position, Record
from ..retry import Retry
from ..settings import OUTPUT_STREAM, Settings
from . import Emitter
from .s3 import S3Emitter


class S3ManifestEmitter(Emitter[bytes]):
    """Writes the file, then its message on ``kinesisOutputStream``.

    A file may be announced more than once (after a crash between message and checkpoint); stage
    two loads it once.
    """

    def __init__(self, files: S3Emitter, kinesis: Client, output_stream: str, retry: Retry) -> None:
        self.files = files
        self.kinesis = kinesis
        self.output_stream = output_stream
        self.retry = retry

    @classmethod
    def from_settings(cls, settings: Settings) -> S3ManifestEmitter:
        """Write files as ``s3`` does, and announce them on the output stream."""
        return cls(
            S3Emitter.from_settings(settings),
            client("kinesis", settings),
            settings[OUTPUT_STREAM],
            Retry.from_settings(settings),
        )

    def emit(self, batch: Batch[bytes]) -> Position:
        """Write the file, announce it; return how far it covers the shard."""
        file = self.files.write(batch)
        self.announce(file)
        return file.covered[1]

    def adopt(self, shard: str, first: Record) -> Position | None:
        """Announce what an earlier life wrote: it may have died before it did."""
        file = self.files.find(shard, first)
        if file is None:
            return None
        self.announce(file)
        return file.covered[1]

    def announce(self, file: File) -> None:
        """Put the message. The source shard is the partition key: its files keep their order."""
        call(
            self.retry,
            f"announcing {file.url} on {self.output_stream}",
            lambda: self.kinesis.put_record(
                StreamName=self.output_stream,
                PartitionKey=str(file.shard),
                Data=file.encode(),
            ),
        )
