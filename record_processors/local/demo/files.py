"""The files in S3 that the flights went into."""

from __future__ import annotations

import gzip
from collections.abc import Iterator

from ...aws.clients import client
from ...aws.layout import files_folder
from ...config.keys import S3_BUCKET
from ...config.setting import Settings
from . import flights
from .destination import Found


class Files:
    """The files of rows of one pipeline."""

    def __init__(self, settings: Settings) -> None:
        self.s3 = client("s3", settings)
        self.bucket, self.folder = settings[S3_BUCKET], files_folder(settings)
        self._rows_of: dict[str, int] = {}  # each file that was looked at

    def keys(self) -> Iterator[str]:
        """Yield the key of each."""
        pages = self.s3.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=self.bucket, Prefix=self.folder):
            yield from (item["Key"] for item in page.get("Contents", ()))

    def bodies(self) -> Iterator[bytes]:
        """Yield each as it lies there."""
        for key in self.keys():
            yield self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()

    def rows(self) -> int:
        """Count the rows, by what each file says of itself."""
        for key in self.keys():
            if key not in self._rows_of:
                said = self.s3.head_object(Bucket=self.bucket, Key=key)["Metadata"]
                self._rows_of[key] = int(said["rows"])
        return sum(self._rows_of.values())

    def measured(self) -> tuple[int, int, int]:
        """Return how many files there are, their bytes, and the rows in them."""
        sizes = list[int]()
        rows = sum(1 for _ in self._lines(sizes))
        return len(sizes), sum(sizes), rows

    def found(self, put: int) -> Found:
        """Compare every row."""
        sizes = list[int]()
        sums = flights.checksums(map(flights.row_of, self._lines(sizes)))
        return Found("s3", described(put, len(sizes), sum(sizes)), "in files", sums)

    def _lines(self, sizes: list[int]) -> Iterator[bytes]:
        """Yield every row; note the size of each file."""
        for body in self.bodies():
            sizes.append(len(body))
            yield from gzip.decompress(body).splitlines()


def described(put: int, files: int, size: int) -> str:
    """Say what became of the records that were put."""
    return f"{put:,} records → {files:,} files · {size / 1e6:.1f} MB"
