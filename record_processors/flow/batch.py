"""A batch: kept records with their rows, and those that the destination rejects for good."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

import msgspec

from .account import Account
from .record import Position, Record

Row = TypeVar("Row")


class Kept(msgspec.Struct, Generic[Row], frozen=True, gc=False):
    """A record that passed the filter, with the rows that the transformer made of it."""

    record: Record
    rows: Sequence[Row]


class RejectedRecord(NamedTuple):
    """A record that a destination rejects for good, and why."""

    record: Record
    reason: str


Write = Callable[[Sequence[RejectedRecord]], None]


def _nobody(rejected: Sequence[RejectedRecord]) -> None:
    raise AssertionError(f"nobody takes what is rejected: {rejected}")


@dataclass
class Batch(Generic[Row]):
    """What an emitter gets: at least one kept record, in the order of the shard.

    ``last`` is the position through which the batch covers the shard: records that were filtered
    out after the last kept one are covered too. ``account`` is what became of all records of this
    life through there, if its beginning is known.
    """

    kept: Sequence[Kept[Row]]
    last: Position
    write: Write = _nobody
    rejected: list[RejectedRecord] = field(default_factory=list)
    account: Account | None = None

    @property
    def first(self) -> Record:
        """The first record kept: its position and arrival name what is written."""
        return self.kept[0].record

    @property
    def rows(self) -> Iterator[Row]:
        """Every row, in order."""
        return (row for kept in self.kept for row in kept.rows)

    def reject(self, record: Record, reason: str) -> None:
        """Hand back one record that the destination rejects for good.

        It becomes a dead letter before the checkpoint passes it.
        """
        self.rejected.append(RejectedRecord(record, reason))

    def write_letters(self) -> None:
        """Make durable what was rejected until now; called after ``emit`` in any case.

        Whatever makes the next life skip the batch must be written after it.
        """
        if self.rejected:
            self.write(self.rejected)
            self.rejected = []
