"""Files of dead letters: which there are, what is in one, and whether it was put back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from ..aws.bucket import Bucket
from ..aws.failures import call
from ..aws.layout import dead_letters_folder
from ..config.setting import Settings
from ..flow.letter import Letter

ENDING = ".jsonl"
# Of the object beside a file of letters that says that they were put back.
MARK = ".redriven"


class LetterFile(NamedTuple):
    """One object of letters."""

    key: str
    written: datetime
    is_redriven: bool


class AnyLetter(Letter, frozen=True, kw_only=True, rename="camel"):
    """A letter of a record, of a file, or of a row of a file, which says ``file`` and ``line``."""

    file: str | None = None
    line: int | None = None


def letter_files(settings: Settings, bucket: Bucket) -> Iterator[LetterFile]:
    """Yield the objects of a pipeline's letters, in the order of their keys. Raises Fatal."""
    before: tuple[str, datetime] | None = None
    for one in _objects(bucket, dead_letters_folder(settings)):
        key = one["Key"]
        if before and key == before[0] + MARK:  # which comes next in a listing
            yield LetterFile(*before, is_redriven=True)
            before = None
            continue
        if before:
            yield LetterFile(*before, is_redriven=False)
        before = (key, one["LastModified"]) if key.endswith(ENDING) else None
    if before:
        yield LetterFile(*before, is_redriven=False)


def letters(bucket: Bucket, key: str) -> Iterator[AnyLetter]:
    """Yield the letters of one object. Raises Fatal, Missing."""
    body: bytes = bucket.read(bucket.url(key), lambda stream: stream.read())
    for line in body.splitlines():
        yield msgspec.json.decode(line, type=AnyLetter)


def _objects(bucket: Bucket, prefix: str) -> Iterator[dict[str, Any]]:
    how: dict[str, str] = {}
    while True:
        page = call(
            bucket.retry,
            f"listing {bucket.url(prefix)}",
            lambda: bucket.s3.list_objects_v2(Bucket=bucket.name, Prefix=prefix, **how),  # noqa: B023
        )
        yield from page.get("Contents", ())
        if not (token := page.get("NextContinuationToken")):
            return
        how = {"ContinuationToken": token}
