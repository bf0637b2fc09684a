"""Loads files together, and finds those at fault when they cannot be loaded together."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence

from ..ledger import Quarantined, Verdict
from ..manifest import File
from .blame import Unnamed
from .file_check import BadFile

log = logging.getLogger(__name__)

# As long as the table holds no file to compare with, so many failures are no file's fault. Among
# parts that are halved level by level, 16 tries meet a sound one if no more than seven are bad.
FRUITLESS_TRIES = 16


class LoadSearch:
    """Loads files with as few calls of ``load`` as their faults allow.

    ::

        all together ─┬─ loaded
                      ├─ one is named ──► quarantined; the others together
                      └─ none is named ─► each half by itself, and so on; a file that fails alone,
                                          twice, is quarantined

    What fails for all is not the fault of one. So after each failure that names no file,
    ``rehearse`` tries a file that the table holds already: True if that one can be loaded, False if
    it cannot (then nothing more is quarantined), None if there is no such file yet.
    """

    def __init__(
        self,
        files: Sequence[File],
        load: Callable[[Sequence[File]], Verdict],
        rehearse: Callable[[], bool | None],
    ) -> None:
        self.waiting = list(files)
        self.load = load
        self.rehearse = rehearse
        self.quarantined: list[Quarantined] = []

    def run(self) -> list[Quarantined]:
        """Load what can be loaded, return the rest. Called again, goes on with what still waits.

        Raises what ``load`` raises; of Unnamed its ``error``, if it is no file's fault.
        """
        parts = deque([self.waiting] if self.waiting else [])
        failed_alone: set[File] = set()
        failures = 0
        while parts:
            part = parts.popleft()
            try:
                verdict = self.load(part)
            except BadFile as bad:
                self._quarantine(bad.file, bad.reason)
                if others := [file for file in part if file != bad.file]:
                    parts.appendleft(others)
            except Unnamed as failure:
                failures += 1
                _report(part, failure)
                can_load = self.rehearse()
                if can_load is False:
                    raise failure.error from failure
                # At the end of the line, so that a sound part comes soon.
                if middle := len(part) // 2:
                    parts += [part[:middle], part[middle:]]
                elif part[0] not in failed_alone:
                    failed_alone.add(part[0])
                    parts.append(part)
                elif can_load:
                    self._quarantine(part[0], f"{part[0].url}: {failure.reason}")
                elif parts:
                    parts.append(part)
                else:
                    raise failure.error from failure
                if can_load is None and failures >= FRUITLESS_TRIES:
                    raise failure.error from failure
            else:
                done = set(part)
                self.waiting = [file for file in self.waiting if file not in done]
                self.quarantined += verdict.quarantined
        return self.quarantined

    def _quarantine(self, file: File, reason: str) -> None:
        self.waiting = [one for one in self.waiting if one != file]
        self.quarantined.append(Quarantined(file, reason))


def _report(part: Sequence[File], failure: Unnamed) -> None:
    what = part[0].url if len(part) == 1 else f"{len(part)} files together"
    log.warning("not loaded: %s; nothing says whose fault it is: %s", what, failure.reason)
