"""The table of DynamoDB that the flights went into, of which it keeps the last of each route."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from ...aws.clients import client
from ...config.setting import Settings
from ...destinations.dynamodb.settings import DATA_TABLE, KEY, guard_of
from . import flights
from .destination import Found

# A batch writes each key once. moto takes some milliseconds for each item that is written or read,
# so that a table of all flights would keep it busy for half an hour.
CHANGES = {
    "dynamoDBKey": "origin, dest",
    "bufferRecordCountLimit": "25000",
    "bufferByteSizeLimit": "16777216",
    "bufferMillisecondsLimit": "3000",
    "failoverTimeMillis": "10000",  # it keeps the leases, too, and may answer late
}
IDLE_TIMES = 4  # as long as it took to look, before it is looked again


class Items:
    """The table of one pipeline."""

    def __init__(self, settings: Settings, most: int | None) -> None:
        self.name = settings[DATA_TABLE]
        self.key = list(settings[KEY] or ())
        self.more = {guard_of(settings)}
        self.dynamodb = client("dynamodb", settings)
        self.place = self._places(flights.source_rows(most))
        self._reached = 0
        self._look_at = 0.0

    def key_of(self, row: flights.Row) -> flights.Row:
        """Return the fields of a flight that are its key."""
        columns = list(flights.COLUMNS)
        return tuple(row[columns.index(name)] for name in self.key)

    def last_of_each(self, rows: Iterable[flights.Row]) -> Iterable[flights.Row]:
        """Return the last row of each key."""
        return {self.key_of(row): row for row in rows}.values()

    def _places(self, rows: Iterable[flights.Row]) -> Mapping[int, int]:
        """Return of each row, by its hash, how many there are of its key up to it."""
        count = Counter[flights.Row]()
        places = {}
        for row in rows:
            count[key := self.key_of(row)] += 1
            places[hash(row)] = count[key]
        return places

    def rows(self) -> Iterator[flights.Row]:
        """Yield each item. Raises ValueError for one that is no flight."""
        for page in self.dynamodb.get_paginator("scan").paginate(TableName=self.name):
            yield from map(self._row, page["Items"])

    def reached(self) -> int:
        """Count the flights up to those that are there; now and then, as it takes its time."""
        began = time.monotonic()
        if began >= self._look_at:
            self._reached = sum(self.place.get(hash(row), 0) for row in self.rows())
            ended = time.monotonic()
            self._look_at = ended + IDLE_TIMES * (ended - began)
        return self._reached

    def found(self, put: int, first: float) -> Found:
        """Compare every item with the last flight of its route."""
        sums = flights.checksums(self.rows())
        how = f"{put:,} records → {sums['rows']:,} items, by {' and '.join(self.key)}"
        where = f"in table {self.name}, each the last of its route"
        return Found(
            "dynamodb", f"{how} · first after {first:.0f} s", where, sums, self.last_of_each
        )

    def _row(self, item: Mapping[str, Mapping[str, str]]) -> flights.Row:
        flights.insist_on_columns(item.keys() - self.more)
        values = [item[name] for name in flights.COLUMNS]
        return tuple(None if "NULL" in value else next(iter(value.values())) for value in values)
