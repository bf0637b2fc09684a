"""Both stages: files in S3, then a table in Redshift, each with a daemon of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ....destinations.redshift.settings import FILE_TABLE
from ...stack import Stack
from ..destination import Destination, Found
from ..files import Files
from ..pipelines import STAGE_ONE, STAGE_TWO
from ..warehouse import Warehouse


class To(Destination):
    """From the stream to files, and from the files to the table."""

    doing, unit = "load", "rows"

    def __init__(self, stack: Stack, properties: Path, most: int | None) -> None:
        super().__init__(stack, properties, most)
        one = self.pipeline("s3_manifest", STAGE_ONE)
        two = self.pipeline("redshift_manifest", STAGE_TWO)
        self.pipelines = {"stage-1": one, "stage-2": two}
        self.files = Files(one)
        self.warehouse = Warehouse(two)
        self.ledger = two[FILE_TABLE]

    def services(self) -> Iterator[str]:
        """Yield where the stand-in for Redshift is."""
        yield str(self.warehouse)

    def create(self) -> Iterator[str]:
        """Make what both stages need, and the table."""
        yield from super().create()
        yield self.warehouse.create_table()

    def arrived(self) -> int:
        """Count the rows of the table."""
        return self.warehouse.rows()

    def found(self, put: int, first: float) -> Iterator[Found]:
        """Count the rows of the files, and compare those of the table."""
        files, size, rows = self.files.measured()
        how = f"{put:,} records → {files:,} files · {size / 1e6:.1f} MB"
        yield Found("stage 1", how, "in files", {"rows": rows})
        loaded = self.warehouse.checksums()
        copies = self.warehouse.query(f"SELECT count(DISTINCT manifest) FROM {self.ledger}")  # noqa: S608
        how = f"{files:,} files → {copies:,} COPYs → {loaded['rows']:,} rows"
        yield Found("stage 2", f"{how} · first row after {first:.0f} s", "in the table", loaded)

    def ways_in(self) -> Iterator[tuple[str, str]]:
        """Yield how to open the table."""
        yield self.warehouse.way_in()
