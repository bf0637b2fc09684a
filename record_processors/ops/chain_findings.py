"""What is wrong with the chains, in words, with what mends it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress

from ..aws.bucket import Bucket
from ..aws.failures import Denied, Missing
from ..config.setting import Settings
from ..errors import counted
from ..flow.record import Position
from .chain import BeganAnew, Chain, Gap, Overlap, Seen, Stray
from .file_listing import FileListing, batch_of
from .load_proof import MissingFile
from .places import just_before
from .remedies import aside, replay_file, replay_records, set_aside
from .report import Found
from .scratch import Scratch, ordered, position


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

    def missing(self, files: Iterable[MissingFile]) -> Iterator[Found]:
        """Yield files that are known of and are not in S3; note where they were."""
        for file in files:
            url = self.bucket.url(file.key)
            if batch_of(file.shard):
                remedy = replay_file(self.settings, url)
            else:
                self.scratch.add_gap(file.shard, file.first, f"{url}: {file.how}, and not in S3")
                begin = self._end_before(file)
                remedy = replay_records(self.settings, file.shard, begin, file.last)
            place = f"{file.first} to {file.last} of {file.shard}"
            said = f"{file.how}, and not in S3 any more: {place}"
            yield Found("missing", url, said, (remedy,))

    def is_elsewhere(self, file: MissingFile) -> bool:
        """Whether another file has what one had that was never loaded, or it was set aside."""
        if (end := self._end_before(file, or_at=True)) and end >= file.last:
            return True
        try:
            self.bucket.head(aside(file.key, self.listing.folder))
        except (Missing, Denied):
            return False
        return True

    def faults(self, chains: Iterable[Chain]) -> Iterator[Found]:
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

    def unexplained(self, chains: Sequence[Chain]) -> Iterator[Found]:
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

    def _gap(self, shard: str, gap: Gap) -> Iterator[Found]:
        begin = gap.before.last if gap.before else None
        named = self.scratch.count(
            "SELECT count(*) FROM gaps WHERE shard = ? AND first > ? AND first < ?",
            shard,
            ordered(begin) if begin else "",
            ordered(gap.after.first),
        )
        if (lacking := gap.files - named) > 0:
            what = f"{counted(lacking, 'file')} {'is' if lacking == 1 else 'are'} missing"
            yield self._between("missing", shard, gap.before, gap.after, None, what)

    def _anew(self, shard: str, fault: BeganAnew) -> Found:
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
    ) -> Found:
        begin = before.last if before else None
        names = [self._named(one) for one in (before, after) if one]
        said = f"{what} between {' and '.join([*names, *([] if after else ['the checkpoint'])])}"
        if before is None:
            said = f"{what} before {names[0]}"
        through = checkpoint or (just_before(after.first) if after else None)
        assert through is not None  # noqa: S101 - one of both is there
        self.scratch.add_gap(shard, through, f"{shard}: {said}")
        return Found(kind, shard, said, (replay_records(self.settings, shard, begin, through),))

    def _overlap(self, shard: str, fault: Overlap) -> Found:
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
        return Found("overlap", url, said, tuple(commands))

    def _stray(self, fault: Stray) -> Found:
        url = self.bucket.url(fault.extra.key)
        self.scratch.keep_out(fault.extra.key)
        said = "no life of the pipeline has written it, or found it in its place"
        return Found("stray", url, said, (set_aside(self.settings, url, self.listing.folder),))

    def _end_before(self, file: MissingFile, *, or_at: bool = False) -> Position | None:
        """Return where the last file before it ends, in S3 or in the ledger; None if none is.

        With ``or_at`` also one that begins where it began, or covers some of it.
        """
        than = "<=" if or_at else "<"
        where = f"WHERE shard = ? AND first {than} ? ORDER BY first DESC LIMIT 1"
        place = (file.shard, ordered(file.first))
        ends = [
            position(str(last))
            for (last,) in self.scratch.rows(f"SELECT last FROM loaded {where}", *place)  # noqa: S608
        ]
        for number, key in self.scratch.rows(f"SELECT number, key FROM files {where}", *place):  # noqa: S608
            with suppress(Missing):  # it was moved since the listing: then one before it
                ends.append(self.look(int(str(number)), str(key)).last)
        return max((end for end in ends if or_at or end < file.first), default=None)

    def _named(self, seen: Seen) -> str:
        return self.bucket.url(seen.key)
