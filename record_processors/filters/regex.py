"""Records in whose text a regular expression is found."""

from __future__ import annotations

import re

from ..flow.record import Record
from .expression import ExpressionFilter


class Regex(ExpressionFilter):
    """Keeps a record if the expression (Python's ``re``) is found anywhere in its text.

    The text is the record as UTF-8; a byte that is not is the surrogate U+DC80 to U+DCFF.
    """

    language, invalid = "regex", re.error

    def __init__(self, expression: str) -> None:
        self._pattern = re.compile(expression)

    def keep(self, record: Record) -> bool:
        """Search the record's text."""
        return self._pattern.search(record.data.decode(errors="surrogateescape")) is not None
