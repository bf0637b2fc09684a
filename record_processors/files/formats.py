"""The formats of files: how rows become bytes, and what the keys of such files end in.

A format is told by its name: a transformer says of which its rows are, a file of which it is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from ..flow.batch import Batch
from .compression import EXTENSIONS, Compression, compressor

members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
"""Reads one JSON object, each value as it was written. Raises ValueError, RecursionError."""

BLOCK = 1000  # records that are joined and compressed at once
FIELDS_BYTES = 8192  # of the keys that travel in a message


@dataclass(frozen=True)
class FileFormat(ABC):
    """How the rows of a batch become a file."""

    ending: str

    def extension(self, compression: Compression) -> str:
        """Return what the keys of such files end in."""
        return self.ending + EXTENSIONS[compression]

    @abstractmethod
    def encode(self, batch: Batch[Any], compression: Compression) -> tuple[bytes, int]:
        """Return the file's bytes, and how many rows they are. The same batch gives the same."""

    def fields(self, batch: Batch[Any]) -> tuple[str, ...] | None:  # noqa: ARG002 - for overriding
        """Return the names that the first row gives its values; None if rows have no names."""
        return None


class Lines(FileFormat):
    r"""Rows of bytes, each ended by ``\n``, the last one too."""

    def encode(self, batch: Batch[bytes], compression: Compression) -> tuple[bytes, int]:
        """Join and compress some records at a time."""
        file = compressor(compression, lambda: sum(len(row) + 1 for row in batch.rows))
        parts, count = [], 0
        for rows in _blocks(batch):
            count += len(rows)
            parts.append(file.compress(b"\n".join([*rows, b""])))
        return b"".join([*parts, file.flush()]), count


class JsonLines(Lines):
    """Rows that are JSON objects."""

    def fields(self, batch: Batch[bytes]) -> tuple[str, ...] | None:
        """Return the first object's keys, if they are no more than a message should carry."""
        try:
            fields = tuple(members(batch.kept[0].rows[0]))
        except (ValueError, RecursionError):
            return None  # a transformer of one's own makes something else
        return fields if len(msgspec.json.encode(fields)) <= FIELDS_BYTES else None


def _blocks(batch: Batch[bytes]) -> Iterator[list[bytes]]:
    for start in range(0, len(batch.kept), BLOCK):
        yield [row for kept in batch.kept[start : start + BLOCK] for row in kept.rows]


FORMATS: dict[str, FileFormat] = {
    "json": JsonLines(".json"),
    "csv": Lines(".csv"),
    "delimited": Lines(".txt"),
    "text": Lines(".txt"),
}
ENDINGS = frozenset(each.extension(how) for each in FORMATS.values() for how in EXTENSIONS)
"""What the keys of files of rows end in."""
