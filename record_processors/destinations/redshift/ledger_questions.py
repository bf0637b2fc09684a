"""What others may ask of the ledger: read without its lock, and without waiting for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg2.extensions

from ...config.setting import Settings
from ...files.file_ledger import FileLedger, LedgerLocked, LoadedFile, TableRows
from .connection import Connection, Cursor
from .ledger import Ledger
from .settings import DATA_TABLE
from .sql import quoted
from .timeouts import COUNT_MILLISECONDS, QUESTION_MILLISECONDS

# That a cursor fetches; a cluster of one node gives no more:
# docs.aws.amazon.com/redshift/latest/dg/declare.html
ROWS_AT_ONCE = 1000


class LedgerQuestions(FileLedger):
    """Answers from the table ``redshiftFileTable``, for the one table that the file names."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.ledger = Ledger.from_settings(settings)
        self.table = quoted(settings[DATA_TABLE])

    def loaded(self, application: str, stream: str) -> Iterator[LoadedFile]:
        """Yield the rows of a named cursor: the server keeps them, whatever their number."""
        ledger, below = self.ledger, f"{application}/"
        locked = (
            f"the ledger {ledger.table} is locked by another session, a load or one that hangs "
            "(`status` says which)"
        )
        with (
            self._reading(QUESTION_MILLISECONDS, locked) as cursor,
            cursor.connection.cursor("loaded_files") as rows,
        ):
            rows.itersize = ROWS_AT_ONCE
            rows.execute(
                f"SELECT {ledger.key}, shard, first_position, last_position, row_count, "  # noqa: S608
                f"coalesce(rows_left_out, 0) FROM {ledger.table} "
                "WHERE data_table = %s AND stream = %s "
                "AND (application = %s OR left(application, %s) = %s)",
                [ledger.data_table, stream, application, len(below), below],
            )
            for row in rows:
                yield LoadedFile(*row)

    def rows(self, application: str) -> TableRows:
        """Count in one statement: both tables as they are at one moment."""
        slow = f"{self.table} is too large, or a load has it or the ledger locked"
        with self._reading(COUNT_MILLISECONDS, slow) as cursor:
            cursor.execute(
                f"SELECT (SELECT count(*) FROM {self.table}), coalesce(sum(row_count), 0), "  # noqa: S608
                "coalesce(sum(CASE WHEN application = %s THEN 0 ELSE 1 END), 0) "
                f"FROM {self.ledger.table} WHERE data_table = %s",
                [application, self.ledger.data_table],
            )
            found = cursor.fetchone() or (0, 0, 0)
        return TableRows(*map(int, found))

    @contextmanager
    def _reading(self, milliseconds: int, why: str) -> Iterator[Cursor]:
        with (
            closing(Connection.from_settings(self.settings)) as connection,
            connection.rolled_back() as cursor,
        ):
            try:
                cursor.execute(f"SET LOCAL statement_timeout TO {milliseconds}")
                yield cursor
            except psycopg2.extensions.QueryCanceledError as error:
                raise LedgerLocked(
                    f"{why}, for longer than the {milliseconds / 1000:g} s that a question waits"
                ) from error
