"""What PostgreSQL complains of in a value, as Redshift words it."""

from __future__ import annotations

from record_processors.local.redshift.columns import INTEGERS, invalid_digit
from record_processors.local.redshift.failures import BadField
from record_processors.local.redshift.times import invalid_date, invalid_timestamp

BAD_UTF8 = 1220


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
