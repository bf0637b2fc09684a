"""The files of dead letters, as they lie in the bucket: listed, read, and marked as done with.

A file of letters is never changed or deleted by us. That its letters are put back, or are never to
be, says an object beside it: its mark.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from functools import cached_property
from itertools import islice
from typing import IO, NamedTuple, TypeVar

import msgspec

from ..aws.bucket import Bucket
from ..aws.failures import ConditionFailed, Missing
from ..aws.layout import LETTERS, MARK, dead_letters_folder
from ..config.setting import Settings
from ..errors import Fatal
from ..flow.letter import StoredLetter
from ..flow.record import Position

AT_ONCE = 16  # files that are read ahead

T = TypeVar("T")

# shard-first-last: see DeadLetters. Files of other letters have other names, and no range.
_RANGE = re.compile(r"(?P<shard>.+)-(?P<first>[0-9]+-[0-9]+)-(?P<last>[0-9]+-[0-9]+)\.jsonl")


class Range(NamedTuple):
    """The first and last position in a file of letters; its letters need not be all between."""

    shard: str  # with the folder before it
    first: Position
    last: Position


class LetterFile(msgspec.Struct, frozen=True):
    """One file of letters; ``modified`` is when it was written (UTC).

    ``is_redriven`` if it has a mark, be it that its letters are settled.
    """

    key: str
    modified: datetime
    bytes: int
    is_redriven: bool = False

    @property
    def range(self) -> Range | None:
        """What its name says of positions; None if nothing."""
        if not (found := _RANGE.fullmatch(self.key)):
            return None
        first, last = Position.parse(found["first"]), Position.parse(found["last"])
        return Range(found["shard"], first, last)


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """That letters are never to be put back, as a person has decided; ``by`` is "" if unknown."""

    why: str
    by: str = ""


class Mark(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """That the letters of a file are put back: when (ISO 8601), in which batch, with what end.

    ``batch`` is None if nothing was to be put back, as its letters do not count. With ``settled``
    they are not put back, and never will be.
    """

    version: int = 1
    when: str
    batch: int | None = None
    kept: int = 0
    filtered: int = 0
    refused: int = 0
    doubles: int = 0
    void: str = ""
    settled: Settled | None = None


class LetterFiles:
    """The files of dead letters of one pipeline."""

    def __init__(self, settings: Settings) -> None:
        self.bucket = Bucket.from_settings(settings)
        self.folder = dead_letters_folder(settings)

    def walk(self) -> Iterator[LetterFile]:
        """Return every file in the order of keys, those too of what was put back in vain.

        It is known of each whether it is marked. Memory is that of a page. Raises Fatal.
        """
        waiting: LetterFile | None = None
        for key, modified, size in self.objects(self.folder):
            if waiting and key == waiting.key + MARK:
                waiting = msgspec.structs.replace(waiting, is_redriven=True)
            if key.endswith(LETTERS):
                if waiting:
                    yield waiting
                waiting = LetterFile(key, modified, size)
        if waiting:
            yield waiting

    def objects(self, prefix: str) -> Iterator[tuple[str, datetime, int]]:
        """Return key, time and size of each object whose key begins so. Raises Fatal."""
        for one in self.bucket.objects(prefix):
            yield one["Key"], one["LastModified"], one["Size"]

    def read(self, file: LetterFile) -> list[StoredLetter]:
        """Return the letters of a file. Raises Fatal if it is none, or gone."""
        return self.letters(file.key)

    def letters(self, key: str) -> list[StoredLetter]:
        """Return the letters of the file with this key, as ``read`` does."""
        body = self.body(key)
        try:
            return [self._decoder.decode(line) for line in body.splitlines() if line]
        except ValueError as error:
            raise Fatal(
                f"{self.bucket.url(key)} is no file of dead letters ({error}): move it away"
            ) from error

    def body(self, key: str) -> bytes:
        """Return the bytes of an object. Raises Fatal."""
        url = self.bucket.url(key)
        try:
            return self.bucket.read(url, _all)
        except Missing as error:
            raise Fatal(f"{url} was there a moment ago: somebody deletes letters") from error

    def read_ahead(
        self,
        files: Iterable[tuple[LetterFile, Sequence[LetterFile]]],
        read: Callable[[LetterFile], T],
    ) -> Iterator[tuple[LetterFile, Sequence[LetterFile], T]]:
        """Return files as ``with_overlapping`` does, with what ``read`` returns, some ahead."""
        files = iter(files)
        ahead: deque[tuple[LetterFile, Sequence[LetterFile], Future[T]]] = deque()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            try:
                while True:
                    for file, near in islice(files, AT_ONCE - len(ahead)):
                        ahead.append((file, near, pool.submit(read, file)))
                    if not ahead:
                        return
                    file, near, reading = ahead.popleft()
                    yield file, near, reading.result()
            finally:
                for _, _, reading in ahead:
                    reading.cancel()

    def mark(self, key: str, mark: Mark) -> None:
        """Say that letters of a file are done with; a mark that is there stays. Raises Fatal."""
        with suppress(ConditionFailed):
            self.bucket.create(key + MARK, msgspec.json.encode(mark), {})

    def mark_of(self, key: str) -> Mark:
        """Return what a mark says: nothing, if somebody else has made it. Raises Fatal."""
        try:
            return msgspec.json.decode(self.body(key + MARK), type=Mark)
        except ValueError:
            return Mark(when="")

    @cached_property
    def _decoder(self) -> msgspec.json.Decoder[StoredLetter]:
        return msgspec.json.Decoder(StoredLetter)


def _all(stream: IO[bytes]) -> bytes:
    return stream.read()
