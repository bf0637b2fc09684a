"""Rows of a file into the text that PostgreSQL's ``COPY … FROM STDIN`` reads, block by block."""

from __future__ import annotations

from typing import TYPE_CHECKING

from record_processors.local.redshift.columns import converter
from record_processors.local.redshift.copy_statement import GENERATED
from record_processors.local.redshift.failures import BadField, BadRow
from record_processors.local.redshift.fields import text_splitter
from record_processors.local.redshift.json_fields import json_splitter
from record_processors.local.redshift.rows import ROW_BYTES, check_size, is_data, raw_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from record_processors.local.redshift.columns import Column
    from record_processors.local.redshift.fields import Fields
    from record_processors.local.redshift.jsonpaths import Path
    from record_processors.local.redshift.layout import Layout
    from record_processors.local.redshift.sources import Readable


class Encoder:
    """Encodes the files of one COPY for the columns that it loads.

    ``generated`` are the places, in ascending order, of the columns between them that the server
    fills itself; ``paths`` say where in a JSON value the columns' values are.
    """

    def __init__(
        self,
        layout: Layout,
        columns: list[Column],
        generated: Sequence[int] = (),
        paths: Sequence[Path] | None = None,
    ) -> None:
        self._layout = layout
        self._columns = columns
        self._count = len(columns)
        self._has_others = bool(layout.ignore_header or layout.ignore_blank_lines)
        self._generated = generated
        self._split = (
            json_splitter(layout.json, columns, paths)
            if layout.format == "json"
            else text_splitter(layout)
        )
        self._converters = [(i, converter(column, layout)) for i, column in enumerate(columns)]

    def blocks(self, stream: Readable) -> Iterator[tuple[bytes, int]]:
        """Yield encoded rows and their number; ``BadRow`` comes after the rows before it."""
        for data in self._data(stream):
            encoded: list[bytes] = []
            problem: BadRow | None = None
            try:
                for raw in data:
                    encoded.append(self._encode(raw))
            except BadRow as error:
                problem = error
            if encoded:
                encoded.append(b"")
                yield b"\n".join(encoded), len(encoded) - 1
            if problem:
                raise problem

    def outcomes(self, stream: Readable, most: int) -> Iterator[list[bytes | BadRow]]:
        """Yield rows, each of them encoded or what is wrong with it, so many at a time at most."""
        for data in self._data(stream):
            for at in range(0, len(data), most):
                yield [self._outcome(raw) for raw in data[at : at + most]]

    def _outcome(self, raw: bytes) -> bytes | BadRow:
        try:
            return self._encode(raw)
        except BadRow as problem:
            return problem

    def _data(self, stream: Readable) -> Iterator[list[bytes]]:
        """Yield the rows that are to be loaded, in lists."""
        done = 0
        for rows in raw_rows(stream, self._layout):
            if self._has_others:
                yield [raw for i, raw in enumerate(rows, done) if is_data(raw, i, self._layout)]
            else:
                yield rows
            done += len(rows)

    def fields(self, raw: bytes) -> Fields:
        """Split a row as it is loaded; ``BadRow`` if it has too many or too few fields."""
        if raw.endswith(b"\r") and not (self._layout.escape and raw.endswith(b"\\\r")):
            raw = raw[:-1]
        fields = self._split(raw)
        return fields if len(fields) == self._count else self._completed(fields)

    def _completed(self, fields: Fields) -> Fields:
        missing = self._count - len(fields)
        # dbgen's files end each row with a delimiter, and Redshift loads them.
        if missing == -1 and fields[-1] == b"" and self._layout.format == "delimited":
            return fields[:-1]
        if missing < 0:
            raise BadRow(BadField(1202, "Extra column(s) found"))
        if not self._layout.fill_record:
            raise BadRow(BadField(1214, "Delimiter not found"), len(fields) - 1)
        kinds = [column.kind for column in self._columns[len(fields) :]]
        return fields + [b"" if kind == "varchar" else None for kind in kinds]

    def _encode(self, raw: bytes) -> bytes:
        if len(raw) * 2 > ROW_BYTES:
            check_size(raw)
        fields = self.fields(raw)
        for index, convert in self._converters:
            value = fields[index]
            if value is not None:
                try:
                    fields[index] = convert(value)
                except BadField as error:
                    raise BadRow(error, index, value) from error
        if self._generated:
            return self._with_generated(fields)
        line = b"\t".join([b"\\N" if field is None else field for field in fields])
        # No field needs an escape if all the tabs and backslashes are those put in here.
        separators, marks = line.count(b"\t") + 1, line.count(b"\\")
        if (separators, marks) == (self._count, fields.count(None)) and not _breaks(line):
            return line
        return b"\t".join([b"\\N" if field is None else _escaped(field) for field in fields])

    def _with_generated(self, fields: Fields) -> bytes:
        line = [b"\\N" if field is None else _escaped(field) for field in fields]
        for at in self._generated:
            line.insert(at, GENERATED)
        return b"\t".join(line)


def _breaks(line: bytes) -> bool:
    return b"\n" in line or b"\r" in line


def _escaped(field: bytes) -> bytes:
    field = field.replace(b"\\", b"\\\\").replace(b"\t", b"\\t")
    return field.replace(b"\n", b"\\n").replace(b"\r", b"\\r")
