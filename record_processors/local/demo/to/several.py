"""A table of DynamoDB, and files in S3 that are announced, by one read of the stream."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ...stack import Stack
from ..destination import Destination, Found
from ..files import Files
from ..items import CHANGES, Items

TOGETHER = {
    **CHANGES,
    "connectorDestination": "dynamodb, s3-manifest",
    "applicationName": "flights-to-both",
    "dynamoDBDataTableName": "flights",
}


class To(Destination):
    """Each batch to the table, then into a file; the checkpoint when it is in both."""

    def __init__(self, stack: Stack, properties: Path, most: int | None) -> None:
        super().__init__(stack, properties, most)
        settings = self.pipeline("s3_manifest", TOGETHER)
        self.pipelines = {"several": settings}
        self.items = Items(settings, most)
        self.files = Files(settings)

    def arrived(self) -> int:
        """Count what is in files: the table has it before."""
        return self.files.rows()

    def found(self, put: int, first: float) -> Iterator[Found]:
        """Compare what is in each of the two."""
        yield self.items.found(put, first)
        yield self.files.found(put)
