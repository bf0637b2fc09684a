"""JSON fields to delimited text, under the rule of Redshift's ESCAPE."""

from __future__ import annotations

from collections.abc import Sequence

from ..record import Record
from ..settings import COLUMNS, DELIMITER, Settings
from . import Transformer
from .json_object import json_fields, json_text

NULL = r"\N"  # what we name in COPY's NULL AS


class Delimited(Transformer[bytes]):
    r"""Joins the named fields of a JSON object by a delimiter.

    A backslash goes before backslash, delimiter, newline and carriage return (ESCAPE in
    docs.aws.amazon.com/redshift/latest/dg/copy-parameters-data-conversion.html). Null or absent is
    ``\N``; numbers keep their digits; objects and arrays are JSON text.
    """

    format = "delimited"

    def __init__(self, columns: Sequence[str], delimiter: str) -> None:
        self.columns = columns
        self.delimiter = delimiter
        self._escapes = str.maketrans({char: "\\" + char for char in ("\\", delimiter, "\n", "\r")})

    @classmethod
    def from_settings(cls, settings: Settings) -> Delimited:
        """Take the columns and the delimiter."""
        return cls(settings[COLUMNS], settings[DELIMITER])

    def transform(self, record: Record) -> tuple[bytes]:
        """Return one row; reject what is not one JSON object in UTF-8."""
        fields = json_fields(record.data)
        return (self.delimiter.join([self._field(fields.get(c)) for c in self.columns]).encode(),)

    def _field(self, raw: bytes | memoryview | None) -> str:
        text = None if raw is None else json_text(raw)
        return NULL if text is None else text.translate(self._escapes)
