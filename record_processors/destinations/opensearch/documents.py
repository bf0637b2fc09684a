"""What rows become: items of a ``_bulk`` request, each an action and, on the next line, a row."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec

from ...errors import Rejected
from ...files.formats import members
from ...flow.batch import Batch, Kept
from ...flow.record import Record
from .versions import version_of

# docs.opensearch.org/latest/api-reference/document-apis/index-document, of _id
ID_BYTES = 512


class Item(NamedTuple):
    """One document to be, and the record that it is of."""

    record: Record
    lines: bytes


Documents = Callable[[Batch[bytes]], Iterator[Item]]


def by_position(stream: str, shard: str) -> Documents:
    """Name each document by its record's place; a record's further rows by their number, too.

    Each is created, never overwritten: one that is there is the same.
    """
    place = f"{stream}-{shard}"  # as numbers of two streams may be the same

    def documents(batch: Batch[bytes]) -> Iterator[Item]:
        for kept in batch.kept:
            record = kept.record
            position = f"{place}-{record.sequence_number}-{record.sub_sequence_number or 0}"
            for number, row in enumerate(kept.rows):
                name = f"{position}-{number}" if number else position
                if (line := _line(batch, kept, row)) is not None:
                    yield Item(record, b'{"create":{"_id":"%b"}}\n%b' % (name.encode(), line))

    return documents


def by_field(field: str) -> Documents:
    """Name each document by the value of ``field``; the last record of a value is kept.

    A record without such a value is rejected. Of a record's own rows, the last of a value is sent.
    """
    value_of = _reader(field)

    def documents(batch: Batch[bytes]) -> Iterator[Item]:
        for kept in batch.kept:
            try:
                rows = {value_of(row): row for row in kept.rows}
            except Rejected as error:
                batch.reject(kept.record, str(error))
                continue
            version = version_of(kept.record.position)
            for value, row in rows.items():
                action = {"_id": value, "version": version, "version_type": "external_gte"}
                if (line := _line(batch, kept, row)) is not None:
                    head = msgspec.json.encode({"index": action})
                    yield Item(kept.record, head + b"\n" + line)

    return documents


def _line(batch: Batch[bytes], kept: Kept[bytes], row: bytes) -> bytes | None:
    if b"\n" in row:  # it would end the item, and all behind it would be read wrongly
        batch.reject(kept.record, "a line break in a row, which must be one line")
        return None
    return row + b"\n"


def _reader(field: str) -> Callable[[bytes], str]:
    def value_of(row: bytes) -> str:
        try:
            raw = bytes(members(row).get(field, b"null"))
            value = msgspec.json.decode(raw, type=str) if raw[:1] == b'"' else raw.decode()
        except (ValueError, RecursionError) as error:
            raise Rejected(f"{field} (openSearchIdField) cannot be read: {error}") from error
        if raw in {b"null", b'""'} or raw[:1] in {b"{", b"["}:
            raise Rejected(f"{field} (openSearchIdField) is no text, number or truth value")
        if len(value.encode()) > ID_BYTES:
            raise Rejected(f"{field} (openSearchIdField) is longer than {ID_BYTES} bytes")
        return value

    return value_of
