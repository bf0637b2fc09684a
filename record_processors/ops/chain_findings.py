"""What is wrong with the chains, in words, with what mends it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress

from ..aws.bucket import Bucket
from ..aws.failures import Missing
from ..config.setting import Settings
from ..errors import counted
from ..flow.record import Position
from .chain import BeganAnew, Chain, Gap, Overlap, Seen, Stray
from .file_listing import FileListing
from .places import is_between, just_before
from .remedies import replay_records, set_aside
from .report import Finding
from .scratch import Scratch, ordered


class ChainFindings:
    """Names what the chains lack, and what they have too much."""

    def __init__(
        self,
        settings: Settings,
        listing: FileListing,
        scratch: Scratch,
        look: Callable[[int, str], Seen],
    ) -> None:
        self.settings = settings
        self.listing = listing
        self.bucket: Bucket = listing.bucket
        self.scratch = scratch
        self.look = look

    def faults(self, chains: Iterable[Chain]) -> Iterator[Finding]:
        """Yield what the chains show by themselves, and the ledger does not name."""
        for chain in chains:
            for fault in chain.faults:
                if isinstance(fault, Gap):
                    yield from self._gap(chain.shard, fault)
                elif isinstance(fault, BeganAnew):
                    yield self._anew(chain.shard, fault)
                elif isinstance(fault, Overlap):
                    yield self._overlap(chain.shard, fault)
                else:
                    yield self._stray(fault)

    def unexplained(self, chains: Sequence[Chain]) -> Iterator[Finding]:
        """Yield where a checkpoint lies behind a file, and no letter says why.

        Only of pipelines whose accounts tell of no filtered record: else such a one may be why.
        """
        if any(chain.filtered for chain in chains):
            return
        for chain in chains:
            for before, checkpoint, after in chain.passed_over:
                place = (chain.shard, ordered(before.last), ordered(checkpoint))
                where = "WHERE shard = ? AND first > ? AND first <= ?"
                if not self.scratch.count(
                    f"SELECT (SELECT count(*) FROM gaps {where}) + "  # noqa: S608
                    f"(SELECT count(*) FROM refused {where})",
                    *place,
                    *place,
                ):
                    what = "one file or more is missing, or all records were filtered,"
                    yield self._between("missing", chain.shard, before, after, checkpoint, what)

    def _gap(self, shard: str, gap: Gap) -> Iterator[Finding]:
        begin = gap.before.last if gap.before else None
        span = (shard, ordered(begin) if begin else "", ordered(gap.after.first))
        named = self.scratch.count(
            "SELECT count(*) FROM gaps WHERE shard = ? AND first > ? AND first < ?", *span
        )
        loaded = list(self.scratch.loaded_ranges(*span))
        if gap.files <= named or any(is_between(last) for _, last in loaded):
            return  # the ledger names all, or one that was made in the place of any number
        lacking = gap.files - named
        what = f"{counted(lacking, 'file')} {'is' if lacking == 1 else 'are'} missing"
        found = self._between("missing", shard, gap.before, gap.after, None, what)
        covered = sorted(
            [(seen.first, seen.last, seen.begins_after) for seen in self._files(*span)]
            + [(first, last, "") for first, last in loaded]
        )
        commands = [
            replay_records(self.settings, shard, after, through)
            for after, through in _pieces(begin, covered)
        ]
        yield found._replace(commands=tuple(commands))

    def _files(self, shard: str, begin: str, end: str) -> Iterator[Seen]:
        """Look at the files of a shard that begin between, and at that which begins at the end."""
        rows = self.scratch.rows(
            "SELECT number, key FROM files WHERE shard = ? AND first > ? AND first <= ?",
            shard,
            begin,
            end,
        )
        for number, key in rows:
            with suppress(Missing):  # it was moved since the listing
                yield self.look(int(str(number)), str(key))

    def _anew(self, shard: str, fault: BeganAnew) -> Finding:
        what = f"a life began at {fault.after.since} with files there: nobody knows what lay"
        return self._between("began anew", shard, fault.before, fault.after, None, what)

    def _between(
        self,
        kind: str,
        shard: str,
        before: Seen | None,
        after: Seen | None,
        checkpoint: Position | None,
        what: str,
    ) -> Finding:
        begin = before.last if before else None
        names = [self._named(one) for one in (before, after) if one]
        said = f"{what} between {' and '.join([*names, *([] if after else ['the checkpoint'])])}"
        if before is None:
            said = f"{what} before {names[0]}"
        through = checkpoint or (just_before(after.first) if after else None)
        assert through is not None  # noqa: S101 - one of both is there
        self.scratch.add_gap(shard, through, f"{shard}: {said}")
        return Finding(kind, shard, said, (replay_records(self.settings, shard, begin, through),))

    def _overlap(self, shard: str, fault: Overlap) -> Finding:
        extra, other = fault
        url = self.bucket.url(extra.key)
        self.scratch.keep_out(extra.key)
        commands = [set_aside(self.settings, url, self.listing.folder)]
        # What only the extra one covers, up to where the next one begins.
        through = extra.last
        if (next_one := self.scratch.first_after(shard, other.last, extra.number)) is not None:
            through = min(through, just_before(next_one))
        if through > other.last:
            commands.append(replay_records(self.settings, shard, other.last, through))
        covered = f"covers {extra.first} to {extra.last}"
        said = f"{covered}; {self._named(other)} {other.first} to {other.last}"
        return Finding("overlap", url, said, tuple(commands))

    def _stray(self, fault: Stray) -> Finding:
        url = self.bucket.url(fault.extra.key)
        self.scratch.keep_out(fault.extra.key)
        said = "no life of the pipeline has written it, or found it in its place"
        return Finding("stray", url, said, (set_aside(self.settings, url, self.listing.folder),))

    def _named(self, seen: Seen) -> str:
        return self.bucket.url(seen.key)


def _pieces(
    end: Position | None, covered: Iterable[tuple[Position, Position, str]]
) -> Iterator[tuple[Position | None, Position]]:
    """Yield what lies between: behind which place, and through which.

    ``covered`` are the first and last position of each file, and behind which it is the first one:
    between there and it, nothing lies. No file that is made again may cover anything of what is
    loaded.
    """
    for first, last, after in covered:
        begin = just_before(first)
        if (end is None or end < begin) and after != str(end):
            yield end, begin
        end = last if end is None else max(end, last)
