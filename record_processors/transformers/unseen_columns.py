"""Columns that no record has: a wrong name makes a column of nulls, without an error."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from .json_object import ABSENT, Fields, members

log = logging.getLogger(__name__)

MANY = 1000  # records: a column that none of so many has is likely misspelt


class UnseenColumns:
    """Looks at the first records of a life; says once of each column that they have it not."""

    def __init__(self, columns: Sequence[str]) -> None:
        self.columns = dict(enumerate(columns))
        self._left = MANY

    def look(self, data: bytes, fields: Fields) -> None:
        """Strike off what a record has; ``fields`` are its values in the order of the columns."""
        for index in [index for index in self.columns if fields[index] is not ABSENT]:
            del self.columns[index]
        self._left -= 1
        if self.columns:
            self._tell_of_case(data)
        if self.columns and not self._left:
            names = ", ".join(self.columns.values())
            log.warning("none of the first %s records has %s (transformerColumns)", MANY, names)
            self.columns.clear()

    def _tell_of_case(self, data: bytes) -> None:
        """Say at once that a key differs in case alone: it is hardly another one."""
        try:
            keys = {key.lower(): key for key in members(data)}
        except (ValueError, RecursionError):
            return  # whether the record is rejected must not hang on whether it is looked at
        for index, column in list(self.columns.items()):
            if (key := keys.get(column.lower())) is not None:
                del self.columns[index]
                log.warning(
                    "a record has %s, and not %s: case counts in transformerColumns", key, column
                )
