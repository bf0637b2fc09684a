"""Records wait here until one of three thresholds says that they are a batch."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Generic

from ..config.keys import BYTE_LIMIT, MILLISECONDS_LIMIT, RECORD_LIMIT
from ..config.setting import Settings
from .batch import Kept, Row
from .record import Position, Record


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

    @property
    def threshold(self) -> str:
        """Which threshold makes a batch of what is kept: the metrics' word for it."""
        if len(self.kept) >= self.record_limit:
            return "count"
        if self.bytes >= self.byte_limit:
            return "bytes"
        return "time" if self.due else "stop"

    def age(self) -> float:
        """Return for how many milliseconds the oldest record has waited; 0 if none waits."""
        return 0.0 if self._last is None else max(0.0, self.clock() - self._since) * 1000

    def held(self) -> str:
        """Say what waits here, and for what; "" if nothing does."""
        if not self.kept:
            return ""
        seconds = max(0, self._since + self.seconds_limit - self.clock())
        held = "1 is held" if len(self.kept) == 1 else f"{len(self.kept):,} are held"
        return (
            f"{held} ({self.bytes:,} bytes), until there are {self.record_limit:,} or "
            f"{self.byte_limit:,} bytes, or for {seconds:.0f} s more"
        )

    def release(self, through: Position) -> None:
        """Forget what is durable now: everything up to and including ``through``."""
        if self._last is None or self._last.position <= through:
            self.kept, self._last = [], None
        else:
            self.kept = [kept for kept in self.kept if kept.record.position > through]
        self.bytes = sum(len(kept.record.data) for kept in self.kept)
