"""The index of OpenSearch that the flights went into."""

from __future__ import annotations

from opensearchpy import OpenSearch
from opensearchpy.helpers import scan

from ...config.setting import Settings
from ...destinations.opensearch.settings import OPEN_SEARCH_INDEX, OPEN_SEARCH_URL
from . import flights
from .destination import Found

PAGE = 5000  # documents an answer


class Documents:
    """The index of one pipeline."""

    def __init__(self, settings: Settings) -> None:
        self.index = settings[OPEN_SEARCH_INDEX]
        self.client = OpenSearch(settings[OPEN_SEARCH_URL])

    def count(self) -> int:
        """Return how many documents there are."""
        self.client.indices.refresh(index=self.index)
        return int(self.client.count(index=self.index)["count"])

    def found(self, put: int, first: float) -> Found:
        """Compare every document."""
        self.client.indices.refresh(index=self.index)
        hits = scan(self.client, index=self.index, size=PAGE)
        sums = flights.checksums(flights.row(hit["_source"]) for hit in hits)
        how = f"{put:,} records → {sums['rows']:,} documents · first after {first:.0f} s"
        return Found("opensearch", how, f"in index {self.index}", sums)
