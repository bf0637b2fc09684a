"""What became of the records, told to the metrics, and now and then to the log."""

from __future__ import annotations

import logging
from collections.abc import Callable

from ..errors import counted
from ..events import ALL_FILTERED_OUT
from ..events import RECORDS_READ as TOLD
from .metrics import (
    RECORDS_FILTERED,
    RECORDS_KEPT,
    RECORDS_READ,
    RECORDS_REFUSED,
    RECORDS_SKIPPED,
)

log = logging.getLogger(__name__)

COUNTED = (RECORDS_READ, RECORDS_KEPT, RECORDS_FILTERED, RECORDS_REFUSED, RECORDS_SKIPPED)

SECONDS_BETWEEN = 60.0
MANY = 1000  # records: if a filter passes over so many from the first on, it is likely wrong


class Tally:
    """Counts the records of a life: read, filtered out, rejected, skipped as durable already.

    Those ``handed_back`` by the destination, which had been kept, are among the rejected. The log
    is told as soon as something was read, then once a minute if more was, and at the end; the
    metrics of records are what is counted here, added once a call.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.read = self.filtered = self.rejected = self.skipped = self.handed_back = 0
        self._added = (0,) * len(COUNTED)
        self._told = 0  # of ``read``
        self._told_at = float("-inf")
        self._is_suspicious = True

    def tell(self, held: Callable[[], str]) -> None:
        """Write the line if it is time; ``held`` returns what still waits for its batch."""
        self._add()
        if self.read == self._told:
            return
        if self._is_suspicious and self.read >= MANY:
            self._is_suspicious = False
            if self.filtered == self.read:
                log.warning(
                    "all of the first %s records are filtered out: look at filter, "
                    "filterExpression, and at what the transformer makes no rows of",
                    f"{self.read:,}",
                    extra=ALL_FILTERED_OUT.of(records=self.read),
                )
        if self.clock() - self._told_at >= SECONDS_BETWEEN:
            self._write(held())

    def close(self) -> None:
        """Write the line once more, at the end of the life, if it says something new."""
        self._add()
        if self.read != self._told:
            self._write("")

    @property
    def _kept(self) -> int:
        return self.read - self.filtered - self.rejected - self.skipped

    def _add(self) -> None:
        """Add to the metrics what was counted since the last time."""
        now = (self.read, self._kept + self.handed_back, self.filtered, self.rejected, self.skipped)
        if now != self._added:
            for metric, number, before in zip(COUNTED, now, self._added, strict=True):
                metric.add(number - before)
            self._added = now

    def _write(self, held: str) -> None:
        self._told, self._told_at = self.read, self.clock()
        skipped = f", skipped {self.skipped:,} (durable already)" if self.skipped else ""
        log.info(
            "read %s: kept %s, filtered out %s, refused %s%s%s",
            counted(self.read, "record"),
            *(f"{number:,}" for number in (self._kept, self.filtered, self.rejected)),
            skipped,
            f"; {held}" if held else "",
            extra=TOLD.of(
                read=self.read,
                kept=self._kept,
                filtered=self.filtered,
                refused=self.rejected,
                skipped=self.skipped,
            ),
        )
