"""Another stream, and files in S3, by one read of the flights' own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ...stack import Stack
from ..destination import Destination, Found
from ..files import Files
from ..output_stream import OutputStream

CHANGES = {
    "connectorDestination": "kinesis, s3",
    "applicationName": "flights-several",
    "bufferRecordCountLimit": "2000",
    "bufferMillisecondsLimit": "2000",
    "kinesisOutputStream": "flights",
    "kinesisOutputStreamShardCount": "4",
}


class To(Destination):
    """Each batch to the stream, then into a file; the checkpoint when it is in both."""

    def __init__(self, stack: Stack, properties: Path) -> None:
        super().__init__(stack, properties)
        settings = self.pipeline("s3", CHANGES)
        self.pipelines = {"several": settings}
        self.stream = OutputStream(settings)
        self.files = Files(settings)

    def arrived(self) -> int:
        """Count the flights on the other stream; a stop flushes the files of the last ones."""
        return self.stream.distinct()

    def found(self, put: int, first: float) -> Iterator[Found]:
        """Compare what is in each of the two."""
        yield self.stream.found(put, first)
        yield self.files.found(put)
