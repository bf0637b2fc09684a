"""Whether each file of a listing is in the table once, or why it is not yet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import NamedTuple

from ..config.keys import S3_BUCKET
from ..config.setting import Settings
from ..errors import Rejected
from ..files.file import File
from ..files.message import read_message
from ..flow.letter import StoredLetter
from ..flow.record import Position
from .file_listing import Listed
from .hours import HOUR, Hours, hour_at
from .letter_files import LetterFile, LetterFiles
from .scratch import KEPT_OUT, LOADED, LOST, WAITING, Scratch, position


class MissingFile(NamedTuple):
    """A file that S3 has not, though the ledger has it, or a message or a letter names it."""

    key: str
    shard: str
    first: Position
    last: Position
    how: str


class OpenLetters(NamedTuple):
    """Letters of one object that were not put back, and are still of something."""

    settings: Settings
    key: str
    letters: int
    reason: str


class Letters:
    """What the letters say of files, rows and records; what of them is open.

    The letter of a file is open while the file is in S3 and not in the table. Where the file is
    gone too, it is missing, unless others cover what it covered. The letter of a row is open if
    its file is in the table, of a record always; each until it is put back.
    """

    def __init__(self, scratch: Scratch, hours: Hours) -> None:
        self.scratch = scratch
        self.hours = hours  # of arrival, that are asked about
        self.records = 0
        self.rows = 0

    def read(self, settings: Settings) -> None:
        """Take in what is open of a pipeline's letters."""
        files = LetterFiles(settings)
        counts = ((file, ()) for file in files.walk() if self._may_count(file))
        for file, _, (letters, is_settled) in files.read_ahead(counts, partial(_read, files)):
            count, reason = 0, ""
            for letter in letters:
                said = f"{letter.stage}: {letter.reason}"
                if (whole := _announced(letter, settings)) is not None:
                    if is_settled:
                        self.scratch.keep_out(whole.url.removeprefix(self.scratch.prefix))
                    elif not file.is_redriven:
                        self._add(settings, file, whole.url, 1, said)
                        self.scratch.add_by_letter(whole)
                elif self._is_open(letter, file):
                    count, reason = count + 1, reason or said
            if count:
                self._add(settings, file, None, count, reason)

    def _may_count(self, file: LetterFile) -> bool:
        """Whether it may be of the hours: all that it tells of had arrived when it was written."""
        begin = self.hours.begin
        return begin is None or file.modified >= begin - HOUR  # as clocks differ

    def open_ones(self, settings: Settings) -> Iterator[OpenLetters]:
        """Yield them by objects; note which files are kept out by one, and by nothing else."""
        scratch = self.scratch
        scratch.db.execute(
            "DELETE FROM letters WHERE file IN (SELECT key FROM kept_out) "  # as its chain says
            "OR file IN (SELECT key FROM loaded) OR file NOT IN (SELECT key FROM files)"
        )
        rows = scratch.rows(
            "SELECT object, sum(letters), reason FROM letters WHERE path = ? "
            "GROUP BY object ORDER BY min(rowid)",
            settings.path,
        )
        for key, count, reason in rows:
            yield OpenLetters(settings, str(key), int(str(count)), str(reason))

    def keep_out(self) -> None:
        """Note which files are kept out by a letter."""
        self.scratch.db.execute(
            "INSERT OR IGNORE INTO kept_out SELECT file FROM letters WHERE file IS NOT NULL"
        )

    def _add(
        self, settings: Settings, file: LetterFile, url: str | None, count: int, said: str
    ) -> None:
        key = url and url.removeprefix(self.scratch.prefix)
        self.scratch.db.execute(
            "INSERT INTO letters VALUES (?, ?, ?, ?, ?)",
            (file.key, settings.path, key, count, said),
        )

    def _is_open(self, letter: StoredLetter, file: LetterFile) -> bool:
        scratch = self.scratch
        if letter.file is not None:
            of_row = letter.file.removeprefix(scratch.prefix)
            counts = scratch.is_loaded(of_row) and scratch.is_listed(of_row)
            self.rows += counts
        else:
            counts = self.hours.holds(hour_at(letter.arrival / 1000))
            if letter.shard and letter.position:
                scratch.add_refused(letter.shard, Position.parse(letter.position))
            self.records += counts
        return counts and not file.is_redriven


def _read(files: LetterFiles, file: LetterFile) -> tuple[list[StoredLetter], bool]:
    """Return the letters of a file, and whether they are settled: only of a load is that asked."""
    letters = files.read(file)
    is_load = file.is_redriven and any(map(_is_load, letters))
    return letters, is_load and files.mark_of(file.key).settled is not None


def _is_load(letter: StoredLetter) -> bool:
    return letter.stage == "load" and letter.file is None


def _announced(letter: StoredLetter, settings: Settings) -> File | None:
    """Return the file that a letter's data announce; None if they are a record's, or a row's."""
    if not _is_load(letter):
        return None
    try:
        return read_message(letter.data, settings[S3_BUCKET])
    except Rejected:
        return None


def settle(scratch: Scratch, since: float) -> None:
    """Give each file its state.

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


def states(scratch: Scratch, which: str) -> dict[int, int]:
    """Return how many files there are of each state, of the chains or of those redriven."""
    sql = f"SELECT state, count(*) FROM files WHERE {which} GROUP BY state"  # noqa: S608
    return dict(scratch.db.execute(sql).fetchall())


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
            ends = position(str(first)), position(str(last))
            yield MissingFile(str(key), str(shard), *ends, "is loaded")


def never_loaded(
    scratch: Scratch, read: Callable[[str], Listed | None], hours: Hours
) -> Iterator[MissingFile]:
    """Yield what messages and letters name of these hours, and neither S3 nor the ledger has."""
    rows = scratch.rows(
        "SELECT key, last, max(by_letter) FROM announced "
        "WHERE NOT EXISTS (SELECT 1 FROM files WHERE files.key = announced.key) "
        "AND NOT EXISTS (SELECT 1 FROM loaded WHERE loaded.key = announced.key) "
        "GROUP BY key ORDER BY min(first), key"
    )
    for key, last, by_letter in rows:
        listed = read(str(key))
        if listed is not None and hours.holds(listed.hour):
            end = position(str(last)) if last else listed.first
            how = "could not be loaded, says a letter" if by_letter else "is announced"
            yield MissingFile(listed.key, listed.shard, listed.first, end, how)
