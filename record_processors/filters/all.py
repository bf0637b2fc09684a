"""Every record."""

from __future__ import annotations

from ..record import Record
from . import Filter


class All(Filter):
    """Keeps everything."""

    def keep(self, record: Record) -> bool:
        """Say yes."""
        del record
        return True
