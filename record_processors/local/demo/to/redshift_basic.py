"""Files in S3, each loaded into a table of Redshift by the process that wrote it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ...stack import Stack
from ..destination import Found
from ..warehouse import IntoWarehouse, Warehouse

CHANGES = {
    "kinesisInputStreamShardCount": "4",
    "bufferMillisecondsLimit": "2000",
    "redshiftIamRole": "default",
}


class To(IntoWarehouse):
    """From the stream to the table, with one daemon."""

    def __init__(self, stack: Stack, properties: Path, most: int | None) -> None:
        super().__init__(stack, properties, most)
        settings = self.pipeline("redshift_basic", CHANGES)
        self.pipelines = {"redshift-basic": settings}
        self.warehouse = Warehouse(settings)

    def found(self, put: int, first: float) -> Iterator[Found]:
        """Compare the rows of the table."""
        files = self.warehouse.query(f"SELECT count(*) FROM {self.warehouse.ledger}")  # noqa: S608
        yield self.loaded("loaded", f"{put:,} records → {files:,} files, a COPY each", first)
