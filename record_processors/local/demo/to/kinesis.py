"""Another stream, to which the flights go on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ...stack import Stack
from ..destination import Destination, Found
from ..output_stream import OutputStream


class To(Destination):
    """From a stream to a stream, as the file is shipped."""

    def __init__(self, stack: Stack, properties: Path, most: int | None) -> None:
        super().__init__(stack, properties, most)
        settings = self.pipeline("kinesis", {})
        self.pipelines = {"kinesis": settings}
        self.stream = OutputStream(settings)

    def arrived(self) -> int:
        """Count the flights on the other stream."""
        return self.stream.distinct()

    def found(self, put: int, first: float) -> Iterator[Found]:
        """Compare what is on the other stream, doubles apart."""
        yield self.stream.found(put, first)
