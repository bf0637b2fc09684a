"""What files cover of their chain: which overlap, and which stand near each other."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ...files.file import ChainName, File
from ...flow.record import Position

# More than one span of a chain only if files of long ago are among new ones, which must not make
# the ledger tell of all between.
MOST_SPANS = 4


class _Range(NamedTuple):
    first: Position
    last: Position
    file: File


class Ranges:
    """What is loaded, or about to be, by chain: ranges in order, by both of their ends."""

    def __init__(self, files: Iterable[File]) -> None:
        self._by_chain: dict[ChainName, list[_Range]] = {}
        for file in sorted((file for file in files if file.chain), key=lambda file: file.covered):
            self.add(file)

    def add(self, file: File) -> None:
        """Take in a file that overlaps none, or begins no sooner than all; one without range not.

        What lies within another takes nothing that is not taken.
        """
        if (chain := file.chain) is not None:
            ranges = self._by_chain.setdefault(chain, [])
            first, last = file.covered
            at = bisect_right(ranges, first, key=_first)
            if not at or ranges[at - 1].last < last:
                ranges.insert(at, _Range(first, last, file))

    def overlapping(self, file: File) -> File | None:
        """Return a file whose range has a position in common with this one's."""
        if (chain := file.chain) is None:
            return None
        first, last = file.covered
        ranges = self._by_chain.get(chain, [])
        at = bisect_right(ranges, last, key=_first)
        # Of those that begin in time it is the one that ends last.
        return ranges[at - 1].file if at and ranges[at - 1].last >= first else None


def _first(taken: _Range) -> Position:
    return taken.first


def spans(files: Iterable[File]) -> Iterator[tuple[ChainName, int, int]]:
    """Return the sequence numbers from and to which a chain's files reach, near ones together."""
    by_chain: dict[ChainName, list[tuple[int, int]]] = {}
    for file in files:
        if (chain := file.chain) is not None:
            (first, _), (last, _) = file.covered
            by_chain.setdefault(chain, []).append((first, last))
    for chain, ranges in by_chain.items():
        low, high = min(ranges)
        whole = max(last for _, last in ranges) - low
        for first, last in sorted(ranges):
            if (first - high) * MOST_SPANS > whole:
                yield chain, low, high
                low = first
            high = max(high, last)
        yield chain, low, high


def differ(file: File, loaded: File) -> bool:
    """Whether both say what they cover, and not the same."""
    if None in (file.first, file.last, loaded.first, loaded.last):
        return False
    return file.covered != loaded.covered
