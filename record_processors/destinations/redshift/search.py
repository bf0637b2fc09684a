"""Loads files together, and finds those at fault when they cannot be loaded together."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence

from ...errors import Transient
from ...files.file import File
from .events import NOT_LOADED
from .fault import SetAside, Unexplained
from .ledger import RejectedFile, Verdict

log = logging.getLogger(__name__)

# As long as the table holds no file to compare with, so many failures are no file's fault. Among
# parts that are halved level by level, 16 tries meet a sound one if no more than seven are bad.
FRUITLESS_TRIES = 16


class LoadSearch:
    """Loads files with as few calls of ``load`` as their faults allow.

    ::

        all together ─┬─ loaded
                      ├─ some are named ► they are at fault; the others together
                      └─ none is named ─► each half by itself, and so on; a file that fails alone,
                                          twice, is at fault

    What fails for all is not the fault of one. So before a file is rejected, another must have
    been loaded meanwhile, or ``rehearse`` tries one that the table holds already: True if it can be
    loaded, False if it cannot (then nothing is rejected), None if there is no such file yet
    (then only who is named is).
    """

    def __init__(
        self,
        files: Sequence[File],
        load: Callable[[Sequence[File]], Verdict | SetAside | Unexplained],
        rehearse: Callable[[], bool | None],
    ) -> None:
        self.waiting = list(files)
        self.load = load
        self.rehearse = rehearse
        self.rejected: list[RejectedFile] = []

    def _begin(self) -> None:
        self._parts = deque([self.waiting] if self.waiting else [])
        self._named: list[RejectedFile] = []
        self._failed_alone: set[File] = set()
        self._fruitless = 0
        self._is_shown = False  # that files can be loaded

    def run(self) -> list[RejectedFile]:
        """Load what can be loaded, return the rest. Called again, goes on with what still waits.

        Raises what ``load`` raises; the ``error`` of an Unexplained, if it is no file's fault.
        """
        self._begin()
        while self._parts:
            part = self._parts.popleft()
            outcome = self.load(part)
            if isinstance(outcome, Verdict):
                self._take(outcome, part)
            elif isinstance(outcome, SetAside):
                self._go_on_without(outcome.files, part)
            else:
                self._divide(part, outcome)
        self._reject_named()
        return self.rejected

    def _take(self, verdict: Verdict, part: Sequence[File]) -> None:
        self._is_shown |= bool(verdict.fresh)
        done = set(part)
        self.waiting = [file for file in self.waiting if file not in done]
        self.rejected += verdict.rejected

    def _go_on_without(self, bad: Sequence[RejectedFile], part: Sequence[File]) -> None:
        """Go on with the others of a part: all of it, if ``load`` can do more now."""
        self._named += bad
        named = {one.file for one in bad}
        if others := [file for file in part if file not in named]:
            self._parts.appendleft(others)
        if len(self._named) > 1:  # one alone is rejected when the others have been tried
            self._reject_named()

    def _reject_named(self) -> None:
        """Reject who is named, unless it is everybody's fault; raises Transient then."""
        if self._named and not self._is_shown and self.rehearse() is False:
            raise Transient(f"Redshift: {self._named[0].reason}")
        for bad in self._named:
            self._reject(bad.file, bad.reason)
        self._is_shown |= bool(self._named)
        self._named.clear()

    def _divide(self, part: list[File], failure: Unexplained) -> None:
        """Let the halves of a part be loaded, at the end of the line, so that a sound one is soon.

        What cannot be halved is tried once more, and is then at fault.
        """
        _report(part, failure)
        can_load = self.rehearse()
        self._is_shown |= can_load is True
        self._fruitless += can_load is None
        middle = len(part) // 2
        if can_load is False or self._fruitless >= FRUITLESS_TRIES:
            raise failure.error
        if middle:
            self._parts += [part[:middle], part[middle:]]
        elif part[0] not in self._failed_alone:
            self._failed_alone.add(part[0])
            self._parts.append(part)
        elif can_load:
            self._reject(part[0], f"{part[0].url}: {failure.reason}")
        elif self._parts:
            self._parts.append(part)
        else:
            raise failure.error

    def _reject(self, file: File, reason: str) -> None:
        self.waiting = [one for one in self.waiting if one != file]
        self.rejected.append(RejectedFile(file, reason))


def _report(part: Sequence[File], failure: Unexplained) -> None:
    what = part[0].url if len(part) == 1 else f"{len(part)} files together"
    log.warning(
        *("not loaded: %s; nothing says whose fault it is: %s", what, failure.reason),
        extra=NOT_LOADED.of(files=len(part), reason=failure.reason),
    )
