"""What COPY takes of a row, whatever its table: one row beyond that keeps its file out."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import msgspec

from ..errors import Rejected, Rejection
from .formats import members

# "The maximum size of a single input row from any source is 4 MB": docs.aws.amazon.com/redshift/
# latest/dg/r_COPY.html. Of a JSON object that is all of it, braces included.
ROW_BYTES = 4 * 1024 * 1024

NUL = b"\x00"
NUL_IN_JSON = b"\\u0000"

Rows = Sequence[bytes]


def loadable(rows_of: Sequence[Rows]) -> Sequence[Rows]:
    """Return for each record its rows, or a Rejection if COPY would refuse one of them."""
    together = b"\n".join(chain.from_iterable(rows_of))
    is_short = len(together) <= ROW_BYTES // 2  # as COPY may count each byte twice
    if is_short and NUL not in together and not _may_hold_nul(together):
        return rows_of
    return [_checked(rows) for rows in rows_of]


def _checked(rows: Rows) -> Rows:
    for row in rows:
        if reason := _fault_of(row):
            return Rejection(Rejected(reason))
    return rows


def _fault_of(row: bytes) -> str:
    if (size := len(row) + row.count(b"|")) > ROW_BYTES:
        return (
            f"a row of {size:,} bytes, each | counted twice as COPY does: Redshift takes no more "
            f"than {ROW_BYTES:,}"
        )
    if NUL in row:
        return "U+0000 in what is loaded: Redshift takes it in no text"
    if _may_hold_nul(row) and (name := _nul_in(row)) is not None:
        return f"U+0000 in {name}: Redshift takes it in no text"
    return ""


def _may_hold_nul(rows: bytes) -> bool:
    return b"\\" in rows and NUL_IN_JSON in rows  # the search for one byte is much the faster


def _nul_in(row: bytes) -> str | None:
    r"""Return the key of a JSON object whose value is a string with ``\u0000``.

    It counts whether the key is loaded or not, as only stage two knows that. What is nested is left
    to COPY, which loads it as JSON text or into a SUPER column, where it does no harm.
    """
    try:
        for name, raw in members(row).items():
            value = bytes(raw)
            if value.startswith(b'"') and "\0" in msgspec.json.decode(value, type=str):
                return name
    except (ValueError, RecursionError):
        pass  # not JSON: there, the six characters are six characters
    return None
