"""Records wait here until one of three thresholds says that they are a batch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

import msgspec

from .record import Position, Record
from .settings import BYTE_LIMIT, MILLISECONDS_LIMIT, RECORD_LIMIT, Settings

Row = TypeVar("Row")


class Kept(msgspec.Struct, Generic[Row], frozen=True, gc=False):
    """A record that passed the filter, with the rows that the transformer made of it."""

    record: Record
    rows: Sequence[Row]


class Rejection(NamedTuple):
    """A record that went no further, where, and why."""

    record: Record
    stage: str
    reason: str


@dataclass(frozen=True)
class Batch(Generic[Row]):
    """What an emitter gets: at least one kept record, in the order of the shard.

    ``last`` is the position through which the batch covers the shard: records that were filtered
    out after the last kept one are covered too.
    """

    shard: str
    kept: Sequence[Kept[Row]]
    last: Position
    rejections: list[Rejection] = field(default_factory=list)

    @property
    def first(self) -> Record:
        """The first record kept: its position and arrival name what is written."""
        return self.kept[0].record

    @property
    def rows(self) -> Iterator[Row]:
        """Every row, in order."""
        return (row for kept in self.kept for row in kept.rows)

    def reject(self, record: Record, reason: str, stage: str = "emit") -> None:
        """Hand back one record that the destination refuses for good.

        It becomes a dead letter before the checkpoint passes it.
        """
        self.rejections.append(Rejection(record, stage, reason))


class Buffer(Generic[Row]):
    """Holds kept records, and remembers how far the shard has been read.

    It is *full* when it holds ``record_limit`` kept records or ``byte_limit`` bytes of their data,
    and *due* when it has waited ``milliseconds_limit``: since the first kept record, or, as long as
    nothing was kept, since the first one that was passed over (so that a shard whose records are
    all filtered out still moves its checkpoint).
    """

    def __init__(
        self,
        record_limit: int,
        byte_limit: int,
        milliseconds_limit: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.record_limit = record_limit
        self.byte_limit = byte_limit
        self.seconds_limit = milliseconds_limit / 1000
        self.clock = clock
        self.kept: list[Kept[Row]] = []
        self.bytes = 0
        self._last: Record | None = None
        self._since = 0.0

    @classmethod
    def from_settings(cls, settings: Settings) -> Buffer[Row]:
        """Take the three thresholds from the properties."""
        return cls(settings[RECORD_LIMIT], settings[BYTE_LIMIT], settings[MILLISECONDS_LIMIT])

    def keep(self, record: Record, rows: Sequence[Row]) -> bool:
        """Take in a record whose rows are to be emitted; return whether the buffer is full."""
        if not self.kept:
            self._since = self.clock()
        self.kept.append(Kept(record, rows))
        self.bytes += len(record.data)
        self._last = record
        return len(self.kept) >= self.record_limit or self.bytes >= self.byte_limit

    def pass_over(self, record: Record) -> None:
        """Note a record that leaves no rows: the next checkpoint covers it."""
        if self._last is None:
            self._since = self.clock()
        self._last = record

    @property
    def last(self) -> Position | None:
        """How far the shard has been read; None if nothing waits for a checkpoint."""
        return None if self._last is None else self._last.position

    @property
    def due(self) -> bool:
        """Whether something has waited for the time limit."""
        return self._last is not None and self.clock() - self._since >= self.seconds_limit

    def release(self, through: Position) -> None:
        """Forget what is durable now: everything up to and including ``through``."""
        if self._last is None or self._last.position <= through:
            self.kept, self._last = [], None
        else:
            self.kept = [kept for kept in self.kept if kept.record.position > through]
        self.bytes = sum(len(kept.record.data) for kept in self.kept)
