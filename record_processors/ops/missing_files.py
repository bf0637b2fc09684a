"""Files that are known of and are not in S3: in words, with what makes them again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

from ..aws.failures import Denied, Missing
from ..config.setting import Settings
from ..flow.record import Position
from .chain import Seen
from .file_listing import FileListing, batch_of
from .load_proof import MissingFile
from .places import just_before
from .remedies import aside, replay_file, replay_records
from .report import Finding
from .scratch import Scratch, ordered, position


class MissingFiles:
    """Names each file that the ledger, a message, a letter or a batch has, and S3 has not."""

    def __init__(
        self,
        settings: Settings,
        listing: FileListing,
        scratch: Scratch,
        look: Callable[[int, str], Seen],
    ) -> None:
        self.settings = settings
        self.listing = listing
        self.bucket = listing.bucket
        self.scratch = scratch
        self.look = look

    def found(self, files: Iterable[MissingFile]) -> Iterator[Finding]:
        """Yield what is wrong, and note where in a chain it is."""
        for file in files:
            url = self.bucket.url(file.key)
            if batch_of(file.shard):
                remedies = [replay_file(self.settings, url)]
            else:
                self.scratch.add_gap(file.shard, file.first, f"{url}: {file.how}, and not in S3")
                remedies = self._as_it_was(file)
            place = f"{file.first} to {file.last} of {file.shard}"
            said = f"{file.how}, and not in S3 any more: {place}"
            yield Finding("missing", url, said, tuple(remedies))

    def _as_it_was(self, file: MissingFile) -> list[str]:
        """Make a file again from its own first record on; and before, what nobody knows of."""
        begin = just_before(file.first)
        own = replay_records(self.settings, file.shard, begin, file.last)
        before = self._end_before(file)
        if before is None or before >= begin:
            return [own]
        return [replay_records(self.settings, file.shard, before, begin), own]

    def is_elsewhere(self, file: MissingFile) -> bool:
        """Whether another file has what one had that was never loaded, or it was set aside."""
        if (end := self._end_before(file, or_at=True)) and end >= file.last:
            return True
        try:
            self.bucket.head(aside(file.key, self.listing.folder))
        except (Missing, Denied):
            return False
        return True

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
