"""Puts dead letters back into the pipeline, each once."""

from __future__ import annotations

import logging
from contextlib import closing
from dataclasses import dataclass, field

from ..config.registry import chosen
from ..config.setting import Settings
from ..flow.emitter import Emitter
from .batches import Batches, LeftOut, Wanted
from .carry import Carrier
from .letter_files import LetterFiles
from .reasons import Groups
from .redrive_log import Entry, LettersBatch, RedriveLog

log = logging.getLogger(__name__)


@dataclass
class Summary:
    """What became of letters, and of those that are in no batch."""

    kept: int = 0
    refused: int = 0
    filtered: int = 0
    doubles: int = 0
    refusals: Groups = field(default_factory=Groups)
    rest: LeftOut = field(default_factory=LeftOut)

    @property
    def all_refused(self) -> int:
        """How many letters could not be put back, those too that stay as they are."""
        return self.refused + self.rest.unchanged.count


class Redrive:
    """Puts back the letters of one pipeline: see ``RedriveLog`` for why each once."""

    def __init__(self, settings: Settings, wanted: Wanted) -> None:
        self.settings = settings
        self.wanted = wanted
        self.files = LetterFiles(settings)
        self.log = RedriveLog(self.files)
        self.carrier = Carrier(settings, self.files, self.log)
        self.summary = Summary()
        self._unchanged: list[tuple[Entry, str]] = []  # of loads, with where they are

    def run(self) -> Summary:
        """Do what another redrive left undone, then put back what is wanted. Raises Fatal."""
        newest, unfinished = self.log.look()
        last = newest
        while True:
            for number in unfinished:
                self._carry(number, self.log.read(number))
            if self._all(newest, last):
                return self.summary
            last, unfinished = self.log.look()

    def dry_run(self) -> Summary:
        """Say what would become of what is wanted; nothing is written. Raises Fatal."""
        newest, _ = self.log.look()
        batches = Batches(self.settings, self.files, self.wanted, newest, dry=True)
        with closing(batches):
            for batch in batches:
                verdicts = [entry.verdict for entry in batch.entries]
                self.summary.kept += verdicts.count("kept")
                self.summary.filtered += verdicts.count("filtered")
                self.summary.refused += verdicts.count("refused")
                self.summary.doubles += sum(batch.doubles)
                for entry in batch.entries:
                    if entry.verdict == "refused":
                        where = self.files.bucket.url(batch.files[entry.at])
                        self.summary.refusals.add(entry.stage, entry.why, where)
        self.summary.rest = batches.found
        return self.summary

    def _all(self, newest: int, last: int) -> bool:
        """Put back batch after batch, from the number after ``last`` on.

        Return False if another redrive was quicker: what it began may hold letters of ours.
        """
        batches = Batches(self.settings, self.files, self.wanted, newest, dry=False)
        with closing(batches):
            for number, batch in enumerate(batches, last + 1):
                if not self.log.begin(number, batch):
                    return False
                self._carry(number, batch)
        self.summary.rest = batches.found
        for entry, where in self._unchanged:
            batches.found.unchanged.add(entry.letter.stage, entry.letter.reason, where)
        return True

    def _carry(self, number: int, batch: LettersBatch) -> None:
        outcome, unchanged = self.carrier.carry(number, batch)
        self._unchanged += [
            (entry, self.files.bucket.url(batch.files[entry.at])) for entry in unchanged
        ]
        summary = self.summary
        summary.kept += outcome.kept
        summary.refused += outcome.refused
        summary.filtered += outcome.filtered
        summary.doubles += sum(batch.doubles)
        where = self.files.bucket.url(self.log.letters_of(number))
        for letter in self.carrier.again(number):
            summary.refusals.add(letter.stage, letter.reason, where)
        log.info(
            "batch %d: put back %s, refused again %s, filtered out %s",
            number,
            f"{outcome.kept:,}",
            f"{outcome.refused + outcome.unchanged:,}",
            f"{outcome.filtered:,}",
        )


def why_not(settings: Settings) -> str:
    """Return why this pipeline's letters must not be put back; "" if they may."""
    destination = chosen(settings.texts).destination
    return destination.no_redrive(settings) if issubclass(destination, Emitter) else ""
