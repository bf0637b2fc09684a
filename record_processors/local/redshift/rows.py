r"""A file's bytes into rows, a row into fields, by Redshift's rules and not by PostgreSQL's.

https://docs.aws.amazon.com/redshift/latest/dg/copy-parameters-data-conversion.html (ESCAPE)
and copy-parameters-data-format.html (CSV, JSON). A backslash under ESCAPE stands for the
character after it and for nothing else: ``\n`` is an ``n``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import msgspec

from record_processors.local.redshift.failures import BadField, BadRow

if TYPE_CHECKING:
    from record_processors.local.redshift.layout import Layout
    from record_processors.local.redshift.sources import Readable

Fields = list[bytes | None]
Splitter = Callable[[bytes], Fields]

_BLOCK = 1 << 18  # bytes read at once: some thousand rows, so that no thread keeps the GIL long
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_STRING: msgspec.json.Decoder[str] = msgspec.json.Decoder(str)


def raw_rows(stream: Readable, layout: Layout) -> Iterator[list[bytes]]:
    r"""Yield a file's rows in lists, without their ``\n``; a row may lie on several lines."""
    lines = _lines(stream)
    if layout.format == "csv":
        return _joined(lines, layout.quote, _odd_quotes(layout.quote))
    return _joined(lines, b"\\", _odd_backslashes) if layout.escape else lines


def locate(stream: Readable, layout: Layout, number: int) -> tuple[int, bytes]:
    """Return the line (from 1) on which a file's row of this number (from 1) begins, and it."""
    line = 1
    index = 0
    for rows in raw_rows(stream, layout):
        for raw in rows:
            number -= is_data(raw, index, layout)
            if number == 0:
                return line, raw
            line += 1 + raw.count(b"\n")
            index += 1
    return line, b""


def is_data(raw: bytes, index: int, layout: Layout) -> bool:
    """Return whether a row (of this index from 0, in its file) is to be loaded."""
    if index < layout.ignore_header:
        return False
    return not layout.ignore_blank_lines or bool(raw.strip())


def splitter(layout: Layout, columns: list[str]) -> Splitter:
    """Return the function that makes a row's fields, None for null, in the columns' order."""
    if layout.format == "json":
        return _json(columns, empty_as_null=layout.empty_as_null)
    if layout.format == "csv":
        return _csv(layout)
    return _delimited(layout)


def _lines(stream: Readable) -> Iterator[list[bytes]]:
    rest = b""
    while block := stream.read(_BLOCK):
        lines = (rest + block).split(b"\n")
        rest = lines.pop()
        if lines:
            yield lines
    if rest:
        yield [rest]


def _joined(
    batches: Iterable[list[bytes]], marker: bytes, toggles: Callable[[bytes, bool], bool]
) -> Iterator[list[bytes]]:
    """Join the lines of a row; ``toggles(line, open)`` says whether it goes on after a line."""
    parts: list[bytes] = []
    for lines in batches:
        rows = []
        for line in lines:
            if parts or marker in line:
                is_open = toggles(line, bool(parts))
                parts.append(line)
                if not is_open:
                    rows.append(b"\n".join(parts))
                    parts = []
            else:
                rows.append(line)
        yield rows
    if parts:
        yield [b"\n".join(parts)]


def _odd_backslashes(line: bytes, _open: bool = False) -> bool:
    return (len(line) - len(line.rstrip(b"\\"))) % 2 == 1


def _odd_quotes(quote: bytes) -> Callable[[bytes, bool], bool]:
    return lambda line, is_open: (line.count(quote) % 2 == 1) != is_open


def _delimited(layout: Layout) -> Splitter:
    delimiter, escape = layout.delimiter, layout.escape
    nulls = _nulls(layout)
    only_n = nulls == {rb"\N"}

    def plain(raw: bytes) -> Fields:
        return [None if field in nulls else field for field in raw.split(delimiter)]

    def escaped(raw: bytes) -> Fields:
        fields = plain(raw)
        backslashes = raw.count(b"\\")
        # Most rows have no backslash but those of their nulls.
        if not backslashes or (only_n and backslashes == fields.count(None)):
            return fields
        fields = []
        parts: list[bytes] = []
        for piece in raw.split(delimiter):
            if not parts and piece in nulls:
                fields.append(None)
            elif b"\\" not in piece and not parts:
                fields.append(piece)
            else:
                parts.append(piece)
                if not _odd_backslashes(piece):
                    fields.append(_ESCAPED.sub(rb"\1", delimiter.join(parts)))
                    parts = []
        return [*fields, delimiter.join(parts)] if parts else fields

    return escaped if escape else plain


def _csv(layout: Layout) -> Splitter:
    delimiter, quote, nulls = layout.delimiter, layout.quote, _nulls(layout)
    d, q = re.escape(delimiter), re.escape(quote)
    # Each field with the delimiter after it; the last one is given one.
    pattern = rb"(?:%b([^%b]*(?:%b%b[^%b]*)*)%b|([^%b%b]*))%b" % (q, q, q, q, q, q, d, q, d)
    match_field = re.compile(pattern).match

    def split(raw: bytes) -> Fields:
        if quote not in raw:
            return [None if value in nulls else value for value in raw.split(delimiter)]
        raw += delimiter
        fields: Fields = []
        at = 0
        while at < len(raw):
            found = match_field(raw, at)
            if found is None:
                raise BadRow(BadField(1214, "Invalid quote formatting for CSV"), len(fields))
            quoted, bare = found.groups()
            if quoted is None:
                fields.append(None if bare in nulls else bare)
            else:
                fields.append(quoted.replace(quote + quote, quote))
            at = found.end()
        return fields

    return split


def _json(columns: list[str], *, empty_as_null: bool) -> Splitter:
    # A field's JSON as it stands in the row: no number is ever read, so no digit is lost.
    slots = [(f"f{i}", msgspec.Raw, msgspec.Raw(b"null")) for i in range(len(columns))]
    keys = {slot[0]: column for slot, column in zip(slots, columns, strict=True)}
    decode = msgspec.json.Decoder(msgspec.defstruct("Row", slots, rename=keys)).decode

    def value(raw: bytes) -> bytes | None:
        if raw == b"null":
            return None
        if raw[:1] != b'"':
            return raw
        text = raw[1:-1] if b"\\" not in raw else _STRING.decode(raw).encode()
        return None if empty_as_null and not text else text

    def split(raw: bytes) -> Fields:
        try:
            return [value(bytes(part)) for part in msgspec.structs.astuple(decode(raw))]
        except (msgspec.DecodeError, UnicodeError) as error:
            raise BadRow(BadField(1216, f"Invalid JSON value. {error}")) from error

    return split


def _nulls(layout: Layout) -> frozenset[bytes]:
    return frozenset([layout.null_as, b""] if layout.empty_as_null else [layout.null_as])
