"""Settles dead letters: a person has decided that they are never to be put back, and says why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ..config.setting import Settings
from ..errors import counted
from ..flow.letter import StoredLetter
from .batches import Wanted
from .carry import Carrier, now
from .letter_files import LetterFile, LetterFiles, Settled
from .letters import Which
from .reasons import Groups
from .redrive_log import LettersBatch, RedriveLog

MOST_FILES = 1000  # that are settled by one batch: some 200 KB of keys


@dataclass
class Summary:
    """What became of letters; ``before`` counts files that were marked already."""

    settled: int = 0
    before: int = 0
    left: Groups = field(default_factory=Groups)

    @property
    def found(self) -> int:
        """How many there are, in whatever state."""
        return self.before + self.settled + self.left.count


class Settle:
    """Marks the letters of one pipeline that are wanted, by batches in the log of redrive.

    So a letter is either put back or settled, whenever this is killed, and whatever runs beside it:
    see ``RedriveLog``. A mark is of a file, so that a file is settled only if all of it is wanted.
    """

    def __init__(
        self, settings: Settings, wanted: Wanted, which: str, decision: Settled, *, dry: bool
    ) -> None:
        self.files = LetterFiles(settings)
        self.log = RedriveLog(self.files)
        self.carrier = Carrier(settings, self.files, self.log)
        self.wanted = wanted
        self.which = Which(which, self.files) if which else None
        self.decision = decision
        self.dry = dry
        self.summary = Summary()

    def run(self) -> Summary:
        """End what another has begun to settle, then settle what is wanted. Raises Fatal."""
        while True:
            last, unfinished = self.log.look()
            begun: dict[str, int] = {}  # by redrive: files of letters, and in which batch
            for number in unfinished:
                batch = self.log.read(number)
                if not batch.settled:
                    begun.update(dict.fromkeys(batch.files, number))
                elif not self.dry:
                    self.carrier.carry(number, batch)
            self.summary = Summary(settled=self.summary.settled)
            if self._all(last, set(unfinished), begun):
                return self.summary

    def _all(self, last: int, unfinished: set[int], begun: dict[str, int]) -> bool:
        """Settle batch after batch; return False if another has begun one since the look."""
        keys: list[str] = []
        letters = 0
        for key, count in self._wanted(last, unfinished, begun):
            keys.append(key)
            letters += count
            if len(keys) == MOST_FILES:
                last += 1
                if not self._settle(last, keys, letters):
                    return False
                keys, letters = [], 0
        return not keys or self._settle(last + 1, keys, letters)

    def _settle(self, number: int, keys: list[str], letters: int) -> bool:
        if not self.dry:
            batch = LettersBatch(
                when=now(),
                is_records=False,
                stream="",
                shard="",
                to=(),
                files=keys,
                doubles=[0] * len(keys),
                entries=[],
                settled=self.decision,
            )
            # Of a try whose answer was lost, the next one finds what is ours.
            if not self.log.begin(number, batch) and self.log.read(number) != batch:
                return False
            self.carrier.carry(number, batch)
        self.summary.settled += letters
        return True

    def _wanted(
        self, last: int, unfinished: set[int], begun: dict[str, int]
    ) -> Iterator[tuple[str, int]]:
        """Yield the files that can be settled, and how many letters each has."""
        files = ((file, ()) for file in self._open(last))
        for file, _, letters in self.files.read_ahead(files, self.files.read):
            meant = list(filter(self._is_meant, letters))
            number = begun.get(file.key) or self.log.number_of(file.key)
            if not meant:
                continue
            if file.key in begun or number in unfinished:
                why = (
                    f"redrive has begun batch {number} with it, and is at work or was cut short: "
                    "wait, or run `redrive`, which ends it"
                )
                self._leave(file, meant, why)
            elif len(meant) < len(letters):
                others = counted(len(letters) - len(meant), "letter")
                why = f"it is in a file with {others} more: name the file, to settle all of it"
                self._leave(file, meant, why)
            else:
                yield file.key, len(letters)

    def _open(self, last: int) -> Iterator[LetterFile]:
        for file in self.files.walk():
            if not self.wanted.may_be_in(file) or (self.which and not self.which.may_be_in(file)):
                continue
            if file.is_redriven:
                self.summary.before += self._may_have_meant(file)
            elif self.log.number_of(file.key) <= last:
                yield file

    def _may_have_meant(self, file: LetterFile) -> bool:
        """Whether a file counts that is marked: one that is not asked for by name is not read."""
        return self.which is None or any(map(self.which.has, self.files.read(file)))

    def _is_meant(self, letter: StoredLetter) -> bool:
        return self.wanted.has(letter) and (self.which is None or self.which.has(letter))

    def _leave(self, file: LetterFile, letters: Sequence[StoredLetter], why: str) -> None:
        for letter in letters:
            self.summary.left.add(letter.stage, why, self.files.bucket.url(file.key))
