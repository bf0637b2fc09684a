"""Whether all files of a shard are there, by looking at few of them.

Each file says after which checkpoint the life began that wrote it, and which file since then it is
(``flow/account.py``). So the last file of a life says how many there must be: they are counted in
the listing, and the last file before that life says the same of the life before. Only where the
numbers do not agree, the files between are looked at, by halves, until each gap has its two edges.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..flow.account import Account
from ..flow.record import Position
from .chain import BeganAnew, Chain, Fault, Gap, Overlap, PassedOver, Seen, Stray, meets
from .scratch import Scratch

FEW = 8  # files, which are looked at one by one
MOST_SILENT = 5  # files in a row that say nothing: those before are of a version that did not


class ChainProof:
    """Proves the chains of one listing. ``look`` returns what the metadata of a key say."""

    def __init__(self, scratch: Scratch, look: Callable[[int, str], Seen]) -> None:
        self.scratch = scratch
        self.look = look
        self.chain = Chain("", 0)
        self.low = 0

    def run(self, shard: str, low: int, high: int) -> Chain:
        """Prove the chain of the files from ``low`` to ``high``, life by life, from its end."""
        self.chain, self.low = Chain(shard, high - low + 1), low
        after: Seen | None = None
        since = ""
        silent, at = 0, high
        while at >= low and silent < MOST_SILENT:
            last = self._seen(at)
            self.chain.end = self.chain.end or last
            if after:
                self._join(last, after, since)
            if last.account is None:
                silent += 1
                after, since = last, ""
            else:
                self.chain.silent += silent
                silent = 0
                after, since = self._life(last), last.since
            at = after.number - 1
        self.chain.silent += silent + max(0, at - low + 1)
        self.chain.begins = since if after and after.number == low else ""
        self.chain.faults.reverse()
        return self.chain

    def _seen(self, number: int) -> Seen:
        self.chain.looked_at += 1
        return self.look(number, self.scratch.key(number))

    def _life(self, last: Seen) -> Seen:
        """Prove the files that a life has known, of which ``last`` is the last; return the first.

        What it found, an earlier life has numbered: so its own first one is looked for.
        """
        chain, account = self.chain, last.account
        assert account is not None  # noqa: S101 - for the type
        start = max(self.low, self._start(account, last))
        own = self._own(start, last)
        lacking = own.place - (own.number - start + 1)
        before: Account | None = None
        if lacking > 0 and start == self.low:
            chain.older, before = chain.older + lacking, own.account
        elif lacking:
            self._compare(lacking, own, start)
        self._between(own, last)
        chain.lives += 1
        chain.count(account, before)
        return own if own.number == start else self._seen(start)

    def _own(self, start: int, last: Seen) -> Seen:
        """Return a file that a life has numbered itself, the first if it found some before."""
        own = last
        low, middle = start, start
        while low < own.number:
            seen = self._seen(middle)
            if seen.since == last.since:
                own = seen
            else:
                low = middle + 1
            middle = low + (own.number - low) // 2
        return own

    def _start(self, account: Account, last: Seen) -> int:
        """Return the number of the first listed file that a life has known."""
        if account.since[:1].isdigit():
            found = self.scratch.number_after(self.chain.shard, Position.parse(account.since))
            return last.number if found is None else min(found, last.number)
        return last.number - account.files + 1

    def _compare(self, lacking: int, own: Seen, start: int) -> None:
        """Say what is wrong before the first file of a life's own."""
        if lacking > 0:
            before = [self._seen(own.number - 1)]
            while before[-1].is_made_again and before[-1].number > start:
                before.append(self._seen(before[-1].number - 1))
            self.chain.faults += self._gap([*reversed(before), own], lacking)
        elif own.number > start:
            self._walk([*map(self._seen, range(start, own.number)), own])

    def _between(self, low: Seen, high: Seen) -> None:
        """Find what is missing, or too much, between two files of the same life."""
        apart = high.number - low.number
        if high.place - low.place == apart:
            return
        if apart <= FEW:
            between = map(self._seen, range(low.number + 1, high.number))
            self._walk([low, *between, high])
            return
        middle = low.number + apart // 2
        for number in (middle, middle + 1, middle - 1):
            seen = self._seen(number)
            if seen.since == low.since:
                self._between(seen, high)
                self._between(low, seen)
                return
        self._walk([low, *map(self._seen, range(low.number + 1, high.number)), high])

    def _walk(self, files: list[Seen]) -> None:
        """Compare each file with the one before it; the first and the last are of one life."""
        faults: list[Fault] = []
        before, *rest = files
        since, count = before.since, before.place
        unnumbered: Seen | None = None
        made_again = [before]  # and the file before them
        for file in rest:
            if file.first <= before.last:
                is_next = file.since == since and file.place == count
                extra, other = self._extra(before, file, before if is_next else file)
                faults.append(Overlap(extra, other))
                before, made_again = other, [other]
                continue
            count += 1
            if file.since == since:
                if file.place > count:
                    faults += self._gap([*made_again, file], file.place - count)
                elif file.place < count and unnumbered:
                    faults.append(Stray(unnumbered))
                count = file.place
            else:
                unnumbered = file
            made_again = [*made_again, file] if file.is_made_again else [file]
            before = file
        self.chain.faults += reversed(faults)

    def _gap(self, files: list[Seen], lacking: int) -> Iterator[Gap]:
        """Yield that so many are missing between the first and the last of these, if that is so.

        Those between were made again. One that ends between records was made in the place of any
        number of files; but the next one must begin just there.
        """
        *before, after = files
        if meets(before[-1], after):
            return
        if before[-1].is_between:
            yield Gap(before[0], after, 1)
        elif not any(one.is_between for one in before):
            yield Gap(before[0], after, lacking)

    def _join(self, before: Seen, after: Seen, since: str) -> None:
        """Compare the first file of a life that began with ``since`` with the last one before."""
        chain = self.chain
        if after.first <= before.last:
            chain.faults.append(Overlap(*self._extra(before, after, after)))
        elif not since or meets(before, after) or after.since == str(before.last):
            return
        elif before.is_between:  # the file that began just there is not there
            chain.faults.append(Gap(before, after, 1))
        elif after.is_made_again and not after.is_between:
            return  # as it was, and so was all before it
        elif not since[:1].isdigit():
            chain.faults.append(BeganAnew(before, after))
        elif Position.parse(since) > before.last:
            chain.passed_over.append(PassedOver(before, Position.parse(since), after))

    def _extra(self, before: Seen, after: Seen, by_place: Seen) -> tuple[Seen, Seen]:
        """Say which of two that overlap is too much: what the table has not, or ``by_place``."""
        loaded = [self.scratch.is_loaded(one.key) for one in (before, after)]
        extra = by_place if loaded[0] == loaded[1] else before if loaded[1] else after
        return (before, after) if extra is before else (after, before)
