"""How far a COPY is in each of its files, and which rows it leaves out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from record_processors.local.redshift.failures import BadRow
    from record_processors.local.redshift.sources import DataFile


@dataclass
class Progress:
    """A file, how many of its rows have been read, and those (from 1) of them that are left out.

    ``left_out`` is in ascending order.
    """

    file: DataFile
    rows: int = 0
    left_out: list[tuple[int, BadRow]] = field(default_factory=list)

    @property
    def loaded(self) -> int:
        """How many rows went to the server."""
        return self.rows - len(self.left_out)

    def number_of(self, place: int) -> int:
        """Return the number in the file of the row that went to the server as this one."""
        for number, _ in self.left_out:
            if number > place:
                break
            place += 1
        return place
