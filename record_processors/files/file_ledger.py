"""A table that says which files are loaded, as far as others may ask it: whoever keeps it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import NamedTuple

from ..config.resource import Resource
from ..errors import ConnectorError


class LedgerLocked(ConnectorError):
    """There is no answer in the time that a question may wait, mostly as a load is at work."""


class LoadedFile(NamedTuple):
    """What the ledger says of one file; a file without a range has no ``first`` and ``last``."""

    url: str
    shard: str | None
    first: str | None
    last: str | None
    rows: int | None
    left_out: int


class TableRows(NamedTuple):
    """Rows in the table, by one look at both: as it counts them, and as the ledger adds them up.

    ``of_others`` are files in the ledger that are not of the application that was asked about, or
    do not say so.
    """

    counted: int
    entered: int
    of_others: int


class FileLedger(Resource):
    """Which files are in a table. It is only read, and never waited for."""

    @abstractmethod
    def loaded(self, application: str, stream: str) -> Iterator[LoadedFile]:
        """Yield the files of an application's chains, in no order, as they are at one moment.

        And those of the applications whose names go on with a slash: what it has put back.

        A load cannot begin until all are read: so read them at once. Raises LedgerLocked, Fatal.
        """

    @abstractmethod
    def rows(self, application: str) -> TableRows:
        """Count the table's rows, and what the ledger says.

        Raises LedgerLocked, also if there are too many to be counted in time; Fatal.
        """
