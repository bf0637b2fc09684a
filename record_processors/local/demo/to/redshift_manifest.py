"""Both stages: files in S3, then a table in Redshift, each with a daemon of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ...stack import Stack
from ..destination import Found
from ..files import Files, described
from ..pipelines import STAGE_ONE, STAGE_TWO
from ..warehouse import IntoWarehouse, Warehouse


class To(IntoWarehouse):
    """From the stream to files, and from the files to the table."""

    def __init__(self, stack: Stack, properties: Path, most: int | None) -> None:
        super().__init__(stack, properties, most)
        one = self.pipeline("s3_manifest", STAGE_ONE)
        two = self.pipeline("redshift_manifest", STAGE_TWO)
        self.pipelines = {"stage-1": one, "stage-2": two}
        self.files = Files(one)
        self.warehouse = Warehouse(two)

    def found(self, put: int, first: float) -> Iterator[Found]:
        """Count the rows of the files, and compare those of the table."""
        files, size, rows = self.files.measured()
        yield Found("stage 1", described(put, files, size), "in files", {"rows": rows})
        manifests = f"SELECT count(DISTINCT manifest) FROM {self.warehouse.ledger}"  # noqa: S608
        copies = self.warehouse.query(manifests)
        yield self.loaded("stage 2", f"{files:,} files → {copies:,} COPYs", first)
