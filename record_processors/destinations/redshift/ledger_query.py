"""Which rows of the ledger a load must read: quick on a table that only grows, and is not indexed.

Redshift keeps a table in the order of its sort key, and of each block of a column the least and the
greatest value in it; blocks that can hold nothing it passes over, if a column as it is, is compared
with constants. docs.aws.amazon.com/redshift/latest/dg/t_Sorting_data.html

So each row says in a column ``digits`` how long the sequence numbers of its positions are, both of
them: among equals, the order of text is that of the numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ...files.file import File
from .ranges import spans

SORT_KEY = "data_table, application, stream, shard, digits, last_position, first_position"

IN_CHAIN = "application = %s AND stream = %s AND shard = %s"
# Sequence numbers as they stand, of one length; or of any, written as text of one length, as they
# are too long for Redshift's numbers (38 digits). Sub-sequence numbers are left to the judgement.
REACHES = "digits = %s AND last_position >= %s AND first_position < %s"
LENGTH = 64
REACHES_ANYHOW = (
    f"digits IS NULL AND lpad(split_part(last_position, '-', 1), {LENGTH}, '0') >= %s "
    f"AND lpad(split_part(first_position, '-', 1), {LENGTH}, '0') <= %s"
)
# A SELECT for each span, as what is joined by OR lets no block be passed over; but no more of them.
MOST_SELECTS = 32


class Condition(NamedTuple):
    """What may stand after WHERE, and the values of its placeholders."""

    sql: str
    values: Sequence[object]


def near(files: Sequence[File], key: str) -> list[Condition]:
    """Return conditions, for a SELECT each, of the rows that a judgement of ``files`` needs.

    Those are the rows that have the name of one, in the column ``key``, or may overlap one.
    """
    names = [Condition(f"{key} IN %s", [tuple(file.url for file in files)])]
    ordered: list[Condition] = []
    unordered: list[Condition] = []
    for chain, low, high in spans(files):
        ordered += [
            Condition(f"{IN_CHAIN} AND {REACHES}", [*chain, *bounds])
            for bounds in _bounds(low, high)
        ]
        bounds = [f"{low:0{LENGTH}}", f"{high:0{LENGTH}}"]
        unordered.append(Condition(f"{IN_CHAIN} AND {REACHES_ANYHOW}", [*chain, *bounds]))
    groups = [names, unordered, *(ordered[at::MOST_SELECTS] for at in range(MOST_SELECTS))]
    return [_any(group) for group in groups if group]


def _bounds(low: int, high: int) -> Iterator[tuple[int, str, str]]:
    """Cut a span where numbers get longer; yield the values for REACHES."""
    for digits in range(len(str(low)), len(str(high)) + 1):
        least, most = max(low, 10 ** (digits - 1)), min(high, 10**digits - 1)
        yield digits, str(least), f"{most}:"  # "-" comes before ":", and each digit too


def _any(conditions: Sequence[Condition]) -> Condition:
    alternatives = " OR ".join(f"({one.sql})" for one in conditions)
    return Condition(f"({alternatives})", [value for one in conditions for value in one.values])


def digits_of(file: File) -> int | None:
    """Return what the column ``digits`` says of a file.

    None if text does not tell: the two numbers differ in length, or have leading zeros; or there
    are none.
    """
    if file.first is None or file.last is None or "0" in (file.first[0], file.last[0]):
        return None
    first, last = file.first.index("-"), file.last.index("-")
    return first if first == last else None
