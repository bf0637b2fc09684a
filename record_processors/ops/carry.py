"""Does what a batch of letters says: puts them back, and marks their files."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timezone
from typing import NamedTuple

from ..aws.layout import LETTERS, REDRIVEN
from ..config.keys import APPLICATION_NAME
from ..config.registry import chosen
from ..config.setting import Settings
from ..errors import Fatal
from ..flow.batch import Batch
from ..flow.emitter import Emitter
from ..flow.letter import StoredLetter
from ..flow.own_letters import OwnLetters
from .again import LettersAgain
from .judge import Judge, Kind, record_of
from .letter_files import LetterFiles, Mark
from .redrive_log import Entry, LettersBatch, Outcome, RedriveLog

NAME_LENGTH = 255  # of an application in messages and in the ledger: see ``files.file.Name``


class Carried(NamedTuple):
    """What became of a batch, and which letters of it were left as they are."""

    outcome: Outcome
    unchanged: list[Entry]


class Carrier:
    """Puts batches back, each under an ``applicationName`` of its own.

    ::

        letters of what is refused again      names: functions of the batch
        emit                                  a file of rows: the same; items, documents: old ones
        marks of the files                    from here on they are put back
        the batch is done

    As the batch says what becomes of each letter, each step comes to the same when it is done once
    more: after a crash, by another at the same time, or by one that was paused meanwhile.

    But a load that is refused as before leaves its letters unmarked, and so open to be settled once
    the batch is done. So a batch of loads is left alone that another has done since it was read.
    Whoever is paused between this look and the load, for as long as another needs to do the batch,
    and a person to mend the table and to settle the letter, still loads what was settled.
    """

    def __init__(self, settings: Settings, files: LetterFiles, log: RedriveLog) -> None:
        self.settings = settings
        self.files = files
        self.log = log

    def carry(self, number: int, batch: LettersBatch) -> Carried:
        """Do all that a batch says; return what became of it. Raises Fatal."""
        unchanged: list[Entry] = []
        settings = self.settings.replacing({APPLICATION_NAME: self._application(number)})
        kept = [entry.letter for entry in batch.entries if entry.verdict == "kept"]
        if batch.settled:
            refused = 0
        elif batch.is_records:
            self._records(settings, batch, kept)
            refused = self._refused_records(number, len(kept))
        elif done := self.log.outcome(number):
            return Carried(done, [])
        else:
            refused, unchanged = self._owned(settings, batch)
            refused += self._rows_again(number)
        verdicts = Counter(entry.verdict for entry in batch.entries)
        outcome = Outcome(
            when=now(),
            kept=len(batch.entries) - verdicts["filtered"] - refused - len(unchanged),
            filtered=verdicts["filtered"],
            refused=refused,
            unchanged=len(unchanged),
        )
        stay = {entry.at for entry in unchanged}
        for at, key in enumerate(batch.files):
            if at not in stay:
                self.files.mark(key, _mark(number, batch, at))
        self.log.end(number, outcome)
        return Carried(outcome, unchanged)

    def _records(self, settings: Settings, batch: LettersBatch, kept: list[StoredLetter]) -> None:
        judge = Judge(settings, Kind(True, batch.stream, batch.shard, batch.to))
        try:
            pipeline = judge.pipeline
            letters = pipeline.dead_letters
            if isinstance(letters, LettersAgain):
                by_position = {record_of(e.letter).position: e.letter for e in batch.entries}
                letters.before, letters.to = by_position, batch.to
            for entry in batch.entries:
                if entry.verdict == "refused":
                    letters.add(record_of(entry.letter), entry.stage, entry.why)
            letters.write()
            if kept:
                last = record_of(batch.entries[-1].letter).position
                emitter = pipeline.emitter
                whole = Batch(
                    judge.kept(kept), last, lambda some: letters.write_rejected(some, emitter.stage)
                )
                emitter.emit(whole)
                whole.write_letters()
        finally:
            judge.close()

    def _owned(self, settings: Settings, batch: LettersBatch) -> tuple[int, list[Entry]]:
        """Put back what the destination owns; return how many are letters again, and what stays.

        Files stay whose letters were all refused for the same reason as before.
        """
        own = own_letters(settings)
        if own is None:
            raise Fatal(
                "letters of a load are begun to be put back, and connectorDestination loads none"
            )
        try:
            refused = own.put_back([entry.letter for entry in batch.entries])
            same = {letter for one in refused if one.is_unchanged for letter in one.letters}
            go = {entry.at for entry in batch.entries if entry.letter not in same}
            unchanged = [entry for entry in batch.entries if entry.at not in go]
            stay = {entry.letter for entry in unchanged}
            again = [one for one in refused if stay.isdisjoint(one.letters)]
            for one in again:
                own.write_again(one)
        finally:
            own.close()
        count = sum(len(one.letters) for one in refused)
        return count - len(unchanged), unchanged

    def _refused_records(self, number: int, kept: int) -> int:
        """Count the records that are letters again; of a file that is refused, all its records."""
        positions = set[str | None]()
        rows = 0
        own = own_letters(self.settings)
        for letter in self.again(number):
            if own and own.owns(letter):
                rows = rows + 1 if letter.file else kept
            else:
                positions.add(letter.position)
        return len(positions) + min(rows, kept)

    def _rows_again(self, number: int) -> int:
        return sum(1 for letter in self.again(number) if letter.file)

    def again(self, number: int) -> list[StoredLetter]:
        """Return the letters of what a batch has put back in vain."""
        folder = self.log.letters_of(number)
        keys = [key for key, _, _ in self.files.objects(folder) if key.endswith(LETTERS)]
        return [letter for key in keys for letter in self.files.letters(key)]

    def _application(self, number: int) -> str:
        name = f"{self.settings[APPLICATION_NAME]}/{REDRIVEN}{number:07}"
        if len(name) > NAME_LENGTH:
            raise Fatal(
                f"{APPLICATION_NAME.key} is too long: files of what is put back are of the "
                f"application {name}, of which the ledger has no more than {NAME_LENGTH} letters"
            )
        return name


def own_letters(settings: Settings) -> OwnLetters | None:
    """Return what puts back the letters that the destination owns, if it has such."""
    destination = chosen(settings.texts).destination
    return destination.own_letters(settings) if issubclass(destination, Emitter) else None


def now() -> str:
    """Return the time, as it stands in marks."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def _mark(number: int, batch: LettersBatch, at: int) -> Mark:
    verdicts = Counter(entry.verdict for entry in batch.entries if entry.at == at)
    return Mark(
        when=now(),
        batch=number,
        kept=verdicts["kept"],
        filtered=verdicts["filtered"],
        refused=verdicts["refused"],
        doubles=batch.doubles[at],
        settled=batch.settled,
    )
