"""Files in S3, each loaded into a table of Redshift by the process that wrote it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ....destinations.redshift.settings import FILE_TABLE
from ...stack import Stack
from ..destination import Destination, Found
from ..warehouse import Warehouse

CHANGES = {
    "kinesisInputStreamShardCount": "4",
    "bufferMillisecondsLimit": "2000",
    "redshiftIamRole": "default",
}


class To(Destination):
    """From the stream to the table, with one daemon."""

    doing, unit = "load", "rows"

    def __init__(self, stack: Stack, properties: Path, most: int | None) -> None:
        super().__init__(stack, properties, most)
        settings = self.pipeline("redshift_basic", CHANGES)
        self.pipelines = {"redshift-basic": settings}
        self.warehouse = Warehouse(settings)
        self.ledger = settings[FILE_TABLE]

    def services(self) -> Iterator[str]:
        """Yield where the stand-in for Redshift is."""
        yield str(self.warehouse)

    def create(self) -> Iterator[str]:
        """Make what the pipeline needs, and the table."""
        yield from super().create()
        yield self.warehouse.create_table()

    def arrived(self) -> int:
        """Count the rows of the table."""
        return self.warehouse.rows()

    def found(self, put: int, first: float) -> Iterator[Found]:
        """Compare the rows of the table."""
        loaded = self.warehouse.checksums()
        copies = self.warehouse.query(f"SELECT count(*) FROM {self.ledger}")  # noqa: S608
        how = f"{put:,} records → {copies:,} files, a COPY each → {loaded['rows']:,} rows"
        yield Found("loaded", f"{how} · first row after {first:.0f} s", "in the table", loaded)

    def ways_in(self) -> Iterator[tuple[str, str]]:
        """Yield how to open the table."""
        yield self.warehouse.way_in()
