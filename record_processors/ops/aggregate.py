"""How many records of a user one record of Kinesis holds.

The Kinesis Producer Library packs several into one:
github.com/awslabs/amazon-kinesis-producer/blob/master/aggregation-format.md
"""

from __future__ import annotations

from collections.abc import Iterator

MAGIC = b"\xf3\x89\x9a\xc2"
DIGEST_BYTES = 16  # MD5, at the end
RECORDS = 3  # the field of AggregatedRecord in which they are
LENGTH_DELIMITED = 2  # protobuf.dev/programming-guides/encoding: all its fields are


def user_records(data: bytes) -> int:
    """Return how many it holds; 1 if it is none that was packed."""
    if not data.startswith(MAGIC):
        return 1
    try:
        return max(sum(field == RECORDS for field in _fields(data[len(MAGIC) : -DIGEST_BYTES])), 1)
    except (IndexError, ValueError):  # it only begins like one
        return 1


def _fields(message: bytes) -> Iterator[int]:
    """Yield the number of each field of a message."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        if tag & 7 != LENGTH_DELIMITED:
            raise ValueError(f"no field of an aggregated record: {tag}")
        length, at = _varint(message, at)
        at += length
        yield tag >> 3


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """Return the number that stands there, and where it ends."""
    number = shift = 0
    while True:
        byte = message[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
        shift += 7
