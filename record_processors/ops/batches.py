"""Forms the batches in which letters are put back: of one shard, in the order of positions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from ..config.keys import BYTE_LIMIT, RECORD_LIMIT
from ..config.registry import chosen
from ..config.setting import Settings
from ..flow.letter import StoredLetter
from ..flow.record import Position
from .carry import now, own_letters
from .judge import Judge, Judged, Kind, PassedOver, kind_of
from .letter_files import LetterFile, LetterFiles, Mark
from .overlaps import with_overlapping
from .reasons import Groups
from .redrive_log import Entry, LettersBatch, RedriveLog


@dataclass(frozen=True)
class Wanted:
    """Files of letters that were written since then, with one of this stage and reason."""

    stage: str = ""
    reason: str = ""
    since: datetime | None = None

    def has(self, letter: StoredLetter) -> bool:
        """Whether a letter is meant."""
        return letter.stage == (self.stage or letter.stage) and self.reason in letter.reason

    def may_be_in(self, file: LetterFile) -> bool:
        """Whether a file is young enough."""
        return self.since is None or file.modified >= self.since


@dataclass
class LeftOut:
    """What is in no batch; ``along`` is, and was not meant, but is in a file with one that was.

    Of what is passed over, so many ``waiting`` may be put back later.
    """

    files_before: int = 0
    along: int = 0
    waiting: int = 0
    passed_over: Groups = field(default_factory=Groups)
    unchanged: Groups = field(default_factory=Groups)


@dataclass
class _Growing:
    """A batch that the letters of more files may be added to."""

    kind: Kind
    files: list[str] = field(default_factory=list)
    doubles: list[int] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    bytes: int = 0

    def add(self, key: str, doubles: int, entries: list[Entry]) -> None:
        self.files.append(key)
        self.doubles.append(doubles)
        self.entries += entries
        self.bytes += sum(len(entry.letter.data) for entry in entries)

    def finished(self) -> LettersBatch:
        """Return it, its records in the order of their shard."""
        entries = self.entries
        if self.kind.is_records:
            entries = sorted(entries, key=lambda entry: _position(entry.letter))
        return LettersBatch(
            when=now(),
            **self.kind._asdict(),
            files=self.files,
            doubles=self.doubles,
            entries=entries,
        )


class Batches:
    """Goes once over the files of letters that are not put back, and makes batches of them.

    A batch holds whole files, as many as ``bufferRecordCountLimit`` and ``bufferByteSizeLimit``
    allow, and is made before the next file is looked at. Letters that batches up to ``newest`` have
    put back in vain are among them; later ones are not, or a redrive would never end.
    """

    def __init__(
        self, settings: Settings, files: LetterFiles, wanted: Wanted, newest: int, *, dry: bool
    ) -> None:
        self.settings = settings
        self.files = files
        self.log = RedriveLog(files)
        self.wanted = wanted
        self.newest = newest
        self.dry = dry
        self.found = LeftOut()
        self.own = own_letters(settings)
        self.stage = str(getattr(chosen(settings.texts).destination, "stage", ""))
        self._taken: set[str] = set()  # files of batches made here that overlap others
        self._judge: Judge | None = None

    def __iter__(self) -> Iterator[LettersBatch]:
        """Return batch after batch. Raises Fatal."""
        growing: dict[Kind, _Growing] = {}
        shard = ""
        for file, near, letters in self.files.read_ahead(self._open(), self.files.read):
            if (covered := file.range) and covered.shard != shard:
                yield from _finished(growing)
                shard = covered.shard
            if not (added := self._entries(file, near, letters)):
                continue
            kind, doubles, entries = added
            batch = growing.setdefault(kind, _Growing(kind))
            start = len(batch.files)
            batch.add(
                file.key, doubles, [msgspec.structs.replace(one, at=start) for one in entries]
            )
            if (
                len(batch.entries) >= self.settings[RECORD_LIMIT]
                or batch.bytes >= self.settings[BYTE_LIMIT]
            ):
                yield growing.pop(kind).finished()
        yield from _finished(growing)

    def close(self) -> None:
        """End connections."""
        if self._judge:
            self._judge.close()
        if self.own:
            self.own.close()

    def _open(self) -> Iterator[tuple[LetterFile, list[LetterFile]]]:
        for file, near in with_overlapping(self.files.walk()):
            if file.is_redriven:
                self.found.files_before += 1
            elif self.log.number_of(file.key) <= self.newest and self.wanted.may_be_in(file):
                yield file, near

    def _entries(
        self, file: LetterFile, near: Sequence[LetterFile], letters: Sequence[StoredLetter]
    ) -> tuple[Kind, int, list[Entry]] | None:
        """Return what is to become of the letters of a file; None if it is in no batch."""
        meant = sum(map(self.wanted.has, letters))
        if not meant:
            return None
        try:
            kind = kind_of(letters, self.own, self.settings, self.stage)
        except PassedOver as why:
            for letter in letters:
                where = self.files.bucket.url(file.key)
                self.found.passed_over.add(letter.stage, str(why), where)
            self.found.waiting += 0 if why.is_for_ever else len(letters)
            if why.is_for_ever and not self.dry:
                self.files.mark(file.key, Mark(when=now(), void=str(why)))
            return None
        once = self._once(kind, near, letters)
        judged = self._judged(kind, once)
        if once and all(map(_is_unchanged, once, judged)):
            for letter in once:
                where = self.files.bucket.url(file.key)
                self.found.unchanged.add(letter.stage, letter.reason, where)
            return None
        if near:
            self._taken.add(file.key)
        self.found.along += len(letters) - meant
        where = self.files.bucket.url(file.key)
        entries = [
            Entry(
                letter=msgspec.structs.replace(letter, first=letter.first or where),
                at=0,
                **one._asdict(),
            )
            for letter, one in zip(once, judged, strict=True)
        ]
        return kind, len(letters) - len(once), entries

    def _once(
        self, kind: Kind, near: Sequence[LetterFile], letters: Sequence[StoredLetter]
    ) -> list[StoredLetter]:
        """Leave out records that another file has put back, and each position's second letter."""
        if not kind.is_records:
            return list(letters)
        taken = {
            letter.position
            for other in near
            if other.is_redriven or other.key in self._taken
            for letter in self.files.read(other)
        }
        by_position = {letter.position: letter for letter in reversed(letters)}
        return [one for position, one in reversed(by_position.items()) if position not in taken]

    def _judged(self, kind: Kind, letters: Sequence[StoredLetter]) -> list[Judged]:
        if not kind.is_records:
            return [Judged("kept")] * len(letters)
        if self._judge is None or self._judge.kind != kind:
            if self._judge:
                self._judge.close()
            self._judge = Judge(self.settings, kind)
        return self._judge.verdicts(letters)


def _finished(growing: dict[Kind, _Growing]) -> Iterator[LettersBatch]:
    while growing:
        _, batch = growing.popitem()
        yield batch.finished()


def _is_unchanged(letter: StoredLetter, judged: Judged) -> bool:
    return judged == Judged("refused", letter.stage, letter.reason)


def _position(letter: StoredLetter) -> Position:
    return Position.parse(letter.position or "")
