"""The table in the stand-in for Redshift that the flights went into."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cached_property

import psycopg2

from ...config.setting import Settings
from ...destinations.redshift.settings import (
    DATA_TABLE,
    FILE_TABLE,
    REDSHIFT_URL,
    REDSHIFT_USER,
)
from . import flights
from .destination import Destination, Found


class Warehouse:
    """The stand-in for Redshift, with the table of one pipeline."""

    def __init__(self, settings: Settings) -> None:
        self.url = settings[REDSHIFT_URL]
        self.address = f"postgresql://{settings[REDSHIFT_USER]}@{self.url}"
        self.table = settings[DATA_TABLE]
        self.ledger = settings[FILE_TABLE]

    @cached_property
    def connection(self) -> flights.Connection:
        """A connection to it."""
        return psycopg2.connect(self.address, password=os.environ["REDSHIFT_PASSWORD"])

    def __str__(self) -> str:
        return f"Redshift (PostgreSQL {self.connection.server_version // 10000}) at {self.url}"

    def create_table(self) -> str:
        """Make the table; return what it is."""
        flights.create_table(self.connection, self.table)
        return f"table {self.table}"

    def rows(self) -> int:
        """Count the rows of the table."""
        return self.query(f"SELECT count(*) FROM {self.table}")  # noqa: S608

    def checksums(self) -> flights.Sums:
        """Read the table."""
        return flights.checksums(flights.table_rows(self.connection, self.table))

    def query(self, sql: str) -> int:
        """Return the one number that a query gives."""
        with self.connection, self.connection.cursor() as cursor:
            cursor.execute(sql)
            (found,) = cursor.fetchone() or (0,)
            return int(found)

    def way_in(self) -> tuple[str, str]:
        """Return the line that says how to look at it."""
        return "psql", f"PGPASSWORD=$REDSHIFT_PASSWORD psql {self.address}"


class IntoWarehouse(Destination):
    """Where the flights end as rows of the table, which a subclass says how they come to."""

    doing, unit = "load", "rows"
    warehouse: Warehouse

    def services(self) -> Iterator[str]:
        """Yield where the stand-in for Redshift is."""
        yield str(self.warehouse)

    def create(self) -> Iterator[str]:
        """Make what the pipelines need, and the table."""
        yield from super().create()
        yield self.warehouse.create_table()

    def arrived(self) -> int:
        """Count the rows of the table."""
        return self.warehouse.rows()

    def loaded(self, label: str, came: str, first: float) -> Found:
        """Compare the rows of the table; ``came`` says by what they came there."""
        sums = self.warehouse.checksums()
        how = f"{came} → {sums['rows']:,} rows · first row after {first:.0f} s"
        return Found(label, how, "in the table", sums)

    def ways_in(self) -> Iterator[tuple[str, str]]:
        """Yield how to open the table."""
        yield self.warehouse.way_in()
