"""The batches in which letters are put back: numbered objects, each written once.

What a batch puts back, and what becomes of each letter of it, is decided before it has a number,
and stands in its object. Whoever finds one that is not done, does it: all that follows from it has
names that are functions of it, and comes to the same however often it is done. Whoever writes the
next number has seen all before it: so no letter is in two batches.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Literal

import msgspec

from ..aws.failures import ConditionFailed, Missing
from ..aws.layout import REDRIVEN
from ..flow.letter import StoredLetter
from .letter_files import LetterFiles, Settled

BATCH, DONE = ".batch", ".done"
_NAME = re.compile(r"([0-9]{7})(\.batch|\.done)")

Verdict = Literal["kept", "filtered", "refused"]


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One letter of a batch; ``at`` is the place of its file among those of the batch."""

    letter: StoredLetter
    at: int
    verdict: Verdict = "kept"
    stage: str = ""  # if refused
    why: str = ""


class LettersBatch(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Letters of one shard that are put back together, or those that a destination owns.

    ``to`` are those of several destinations that lack the records; () means all. ``doubles`` says
    of each file how many of its letters are put back by another. A batch that is ``settled`` has no
    entries: its files are marked, and that is all.
    """

    version: int = 1
    when: str
    is_records: bool
    stream: str
    shard: str
    to: tuple[str, ...]
    files: list[str]
    doubles: list[int]
    entries: list[Entry]
    settled: Settled | None = None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the letters of a batch; those ``unchanged`` stay as they were, unmarked."""

    version: int = 1
    when: str
    kept: int
    filtered: int
    refused: int
    unchanged: int = 0


class RedriveLog:
    """The batches of one pipeline, by their numbers, from 1 on."""

    def __init__(self, files: LetterFiles) -> None:
        self.files = files
        self.bucket = files.bucket
        self.folder = f"{files.folder}{REDRIVEN}"

    def look(self) -> tuple[int, list[int]]:
        """Return the last number, 0 if there is none, and the batches that are not done."""
        begun, done = set[int](), set[int]()
        for key, _, _ in self.files.objects(self.folder):
            if found := _NAME.fullmatch(key.removeprefix(self.folder)):
                (begun if found[2] == BATCH else done).add(int(found[1]))
        return max(begun, default=0), sorted(begun - done)

    def begin(self, number: int, batch: LettersBatch) -> bool:
        """Write the batch of this number, unless there is one: return whether it is ours."""
        try:
            self.bucket.create(self._key(number) + BATCH, msgspec.json.encode(batch), {})
        except ConditionFailed:
            # Perhaps an earlier try of ours, whose answer was lost: then it is like another's.
            return False
        return True

    def read(self, number: int) -> LettersBatch:
        """Return a batch. Raises Fatal."""
        return msgspec.json.decode(self.files.body(self._key(number) + BATCH), type=LettersBatch)

    def outcome(self, number: int) -> Outcome | None:
        """Return what became of a batch; None if it is not done. Raises Fatal."""
        try:
            body = self.bucket.read(
                self.bucket.url(self._key(number) + DONE), lambda done: done.read()
            )
        except Missing:
            return None
        return msgspec.json.decode(body, type=Outcome)

    def end(self, number: int, outcome: Outcome) -> None:
        """Say that a batch is done."""
        with suppress(ConditionFailed):
            self.bucket.create(self._key(number) + DONE, msgspec.json.encode(outcome), {})

    def letters_of(self, number: int) -> str:
        """Return where the letters are of what a batch has put back in vain."""
        return f"{self._key(number)}/"

    def number_of(self, key: str) -> int:
        """Return which batch wrote a file of letters; 0 if it is a pipeline's own."""
        name = key.removeprefix(self.folder).partition("/")[0]
        return int(name) if key.startswith(self.folder) and name.isdigit() else 0

    def address(self, number: int) -> str:
        """Return where a batch is, as a person finds it."""
        return self.bucket.url(self._key(number) + BATCH)

    def _key(self, number: int) -> str:
        return f"{self.folder}{number:07}"
