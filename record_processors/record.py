"""What Kinesis delivers: a record and its place in the shard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


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


@dataclass(frozen=True, slots=True)
class Record:
    """One user record, already taken out of its KPL aggregate by the KCL.

    ``data`` is the payload as the producer put it. ``arrival`` is the approximate time of arrival
    in milliseconds since 1970-01-01 UTC, 0 if Kinesis gave none.
    """

    data: bytes
    position: Position
    partition_key: str = ""
    arrival: int = 0
