"""JSON fields to CSV."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..record import Record
from ..settings import COLUMNS, Settings
from . import Transformer
from .json_object import json_fields, json_text

_NEEDS_QUOTES = re.compile(r'[",\r\n]')


class Csv(Transformer[bytes]):
    """Joins the named fields of a JSON object as RFC 4180 says, without a header.

    Null or absent is the empty field, an empty string is ``""``.
    """

    format = "csv"

    def __init__(self, columns: Sequence[str]) -> None:
        self.columns = columns

    @classmethod
    def from_settings(cls, settings: Settings) -> Csv:
        """Take the columns."""
        return cls(settings[COLUMNS])

    def transform(self, record: Record) -> tuple[bytes]:
        """Return one row; reject what is not one JSON object in UTF-8."""
        fields = json_fields(record.data)
        return (",".join([_field(fields.get(column)) for column in self.columns]).encode(),)


def _field(raw: bytes | memoryview | None) -> str:
    text = None if raw is None else json_text(raw)
    if text is None:
        return ""
    if not text or _NEEDS_QUOTES.search(text):
        return '"' + text.replace('"', '""') + '"'
    return text
