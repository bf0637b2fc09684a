"""Loads files together, and finds those at fault when they cannot be loaded together."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from ..ledger import Refused, Verdict
from ..manifest import File

# As long as the table holds no file to compare with, so many failures are no file's fault. Among
# parts that are halved level by level, 16 tries meet a sound one if no more than seven are bad.
FRUITLESS_TRIES = 16


class BadFile(Exception):
    """One file of a load cannot be loaded, and it is known which."""

    def __init__(self, file: File, reason: str) -> None:
        super().__init__(reason)
        self.file = file
        self.reason = reason


class Unnamed(Exception):
    """A load failed, and nothing says because of which file.

    ``error`` is what to raise if it is because of none.
    """

    def __init__(self, reason: str, error: Exception) -> None:
        super().__init__(reason)
        self.reason = reason
        self.error = error


class LoadSearch:
    """Loads files with as few calls of ``load`` as their faults allow.

    ::

        all together ─┬─ loaded
                      ├─ one is named ──► refused; the others together
                      └─ none is named ─► each half by itself, and so on; a file that fails alone,
                                          twice, is refused

    What fails for all is not the fault of one. So after each failure that names no file,
    ``can_load`` rehearses with a file that the table holds already: True if that one can be loaded,
    False if it cannot (then nothing more is refused), None if there is no such file yet.
    """

    def __init__(
        self,
        files: Sequence[File],
        load: Callable[[Sequence[File]], Verdict],
        can_load: Callable[[], bool | None],
    ) -> None:
        self.waiting = list(files)
        self.load = load
        self.can_load = can_load
        self.refused: list[Refused] = []

    def run(self) -> list[Refused]:
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
                self._refuse(bad.file, bad.reason)
                if others := [file for file in part if file != bad.file]:
                    parts.appendleft(others)
            except Unnamed as failure:
                failures += 1
                can_load = self.can_load()
                if can_load is False:
                    raise failure.error from failure
                # At the end of the line, so that a sound part comes soon.
                if middle := len(part) // 2:
                    parts += [part[:middle], part[middle:]]
                elif part[0] not in failed_alone:
                    failed_alone.add(part[0])
                    parts.append(part)
                elif can_load:
                    self._refuse(part[0], f"{part[0].url}: {failure.reason}")
                elif parts:
                    parts.append(part)
                else:
                    raise failure.error from failure
                if can_load is None and failures >= FRUITLESS_TRIES:
                    raise failure.error from failure
            else:
                done = set(part)
                self.waiting = [file for file in self.waiting if file not in done]
                self.refused += verdict.refused
        return self.refused

    def _refuse(self, file: File, reason: str) -> None:
        self.waiting = [one for one in self.waiting if one != file]
        self.refused.append(Refused(file, reason))
