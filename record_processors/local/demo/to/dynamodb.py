"""A table of DynamoDB, in which a flight replaces the one before it on its route."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ...stack import Stack
from ..destination import Destination, Found
from ..items import CHANGES, Items


class To(Destination):
    """From the stream to the table."""

    unit = "items"

    def __init__(self, stack: Stack, properties: Path, most: int | None) -> None:
        super().__init__(stack, properties, most)
        settings = self.pipeline("dynamodb", CHANGES)
        self.pipelines = {"dynamodb": settings}
        self.items = Items(settings, most)

    def goal(self, put: int) -> int:
        """One for each route."""
        del put
        return len(self.items.last)

    def arrived(self) -> int:
        """Count the items that are what they should be in the end."""
        return self.items.right()

    def found(self, put: int, first: float) -> Iterator[Found]:
        """Compare the items."""
        yield self.items.found(put, first)
