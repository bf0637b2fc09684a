"""Files in S3, each announced on the manifest stream: stage one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..aws.clients import Client, client
from ..aws.failures import call
from ..aws.iam import allow
from ..aws.objects import Files
from ..aws.output_stream import OUTPUT_SHARDS, OUTPUT_STREAM, OutputStream, writes_to_itself
from ..config.component import Contradiction, Shipped
from ..config.metric import Counter
from ..config.resource import Resource, Statement
from ..config.setting import Settings
from ..config.shipped import FILES_OF_ROWS
from ..config.work import Load, Onwards, Work
from ..files.announce import announce
from ..files.chain import Chain
from ..files.chain_emitter import ChainEmitter
from ..files.file import File
from ..files.loadable import loadable
from ..flow.rate import batches
from ..flow.retry import Retry

# With the keys of rows of some twenty fields; up to 8 KiB with many more.
MESSAGE_BYTES = 700

FILES_ANNOUNCED = Counter("files.announced", "Messages of files on the manifest stream.")


class ManifestStream(OutputStream):
    """The stream on which files are announced."""

    action = "PutRecord"

    def permissions(self, account: str) -> Iterator[Statement]:
        """Allow to look whether it is there, and to put messages."""
        yield allow("AnnounceFiles", "kinesis: ListShards PutRecord", self.arn(account))

    def permissions_to_operate(self, account: str) -> Iterator[Statement]:
        """Allow to put one message, or many in one call as `replay` does."""
        yield allow("AnnounceFiles", "kinesis: PutRecord PutRecords", self.arn(account))


class S3ManifestEmitter(ChainEmitter):
    """Writes the file, then its message on ``kinesisOutputStream``.

    A file may be announced more than once (after a crash between message and checkpoint); stage
    two loads it once.
    """

    measures = (*ChainEmitter.measures, FILES_ANNOUNCED)
    declares = (*ChainEmitter.declares, OUTPUT_STREAM, OUTPUT_SHARDS)
    shipped = Shipped(
        "s3_manifest",
        "Stage one: records of a Kinesis stream become files in S3, and each file's name goes to "
        "the manifest stream, from which stage two (redshift_manifest.properties) loads it into "
        "Redshift.",
        {
            **FILES_OF_ROWS,
            "connectorDestination": "s3-manifest",
            "kinesisOutputStreamShardCount": "1",
        },
    )

    def __init__(self, chain: Chain, kinesis: Client, output_stream: str, retry: Retry) -> None:
        super().__init__(chain)
        self.kinesis = kinesis
        self.output_stream = output_stream
        self.retry = retry

    @classmethod
    def contradictions(cls, settings: Settings) -> Iterator[Contradiction]:
        """Refuse to announce files to ourselves."""
        yield from writes_to_itself(settings)

    @classmethod
    def resources(cls, settings: Settings) -> Sequence[Resource]:
        """Return the files, and the stream of their messages."""
        return [ManifestStream(settings), Files(settings)]

    @classmethod
    def from_settings(cls, settings: Settings) -> S3ManifestEmitter:
        """Write files as ``s3`` does, and announce them on the output stream."""
        return cls(
            Chain.from_settings(settings),
            client("kinesis", settings),
            settings[OUTPUT_STREAM],
            Retry.from_settings(settings, "kinesis"),
        )

    @classmethod
    def announces_on(cls, settings: Settings) -> str:
        """Return the output stream."""
        return settings[OUTPUT_STREAM]

    @classmethod
    def work(cls, settings: Settings, load: Load) -> Work:
        """Write a file for each batch, and put a message of it on the output stream."""
        messages = Load(batches(settings, load), MESSAGE_BYTES, settings[OUTPUT_SHARDS])
        onwards = Onwards(settings[OUTPUT_STREAM], messages)
        return super().work(settings, load)._replace(onwards=onwards)

    def loadable(self, rows_of: Sequence[Sequence[bytes]]) -> Sequence[Sequence[bytes]]:
        """Refuse rows that no COPY takes: a file with one of them could not be loaded."""
        return loadable(rows_of)

    def deliver(self, file: File) -> None:
        """Announce it. The source shard is the partition key: its files keep their order."""
        call(
            self.retry,
            f"announcing {file.url} on {self.output_stream}",
            lambda: self.kinesis.put_record(
                StreamName=self.output_stream,
                PartitionKey=str(file.shard),
                Data=file.encode(),
            ),
        )
        FILES_ANNOUNCED.add()

    def deliver_again(self, files: Sequence[File]) -> None:
        """Announce them, many in a call; those of a shard keep their order."""
        announce(self.kinesis, self.output_stream, files, self.retry)
