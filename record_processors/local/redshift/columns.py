"""Which values a column takes where Redshift and PostgreSQL differ; the rest is PostgreSQL's.

Redshift counts the bytes of a VARCHAR, cuts surplus decimals, takes an empty field for NULL
in all but character columns, and reads timestamps by its TIMEFORMAT only.
https://docs.aws.amazon.com/redshift/latest/dg/copy-parameters-data-conversion.html
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from record_processors.local.redshift.failures import BadField

if TYPE_CHECKING:
    from record_processors.local.redshift.layout import Layout

Convert = Callable[[bytes], bytes | None]

_TIME = re.compile(rb"\d{4}-\d\d-\d\d( \d\d:\d\d(:\d\d(\.\d{1,6})?)?)?")
_TIME_ZONE = re.compile(_TIME.pattern + rb" ?([+-]\d\d(:?\d\d)?)?")
_SHORT_NAMES = {
    "character varying": "varchar",
    "character": "char",
    "integer": "int4",
    "bigint": "int8",
    "smallint": "int2",
    "boolean": "bool",
    "double precision": "float8",
    "real": "float4",
    "timestamp without time zone": "timestamp",
    "timestamp with time zone": "timestamptz",
}


@dataclass(frozen=True)
class Column:
    """A column: its name and its type as PostgreSQL writes it (``numeric(5,2)``)."""

    name: str
    type: str

    @property
    def kind(self) -> str:
        """The type's short name, without its arguments, as the error tables have it."""
        full = re.sub(r"\(.*?\)", "", self.type)
        return _SHORT_NAMES.get(full, full)

    @property
    def length(self) -> str:
        """The type's arguments: ``10`` or ``5,2``; ``0`` if it has none."""
        found = re.search(r"\((.*?)\)", self.type)
        return found[1] if found else "0"


def converter(column: Column, layout: Layout) -> Convert:
    """Return what makes a field's bytes those that PostgreSQL reads; raises ``BadField``."""
    if column.kind in ("varchar", "char", "text", "bpchar"):
        return _character(column, layout)
    if column.kind == "numeric" and not layout.round_decimals:
        return _cut_decimals(int(column.length.partition(",")[2] or 0), column.length != "0")
    if column.kind in ("timestamp", "timestamptz") and layout.time_format != "auto":
        return _epoch(layout.time_format) if layout.time_format else _timestamp(column.kind)
    return lambda value: value or None


def _character(column: Column, layout: Layout) -> Convert:
    limit = int(column.length) or 65535
    is_char = column.kind == "char"
    blanks_as_null, truncate = layout.blanks_as_null, layout.truncate
    reason = "Char length exceeds DDL length" if is_char else "String length exceeds DDL length"

    def convert(value: bytes) -> bytes | None:
        if blanks_as_null and value and not value.strip(b" "):
            return None
        if is_char and not value.isascii() and b"\0" not in value:
            raise BadField(1220, "Multibyte character not supported for CHAR")
        if len(value) <= limit or (is_char and len(value.rstrip(b" ")) <= limit):
            return value
        if truncate:  # never inside a character
            return value[:limit].decode("utf-8", "ignore").encode()
        raise BadField(1204, reason)

    return convert


def _cut_decimals(scale: int, limited: bool) -> Convert:
    def convert(value: bytes) -> bytes | None:
        whole, dot, decimals = value.partition(b".")
        if limited and len(decimals) > scale and decimals.isdigit():
            return whole + dot + decimals[:scale]
        return value or None

    return convert


def _timestamp(kind: str) -> Convert:
    accepts = (_TIME if kind == "timestamp" else _TIME_ZONE).fullmatch

    def convert(value: bytes) -> bytes | None:
        if value and not accepts(value):
            raise invalid_timestamp()
        return value or None

    return convert


def _epoch(unit: str) -> Convert:
    per_second = 1 if unit == "epochsecs" else 1000
    start = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)

    def convert(value: bytes) -> bytes | None:
        if not value:
            return None
        try:
            moment = start + datetime.timedelta(milliseconds=int(value) * 1000 // per_second)
        except (ValueError, OverflowError) as error:
            raise invalid_timestamp() from error
        return moment.isoformat(" ").encode()

    return convert


def invalid_timestamp() -> BadField:
    """Return Redshift's complaint of a value that its TIMEFORMAT does not read."""
    return BadField(1206, "Invalid timestamp format or value [YYYY-MM-DD HH24:MI:SS]")
