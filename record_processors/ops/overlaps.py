"""Which files of letters may hold the same positions: found while their keys stream by."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from ..flow.record import Position
from .letter_files import LetterFile, Range

SHORTEST = 10**55  # of Kinesis' sequence numbers, which begin with 49: they have 56 digits


def with_overlapping(
    files: Iterable[LetterFile],
) -> Iterator[tuple[LetterFile, list[LetterFile]]]:
    """Return each file, in order, with the others whose range has a position in common with it.

    Lives that begin at different places may write the same letters into files that are cut at
    different places. ``files`` come in the order of their keys; what is kept in memory are those of
    a shard between which a range reaches.
    """
    window = _Window()
    for file in files:
        yield from window.add(file)
    yield from window.close()


class _Window:
    """The files of one shard: those that wait for what may overlap them, and those behind them."""

    def __init__(self) -> None:
        self.shard = ""
        self.waiting: deque[tuple[LetterFile, Range]] = deque()
        self.behind: list[tuple[LetterFile, Range]] = []

    def add(self, file: LetterFile) -> Iterator[tuple[LetterFile, list[LetterFile]]]:
        """Take in a file; return those for which nothing is to be waited for any more."""
        if (covered := file.range) is None:
            yield file, []
            return
        if covered.shard != self.shard:
            yield from self.close()
            self.shard = covered.shard
        while self.waiting and _is_past(self.waiting[0][1].last, covered.first):
            yield self._released()
        self.waiting.append((file, covered))

    def close(self) -> Iterator[tuple[LetterFile, list[LetterFile]]]:
        """Return the rest of the shard."""
        while self.waiting:
            yield self._released()
        self.behind = []

    def _released(self) -> tuple[LetterFile, list[LetterFile]]:
        file, (_, first, last) = self.waiting.popleft()
        self.behind = [one for one in self.behind if not _is_past(one[1].last, first)]
        near = [*self.behind, *self.waiting] if first < last else self._wide()
        found = [one for one, other in near if other.first <= last and first <= other.last]
        self.behind.append((file, Range(self.shard, first, last)))
        return file, found

    def _wide(self) -> list[tuple[LetterFile, Range]]:
        """Return those of several positions: two of one position each have it in common never."""
        return [one for one in (*self.behind, *self.waiting) if one[1].first < one[1].last]


def _is_past(last: Position, first: Position) -> bool:
    """Whether what ends at ``last`` is behind all files that begin at ``first`` or come later.

    Keys are in the order of text, which is that of numbers if they all have one length, as Kinesis'
    have. Where they are not Kinesis', nothing is past: the whole shard is kept in memory.
    """
    return SHORTEST <= last.sequence < first.sequence
