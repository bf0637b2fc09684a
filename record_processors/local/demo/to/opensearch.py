"""An index of OpenSearch itself, on this machine, in which each flight is a document."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ...stack import Stack
from ..destination import Destination, Found
from ..documents import Documents


class To(Destination):
    """From the stream to the index."""

    unit = "documents"
    opensearch = True

    def __init__(self, stack: Stack, properties: Path, most: int | None) -> None:
        super().__init__(stack, properties, most)
        settings = self.pipeline("opensearch", {})
        self.pipelines = {"opensearch": settings}
        self.documents = Documents(settings)

    def services(self) -> Iterator[str]:
        """Yield where it is."""
        yield f"OpenSearch at {self.stack.properties['openSearchURL']}"

    def arrived(self) -> int:
        """Count the documents."""
        return self.documents.count()

    def found(self, put: int, first: float) -> Iterator[Found]:
        """Compare the documents."""
        yield self.documents.found(put, first)
