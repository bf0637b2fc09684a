"""JSON fields to CSV."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..config.setting import Settings
from ..flow.record import Record
from ..flow.transformer import Transformer
from .fields import COLUMNS
from .json_object import as_lines, fields_reader, json_text

_NEEDS_QUOTES = re.compile(r'[",\r\n]')
_NEEDS_CARE = re.compile(rb'[\\\[{,]|""')


class Csv(Transformer[bytes]):
    """Joins the named fields of a JSON object as RFC 4180 says, without a header.

    Null or absent is the empty field, an empty string is ``""``.
    """

    format = "csv"
    declares = (COLUMNS,)

    def __init__(self, columns: Sequence[str]) -> None:
        self._fields = fields_reader(columns)

    @classmethod
    def from_settings(cls, settings: Settings) -> Csv:
        """Take the columns."""
        return cls(settings[COLUMNS])

    def transform(self, record: Record) -> tuple[bytes]:
        """Return one row; reject what is not one JSON object in UTF-8."""
        fields = self._fields(record.data)
        lines = as_lines(fields)
        if _NEEDS_CARE.search(lines):
            return (",".join(map(_quoted, fields)).encode(),)
        row = lines.replace(b"null\n", b"\n").replace(b'"', b"")
        return (row[:-1].replace(b"\n", b","),)


def _quoted(raw: bytes | memoryview) -> str:
    text = json_text(raw)
    if text is None:
        return ""
    if not text or _NEEDS_QUOTES.search(text):
        return '"' + text.replace('"', '""') + '"'
    return text
