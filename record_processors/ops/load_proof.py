"""Whether each file of a listing is in the table once, or why it is not yet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from ..config.keys import S3_BUCKET
from ..config.setting import Settings
from ..errors import Rejected
from ..files.message import read_message
from ..flow.letter import StoredLetter
from ..flow.record import Position
from .file_listing import Listed
from .letter_files import LetterFile, LetterFiles
from .scratch import KEPT_OUT, LOADED, LOST, WAITING, Scratch, position


class MissingFile(NamedTuple):
    """A file that the ledger has, and S3 has not."""

    key: str
    shard: str
    first: Position
    last: Position


class OpenLetters(NamedTuple):
    """Letters of one object that were not put back, and are still of something."""

    settings: Settings
    key: str
    letters: int
    reason: str


class Letters:
    """What the letters say of files, rows and records; what of them is open.

    The letter of a file is open while the file is in S3 and not in the table. Where the file is
    gone too, its chain has a gap, or others cover what it covered. The letter of a row is open if
    its file is in the table, of a record always; each until it is put back.
    """

    def __init__(self, scratch: Scratch, holds: Callable[[int], bool]) -> None:
        self.scratch = scratch
        self.holds = holds  # whether an arrival is one that is asked about
        self.records = 0
        self.rows = 0

    def open_ones(self, settings: Settings) -> Iterator[OpenLetters]:
        """Yield what is open of a pipeline's letters; note which files are kept out by one."""
        files = LetterFiles(settings)
        for file in files.walk():
            count, reason = 0, ""
            for letter in files.read(file):
                if self._is_open(letter, settings, file):
                    count, reason = count + 1, reason or f"{letter.stage}: {letter.reason}"
            if count:
                yield OpenLetters(settings, file.key, count, reason)

    def _is_open(self, letter: StoredLetter, settings: Settings, file: LetterFile) -> bool:
        scratch = self.scratch
        if letter.file is not None:
            of_row = letter.file.removeprefix(scratch.prefix)
            counts = scratch.is_loaded(of_row) and scratch.is_listed(of_row)
            self.rows += counts
        elif (key := _announced_key(letter, settings)) is not None:
            if scratch.is_kept_out(key):
                return False  # as its chain says, and what is to be done
            counts = scratch.is_listed(key) and not scratch.is_loaded(key)
            if counts and not file.is_redriven:
                scratch.keep_out(key)
        else:
            counts = self.holds(letter.arrival)
            if letter.shard and letter.position:
                scratch.add_refused(letter.shard, Position.parse(letter.position))
            self.records += counts
        return counts and not file.is_redriven


def _announced_key(letter: StoredLetter, settings: Settings) -> str | None:
    """Return the key of the file that a letter's data announce; None if they are a record's."""
    if letter.stage != "load":
        return None
    try:
        return read_message(letter.data, settings[S3_BUCKET]).key
    except Rejected:
        return None


def settle(scratch: Scratch, since: float) -> dict[int, int]:
    """Give each file its state; return how many there are of each.

    What was written after ``since`` may be about to be announced.
    """
    db = scratch.db
    db.execute(
        "UPDATE files SET state = CASE "
        "WHEN key IN (SELECT key FROM loaded) THEN ? "
        "WHEN key IN (SELECT key FROM kept_out) THEN ? "
        "WHEN written > ? OR key IN (SELECT key FROM announced) THEN ? ELSE ? END",
        (LOADED, KEPT_OUT, since, WAITING, LOST),
    )
    return dict(db.execute("SELECT state, count(*) FROM files GROUP BY state").fetchall())


def missing(
    scratch: Scratch, read: Callable[[str], Listed | None], is_asked: Callable[[Listed], bool]
) -> Iterable[MissingFile]:
    """Yield what the ledger has of these hours and S3 has not, in the order of the shards.

    Files with no range have no place in a chain, and are left out.
    """
    rows = scratch.rows(
        "SELECT key, shard, first, last FROM loaded WHERE first IS NOT NULL AND last IS NOT NULL "
        "AND NOT EXISTS (SELECT 1 FROM files WHERE files.key = loaded.key) ORDER BY shard, first"
    )
    for key, shard, first, last in rows:
        listed = read(str(key))
        if listed is not None and is_asked(listed):
            yield MissingFile(str(key), str(shard), position(str(first)), position(str(last)))
