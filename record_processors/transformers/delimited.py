"""JSON fields to delimited text, under the rule of Redshift's ESCAPE."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..config.setting import Settings
from ..flow.record import Record
from ..flow.transformer import Transformer
from .fields import COLUMNS, DELIMITER
from .json_object import as_lines, fields_reader, json_text

NULL = r"\N"  # what we name in COPY's NULL AS


class Delimited(Transformer[bytes]):
    r"""Joins the named fields of a JSON object by a delimiter.

    A backslash goes before backslash, delimiter, newline and carriage return (ESCAPE in
    docs.aws.amazon.com/redshift/latest/dg/copy-parameters-data-conversion.html). Null or absent is
    ``\N``; numbers keep their digits; objects and arrays are JSON text.
    """

    format = "delimited"
    declares = (COLUMNS, DELIMITER)

    def __init__(self, columns: Sequence[str], delimiter: str) -> None:
        self._fields = fields_reader(columns)
        self._delimiter = delimiter
        self._separator = delimiter.encode()
        self._needs_care = re.compile(rb"[\\\[{" + re.escape(self._separator) + b"]").search
        self._escapes = str.maketrans({char: "\\" + char for char in ("\\", delimiter, "\n", "\r")})

    @classmethod
    def from_settings(cls, settings: Settings) -> Delimited:
        """Take the columns and the delimiter."""
        return cls(settings[COLUMNS], settings[DELIMITER])

    def transform(self, record: Record) -> tuple[bytes]:
        """Return one row; reject what is not one JSON object in UTF-8."""
        fields = self._fields(record.data)
        lines = as_lines(fields)
        if self._needs_care(lines):
            return (self._delimiter.join(map(self._escaped, fields)).encode(),)
        row = lines.replace(b"null\n", b"\\N\n").replace(b'"', b"")
        return (row[:-1].replace(b"\n", self._separator),)

    def _escaped(self, raw: bytes | memoryview) -> str:
        text = json_text(raw)
        return NULL if text is None else text.translate(self._escapes)
