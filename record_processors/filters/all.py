"""Every record."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import repeat

from ..record import Record
from . import Filter


class All(Filter):
    """Keeps everything."""

    def keep(self, record: Record) -> bool:
        """Say yes."""
        del record
        return True

    def keep_all(self, records: Sequence[Record]) -> Iterable[bool]:
        """Say yes to all."""
        return repeat(True, len(records))
