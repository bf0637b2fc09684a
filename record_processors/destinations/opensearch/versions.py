"""A position as a version of OpenSearch: 63 bits that grow as a key's records do.

A sequence number of Kinesis has 186 bits. AWS does not say what is in them; known from outside
(github.com/mhart/kinesalite, ``db/index.js``) are, in hexadecimal digits from the left: ``2``, the
second in which the shard was made (9), a digit of the shard's number, a count of the shard's (16),
two digits, the second of the record (9), the shard's number (8), and the structure, ``2``. Within a
shard, numbers grow by the count alone, which begins at 0 with each shard.

A child shard must go on above its parent's last. The count grows by less than ``A_SECOND`` (a shard
takes 1,000 records a second), and a child is made after its parent's last record. So ``(second of
the shard) * A_SECOND + count`` grows from parent to child as well. That the count is so slow is
looked at in each number, and what is otherwise ends the process: nothing is put in a wrong order
without a word.
"""

from __future__ import annotations

from ...errors import Fatal
from ...flow.record import Position

A_SECOND = 1 << 16
BEGINNING = 1_356_998_400  # 2013-01-01, before there were shards; 31 bits from there last to 2081
SUB_BITS = 16  # sub-sequences beyond share a version: the last one written stays
MOST_SUB = (1 << SUB_BITS) - 1

HEX_DIGITS = 47
SMALL = 1 << (63 - SUB_BITS)  # of such a number all bits fit: none of AWS is so small


def version_of(position: Position) -> int:
    """Return the version of a record's document: more for each later record of a key.

    Raises Fatal for a number of another structure.
    """
    return _counted(position.sequence) << SUB_BITS | min(position.sub_sequence, MOST_SUB)


def _counted(sequence: int) -> int:
    if sequence < SMALL:
        return sequence
    digits = f"{sequence:x}"
    if len(digits) != HEX_DIGITS or digits[0] != "2" or digits[-1] != "2":
        raise _unknown(sequence)
    made, count, now = (int(digits[a:b], 16) for a, b in ((1, 10), (11, 27), (29, 38)))
    found = (made - BEGINNING) * A_SECOND + count
    if made < BEGINNING or count > max(now - made, 1) * A_SECOND or found >= SMALL:
        raise _unknown(sequence)
    return found


def _unknown(sequence: int) -> Fatal:
    return Fatal(
        f"openSearchIdField: {sequence} is no sequence number of the structure by which versions "
        "are known to grow; leave openSearchIdField out, or take a destination with an order"
    )
