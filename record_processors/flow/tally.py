"""What became of the records, told to the log now and then."""

from __future__ import annotations

import logging
from collections.abc import Callable

from ..errors import counted

log = logging.getLogger(__name__)

SECONDS_BETWEEN = 60.0
MANY = 1000  # records: if a filter passes over so many from the first on, it is likely wrong


class Tally:
    """Counts the records of a life: read, filtered out, rejected, skipped as durable already.

    Tells as soon as something was read, then once a minute if more was, and at the end.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.read = self.filtered = self.rejected = self.skipped = 0
        self.handed_back = 0  # of the rejected: by a destination, from their batch
        self._told = 0  # of ``read``
        self._told_at = float("-inf")
        self._is_suspicious = True

    def tell(self, held: Callable[[], str]) -> None:
        """Write the line if it is time; ``held`` returns what still waits for its batch."""
        if self.read == self._told:
            return
        if self._is_suspicious and self.read >= MANY:
            self._is_suspicious = False
            if self.filtered == self.read:
                log.warning(
                    "all of the first %s records are filtered out: look at filter, "
                    "filterExpression, and at what the transformer makes no rows of",
                    f"{self.read:,}",
                )
        if self.clock() - self._told_at >= SECONDS_BETWEEN:
            self._write(held())

    def close(self) -> None:
        """Write the line once more, at the end of the life, if it says something new."""
        if self.read != self._told:
            self._write("")

    def _write(self, held: str) -> None:
        self._told, self._told_at = self.read, self.clock()
        kept = self.read - self.filtered - self.rejected - self.skipped
        skipped = f", skipped {self.skipped:,} (durable already)" if self.skipped else ""
        log.info(
            "read %s: kept %s, filtered out %s, refused %s%s%s",
            counted(self.read, "record"),
            *(f"{number:,}" for number in (kept, self.filtered, self.rejected)),
            skipped,
            f"; {held}" if held else "",
        )
