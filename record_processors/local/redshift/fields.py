r"""A row of delimited text or CSV into fields, by Redshift's rules and not by PostgreSQL's.

A backslash under ESCAPE stands for the character after it and for nothing else: ``\n`` is an ``n``.
https://docs.aws.amazon.com/redshift/latest/dg/copy-parameters-data-conversion.html
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from record_processors.local.redshift.failures import BadField, BadRow
from record_processors.local.redshift.layout import Layout
from record_processors.local.redshift.rows import odd_backslashes

if TYPE_CHECKING:
    from typing import TypeAlias

Fields: TypeAlias = "list[bytes | None]"
Splitter: TypeAlias = Callable[[bytes], Fields]

_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)


def text_splitter(layout: Layout) -> Splitter:
    """Return the function that makes a row's fields, None for null."""
    split = _csv(layout) if layout.format == "csv" else _delimited(layout)

    def checked(raw: bytes) -> Fields:
        if b"\0" in raw:
            raise _nul(raw)
        return split(raw)

    return checked


def _nul(raw: bytes) -> BadRow:
    """Return what COPY says of a NUL: it ends the record, and no newline follows.

    Documented is no more than the end of the record (NULL AS). What comes before it is not loaded
    here, even if nothing follows, so that no value is ever cut without a word.
    """
    at = raw.find(b"\0")
    after = raw[at + 1 : at + 2] or b"\0"
    said = f"Missing newline: Unexpected character {after[0]:#x} found at location {at + 1}"
    return BadRow(BadField(1216, said), value=b"\0")


def _delimited(layout: Layout) -> Splitter:
    delimiter, null = layout.delimiter, layout.null_as
    # "\N and \\N produce the same results" as long as there is no other null string.
    nulls = frozenset([null, rb"\\N"] if null == rb"\N" else [null])
    only_n = null == rb"\N"

    def plain(raw: bytes) -> Fields:
        return [None if field == null else field for field in raw.split(delimiter)]

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
                if not odd_backslashes(piece):
                    fields.append(_ESCAPED.sub(rb"\1", delimiter.join(parts)))
                    parts = []
        return [*fields, delimiter.join(parts)] if parts else fields

    return escaped if layout.escape else plain


def _csv(layout: Layout) -> Splitter:
    delimiter, quote, null = layout.delimiter, layout.quote, layout.null_as
    d, q = re.escape(delimiter), re.escape(quote)
    # "white space between the delimiters and the quote characters is ignored"
    blank = b"[%b]*" % b" \t".replace(delimiter, b"")
    # Each field with the delimiter after it; the last one is given one.
    pattern = rb"(?:%b%b([^%b]*(?:%b%b[^%b]*)*)%b%b|([^%b%b]*))%b" % (
        blank, q, q, q, q, q, q, blank, q, d, d,
    )  # fmt: skip
    match_field = re.compile(pattern).match

    def split(raw: bytes) -> Fields:
        if quote not in raw:
            return [None if value == null else value for value in raw.split(delimiter)]
        raw += delimiter
        fields: Fields = []
        at = 0
        while at < len(raw):
            found = match_field(raw, at)
            if found is None:
                raise BadRow(BadField(1214, "Invalid quote formatting for CSV"), len(fields))
            quoted, bare = found.groups()
            value = bare if quoted is None else quoted.replace(quote + quote, quote)
            fields.append(None if value == null else value)
            at = found.end()
        return fields

    return split
