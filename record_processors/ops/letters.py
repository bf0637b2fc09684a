"""The dead letters of a pipeline: counted by reason, and shown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ..config.setting import Settings
from ..flow.letter import StoredLetter
from ..flow.record import Position
from .batches import Wanted
from .letter_files import LetterFile, LetterFiles, Mark
from .overlaps import with_overlapping
from .reasons import Groups


class Found(NamedTuple):
    """One letter, where it is, and when it was written; ``mark`` is its file's, if it has one."""

    letter: StoredLetter
    file: LetterFile
    url: str
    mark: Mark | None

    @property
    def settled(self) -> str:
        """Why it is never to be put back; "" if it is not settled."""
        return self.mark.settled.why if self.mark and self.mark.settled else ""


class Which:
    """The letters at a position, or of a file of letters by its key or URL."""

    def __init__(self, what: str, files: LetterFiles) -> None:
        self.what = what
        self.key = what.removeprefix(f"s3://{files.bucket.name}/")
        try:
            self.position: Position | None = Position.parse(what)
        except ValueError:
            self.position = None

    def may_be_in(self, file: LetterFile) -> bool:
        """Whether a file is that one, or may hold the position."""
        if self.position is None:
            return file.key == self.key
        return (covered := file.range) is None or covered.first <= self.position <= covered.last

    def has(self, letter: StoredLetter) -> bool:
        """Whether a letter of such a file is meant."""
        return self.position is None or letter.position == self.what


def letters(settings: Settings, wanted: Wanted) -> Iterator[Found]:
    """Return the letters that are wanted, a shard's position once. Raises Fatal.

    What is in memory does not grow with their number.
    """
    files = LetterFiles(settings)
    young = (
        (file, near) for file, near in with_overlapping(files.walk()) if wanted.may_be_in(file)
    )
    for file, near, (mark, found) in files.read_ahead(young, lambda one: _read(files, one)):
        told = {
            letter.position
            for other in near
            if _comes_first(other, file) and wanted.may_be_in(other)
            for letter in files.read(other)
        }
        for letter in found:
            if letter.position is not None and not letter.file:
                if letter.position in told:
                    continue
                told.add(letter.position)
            if wanted.has(letter):
                yield Found(letter, file, files.bucket.url(file.key), mark)


def _read(files: LetterFiles, file: LetterFile) -> tuple[Mark | None, list[StoredLetter]]:
    return files.mark_of(file.key) if file.is_redriven else None, files.read(file)


def _comes_first(other: LetterFile, file: LetterFile) -> bool:
    """Which of two files tells of a letter that both have: one that is put back, or the first."""
    return (not other.is_redriven, other.key) < (not file.is_redriven, file.key)


def summary(settings: Settings, wanted: Wanted) -> Groups:
    """Count the letters that are wanted, by stage and reason."""
    groups = Groups()
    for found in letters(settings, wanted):
        letter, file, settled = found.letter, found.file, found.settled
        when = file.modified.isoformat(timespec="seconds").replace("+00:00", "Z")
        is_redriven = file.is_redriven and not settled
        about = letter.stage, letter.reason, found.url, when
        groups.add(*about, is_redriven=is_redriven, settled=settled)
    return groups


def shown(settings: Settings, what: str) -> Iterator[Found]:
    """Return the letters at a position, or of a file of letters by its key or URL. Raises Fatal."""
    files = LetterFiles(settings)
    which = Which(what, files)
    for file in files.walk():
        if which.may_be_in(file):
            mark, found = _read(files, file)
            for letter in filter(which.has, found):
                yield Found(letter, file, files.bucket.url(file.key), mark)


def as_text(data: bytes) -> str:
    """Return bytes as text: what is no text, or would move a terminal's cursor, as escapes."""
    text = data.decode(errors="backslashreplace")
    return "".join(
        each if each.isprintable() or each == "\n" else each.encode("unicode_escape").decode()
        for each in text
    )
