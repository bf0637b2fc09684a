"""Places in a shard, between its records."""

from __future__ import annotations

from ..flow.record import Position

MANY = 10**9  # more records than one of Kinesis' holds


def just_before(position: Position) -> Position:
    """Return a place behind all records before this one; perhaps of none."""
    sequence, sub_sequence = position
    return Position(sequence, sub_sequence - 1) if sub_sequence else Position(sequence - 1, MANY)


def is_between(place: Position) -> bool:
    """Whether a place is no record's, but that just before one of Kinesis' records."""
    return place.sub_sequence == MANY


def record_at(place: Position) -> int:
    """Return the sequence number from which to read what comes after a place: it is a record's."""
    return place.sequence + 1 if is_between(place) else place.sequence
