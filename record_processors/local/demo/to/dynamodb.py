"""A table of DynamoDB, in which a flight replaces the one before it on its route."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ...stack import Stack
from ..destination import Destination, Found
from ..items import CHANGES, Items


class To(Destination):
    """From the stream to the table."""

    def __init__(self, stack: Stack, properties: Path, most: int | None) -> None:
        super().__init__(stack, properties, most)
        settings = self.pipeline("dynamodb", CHANGES)
        self.pipelines = {"dynamodb": settings}
        self.items = Items(settings, most)

    def arrived(self) -> int:
        """Count the flights that are items, or were replaced by later ones."""
        return self.items.reached()

    def found(self, put: int, first: float) -> Iterator[Found]:
        """Compare the items."""
        yield self.items.found(put, first)
