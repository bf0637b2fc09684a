"""JSON fields to CSV."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..config.null_string import COPYS_OWN, NULL
from ..config.setting import Settings
from .fields import COLUMNS, FieldRows

_NEEDS_QUOTES = re.compile(r'[",\r\n]')


class Csv(FieldRows):
    """Joins the named fields of a JSON object as RFC 4180 says, without a header.

    An empty string is ``""``.
    """

    format = "csv"

    def __init__(self, columns: Sequence[str], null: str = COPYS_OWN) -> None:
        super().__init__(columns, ",", null, ['""'])

    @classmethod
    def from_settings(cls, settings: Settings) -> Csv:
        """Take the columns and the null string."""
        return cls(settings[COLUMNS], settings[NULL])

    def written(self, text: str) -> str:
        """Quote it where it must be."""
        if not text or _NEEDS_QUOTES.search(text):
            return '"' + text.replace('"', '""') + '"'
        return text
