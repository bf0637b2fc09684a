"""Every record."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import repeat

from ..config.component import Contradiction
from ..config.setting import Settings
from ..flow.filter import Filter
from ..flow.record import Record
from .expression import EXPRESSION


class All(Filter):
    """Keeps everything."""

    @classmethod
    def contradictions(cls, settings: Settings) -> Iterable[Contradiction]:
        """Refuse an expression: whoever wrote it believes that it counts."""
        if EXPRESSION in settings:
            yield EXPRESSION.key, f"{EXPRESSION.key} has no effect with filter = all"

    def keep(self, record: Record) -> bool:
        """Say yes."""
        del record
        return True

    def keep_all(self, records: Sequence[Record]) -> Iterable[bool]:
        """Say yes to all."""
        return repeat(True, len(records))
