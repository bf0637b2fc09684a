"""An index of OpenSearch itself, on this machine, in which each flight is a document."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ...opensearch import server
from ...stack import Stack
from ..destination import Destination, Found
from ..documents import Documents


class To(Destination):
    """From the stream to the index."""

    unit = "documents"

    def __init__(self, stack: Stack, properties: Path, most: int | None) -> None:
        super().__init__(stack, properties, most)
        self.server = server.start(stack.directory / "opensearch", os.environ)
        self.url = server.address(self.server)
        settings = self.pipeline("opensearch", {"openSearchURL": self.url})
        self.pipelines = {"opensearch": settings}
        self.documents = Documents(settings)

    def services(self) -> Iterator[str]:
        """Yield where it is."""
        yield f"OpenSearch at {self.url}"

    def arrived(self) -> int:
        """Count the documents."""
        return self.documents.count()

    def found(self, put: int, first: float) -> Iterator[Found]:
        """Compare the documents."""
        yield self.documents.found(put, first)

    def close(self) -> None:
        """End OpenSearch."""
        self.server.stop()
