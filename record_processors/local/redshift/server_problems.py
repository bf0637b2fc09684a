"""What PostgreSQL complains of in a value, as Redshift words it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from record_processors.local.redshift.columns import INTEGERS, invalid_digit
from record_processors.local.redshift.failures import BadField, BadRow
from record_processors.local.redshift.times import invalid_date, invalid_timestamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from record_processors.local.redshift.columns import Column
    from record_processors.local.redshift.fields import Fields

BAD_UTF8 = 1220
_CONTEXT = re.compile(r'COPY .*?, line (\d+)(?:, column (.+?): (?:"(.*)"|null input))?', re.DOTALL)


def refusal(fields: dict[str, str], columns: Sequence[Column]) -> tuple[int, BadRow] | None:
    """Return which row (from 1) of a COPY was refused, and why; None if it is no row's error.

    ``fields`` are those of the server's ErrorResponse, ``columns`` those that are loaded.
    """
    found = _CONTEXT.search(fields.get("W", ""))
    if not found or fields["C"][:2] not in ("22", "23"):
        return None
    name, value = found[2] or fields.get("c", ""), found[3] or ""
    index = next((i for i, column in enumerate(columns) if column.name == name), -1)
    problem = server_problem(fields, columns[index].kind if index >= 0 else "", value)
    return int(found[1]), BadRow(problem, index, value.encode())


def server_problem(fields: dict[str, str], kind: str, value: str) -> BadField:  # noqa: PLR0911 - a table
    """Return the load error; ``fields`` are PostgreSQL's, ``kind`` is the column's."""
    code = fields["C"]
    if code == "23502":
        return BadField(1213, "Missing data for not-null field")
    if code in ("22021", "22P05"):
        return BadField(
            BAD_UTF8, "String contains invalid or unsupported UTF8 codepoints. " + fields["M"]
        )
    if code == "22001":
        return BadField(1204, "String length exceeds DDL length")
    if kind in ("timestamp", "timestamptz"):
        return invalid_timestamp()
    if kind == "date":
        return invalid_date()
    if kind == "super":
        return BadField(1224, f"Invalid JSON value. {fields['M']}")
    if code == "22003":
        return BadField(1204, f"Overflow, Value '{value}', Type: {INTEGERS.get(kind, kind)}")
    if kind in INTEGERS:
        return invalid_digit(kind, value.encode())
    if kind == "bool":
        return BadField(1210, "Unknown boolean format")
    if kind in ("float4", "float8"):
        return BadField(1208, f"Invalid float, Value '{value}'")
    return BadField(1200, fields["M"])


def undecodable(fields: Fields) -> tuple[int, bytes]:
    """Find the field that is not UTF-8 or has a zero byte, which PostgreSQL does not tell."""
    for index, value in enumerate(fields):
        if value is not None and (b"\0" in value or not _is_utf8(value)):
            return index, value
    return -1, b""


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True
