"""What Kinesis delivers: a record and its place in the shard."""

from __future__ import annotations

from typing import NamedTuple

import msgspec


class Position(NamedTuple):
    """A place in a shard, ordered as the shard is.

    ``sequence`` is Kinesis' sequence number (up to 128 bits). ``sub_sequence`` counts the user
    records inside one Kinesis record that the Kinesis Producer Library aggregated; 0 otherwise.
    """

    sequence: int
    sub_sequence: int = 0

    def __str__(self) -> str:
        """Write ``<sequence>-<sub-sequence>``, both decimal: how keys and metadata spell it."""
        return f"{self.sequence}-{self.sub_sequence}"

    @classmethod
    def parse(cls, text: str) -> Position:
        """Read what ``str`` wrote. Raises ValueError for anything else."""
        sequence, separator, sub_sequence = text.partition("-")
        if not (separator and _is_decimal(sequence) and _is_decimal(sub_sequence)):
            raise ValueError(f"{text!r} is not a position like 49590338271490256608559692538361-0")
        return cls(int(sequence), int(sub_sequence))


def _is_decimal(text: str) -> bool:
    return text.isascii() and text.isdigit()


class Record(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """One user record, already taken out of its KPL aggregate by the KCL.

    ``data`` is the payload as the producer put it. The fields are those of the daemon's message,
    from which a record is decoded in one step; its base64 too.
    """

    data: bytes
    sequence_number: str
    sub_sequence_number: int | None = 0
    partition_key: str = ""
    approximate_arrival_timestamp: int | None = 0

    @property
    def position(self) -> Position:
        """Its place in the shard. Worked out each time: most records are never asked."""
        return Position(int(self.sequence_number), self.sub_sequence_number or 0)

    @property
    def arrival(self) -> int:
        """Approximate time of arrival, in milliseconds since 1970 UTC; 0 if Kinesis gave none."""
        return self.approximate_arrival_timestamp or 0
