"""Loads files together, and finds those at fault when they cannot be loaded together."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from ..ledger import Refused, Verdict
from ..manifest import File

# So many failures with nothing loaded are no file's fault. Among parts that are halved level by
# level, 16 tries meet a sound one if no more than seven files are bad.
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
                                          twice, is refused if any other could be loaded

    What fails for all is not the fault of one, and nothing is refused for it.
    """

    def __init__(self, files: Sequence[File], load: Callable[[Sequence[File]], Verdict]) -> None:
        self.waiting = list(files)
        self.load = load
        self.refused: list[Refused] = []
        self.has_loaded = False

    def run(self) -> list[Refused]:
        """Load what can be loaded, return the rest. Called again, goes on with what still waits.

        Raises what ``load`` raises; of Unnamed its ``error``, if nothing can be loaded.
        """
        parts = deque([list(self.waiting)])
        suspects: dict[File, Unnamed] = {}
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
                if failures == FRUITLESS_TRIES and not self.has_loaded:
                    raise failure.error from failure
                # At the end of the line, so that a sound part comes soon.
                if middle := len(part) // 2:
                    parts += [part[:middle], part[middle:]]
                elif part[0] not in suspects:
                    suspects[part[0]] = failure
                    parts.append(part)
            else:
                self._settle(part, verdict)
                for file in part:
                    suspects.pop(file, None)
        for file, suspicion in suspects.items():
            if not self.has_loaded:
                raise suspicion.error from suspicion
            self._refuse(file, f"{file.url}: {suspicion.reason}")
        return self.refused

    def _settle(self, part: Sequence[File], verdict: Verdict) -> None:
        self.has_loaded = self.has_loaded or bool(verdict.fresh)
        done = set(part)
        self.waiting = [file for file in self.waiting if file not in done]
        self.refused += verdict.refused

    def _refuse(self, file: File, reason: str) -> None:
        self.waiting.remove(file)
        self.refused.append(Refused(file, reason))
