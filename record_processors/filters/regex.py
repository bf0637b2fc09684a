"""Records in whose text a regular expression is found."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..config.component import Contradiction
from ..config.setting import Settings
from ..flow.filter import Filter
from ..flow.record import Record
from .expression import EXPRESSION, not_compiled


class Regex(Filter):
    """Keeps a record if the expression (Python's ``re``) is found anywhere in its text.

    The text is the record as UTF-8; a byte that is not is the surrogate U+DC80 to U+DCFF.
    """

    declares = (EXPRESSION,)

    def __init__(self, expression: str) -> None:
        self._pattern = re.compile(expression)

    @classmethod
    def from_settings(cls, settings: Settings) -> Regex:
        """Take the expression."""
        return cls(settings[EXPRESSION])

    @classmethod
    def contradictions(cls, settings: Settings) -> Iterator[Contradiction]:
        """Refuse what is no expression."""
        yield from not_compiled(settings, "regex", re.compile, re.error)

    def keep(self, record: Record) -> bool:
        """Search the record's text."""
        return self._pattern.search(record.data.decode(errors="surrogateescape")) is not None
