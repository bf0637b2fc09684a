"""The dead letters of a pipeline: counted by reason, and shown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ..config.setting import Settings
from ..flow.letter import StoredLetter
from ..flow.record import Position
from .batches import Wanted
from .letter_files import LetterFile, LetterFiles
from .overlaps import with_overlapping
from .reasons import Groups


class Found(NamedTuple):
    """One letter, where it is, and when it was written."""

    letter: StoredLetter
    file: LetterFile
    url: str


def letters(settings: Settings, wanted: Wanted) -> Iterator[Found]:
    """Return the letters that are wanted, a shard's position once. Raises Fatal.

    What is in memory does not grow with their number.
    """
    files = LetterFiles(settings)
    young = (
        (file, near) for file, near in with_overlapping(files.walk()) if wanted.may_be_in(file)
    )
    for file, near, found in files.read_ahead(young):
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
                yield Found(letter, file, files.bucket.url(file.key))


def _comes_first(other: LetterFile, file: LetterFile) -> bool:
    """Which of two files tells of a letter that both have: one that is put back, or the first."""
    return (not other.is_redriven, other.key) < (not file.is_redriven, file.key)


def summary(settings: Settings, wanted: Wanted) -> Groups:
    """Count the letters that are wanted, by stage and reason."""
    groups = Groups()
    for letter, file, url in letters(settings, wanted):
        when = file.modified.isoformat(timespec="seconds").replace("+00:00", "Z")
        groups.add(letter.stage, letter.reason, url, when, is_redriven=file.is_redriven)
    return groups


def shown(settings: Settings, what: str) -> Iterator[Found]:
    """Return the letters at a position, or of a file of letters by its key or URL. Raises Fatal."""
    files = LetterFiles(settings)
    key = what.removeprefix(f"s3://{files.bucket.name}/")
    try:
        position: Position | None = Position.parse(what)
    except ValueError:
        position = None
    for file in files.walk():
        if position is None:
            is_meant = file.key == key
        else:
            is_meant = (covered := file.range) is None or covered.first <= position <= covered.last
        for letter in files.read(file) if is_meant else ():
            if position is None or letter.position == what:
                yield Found(letter, file, files.bucket.url(file.key))


def as_text(data: bytes) -> str:
    """Return bytes as text: what is no text, or would move a terminal's cursor, as escapes."""
    text = data.decode(errors="backslashreplace")
    return "".join(
        each if each.isprintable() or each == "\n" else each.encode("unicode_escape").decode()
        for each in text
    )
