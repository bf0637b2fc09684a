"""Rows of a file into the text that PostgreSQL's ``COPY … FROM STDIN`` reads, block by block."""

from __future__ import annotations

from typing import TYPE_CHECKING

from record_processors.local.redshift.columns import converter
from record_processors.local.redshift.failures import BadField, BadRow
from record_processors.local.redshift.rows import is_data, raw_rows, splitter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from record_processors.local.redshift.columns import Column
    from record_processors.local.redshift.layout import Layout
    from record_processors.local.redshift.rows import Fields
    from record_processors.local.redshift.sources import Readable


class Encoder:
    """Encodes the files of one COPY for the columns that it loads."""

    def __init__(self, layout: Layout, columns: list[Column]) -> None:
        self._layout = layout
        self._count = len(columns)
        self._split = splitter(layout, [column.name for column in columns])
        self._converters = [(i, converter(column, layout)) for i, column in enumerate(columns)]

    def blocks(self, stream: Readable) -> Iterator[tuple[bytes, int]]:
        """Yield encoded rows and their number; ``BadRow`` comes after the rows before it."""
        done = 0
        for rows in raw_rows(stream, self._layout):
            encoded: list[bytes] = []
            problem: BadRow | None = None
            try:
                for index, raw in enumerate(rows, done):
                    if is_data(raw, index, self._layout):
                        encoded.append(self._encode(raw))
            except BadRow as error:
                problem = error
            done += len(rows)
            if encoded:
                encoded.append(b"")
                yield b"\n".join(encoded), len(encoded) - 1
            if problem:
                raise problem

    def fields(self, raw: bytes) -> Fields:
        """Split a row as it is loaded; ``BadRow`` if it has too many or too few fields."""
        if raw.endswith(b"\r") and not (self._layout.escape and raw.endswith(b"\\\r")):
            raw = raw[:-1]
        fields = self._split(raw)
        if len(fields) != self._count:
            # dbgen's files end each row with a delimiter, and Redshift loads them.
            if len(fields) == self._count + 1 and fields[-1] == b"" and self._is_delimited:
                return fields[:-1]
            more = len(fields) > self._count
            problem = (1202, "Extra column(s) found") if more else (1214, "Delimiter not found")
            raise BadRow(BadField(*problem), -1 if more else len(fields) - 1)
        return fields

    @property
    def _is_delimited(self) -> bool:
        return self._layout.format == "delimited"

    def _encode(self, raw: bytes) -> bytes:
        fields = self.fields(raw)
        for index, convert in self._converters:
            value = fields[index]
            if value is not None:
                try:
                    fields[index] = convert(value)
                except BadField as error:
                    raise BadRow(error, index, value) from error
        line = b"\t".join([b"\\N" if field is None else field for field in fields])
        # No field needs an escape if all the tabs and backslashes are those put in here.
        separators, marks = line.count(b"\t") + 1, line.count(b"\\")
        if (separators, marks) == (self._count, fields.count(None)) and not _breaks(line):
            return line
        return b"\t".join([b"\\N" if field is None else _escaped(field) for field in fields])


def _breaks(line: bytes) -> bool:
    return b"\n" in line or b"\r" in line


def _escaped(field: bytes) -> bytes:
    field = field.replace(b"\\", b"\\\\").replace(b"\t", b"\\t")
    return field.replace(b"\n", b"\\n").replace(b"\r", b"\\r")
