"""Rows on trial: which of them PostgreSQL would refuse, found without the table that is loaded.

The server's COPY ends with the first row that it refuses, and its transaction with it. So rows are
tried before, on a connection of our own, in a temporary table that takes what the target takes: of
the same types, NOT NULL where it is. Neither the client's transaction nor any lock has part in it,
not even if the client has locked the target, or made it in a transaction that is still open.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import psycopg2

from record_processors.local.redshift import sql
from record_processors.local.redshift.failures import CopyError
from record_processors.local.redshift.server_problems import refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from record_processors.local.redshift.columns import Column
    from record_processors.local.redshift.copy_statement import CopyStatement
    from record_processors.local.redshift.failures import BadRow
    from record_processors.local.redshift.postgres import Cluster

_TABLE = "pg_temp.trial"
# Where one row is refused, others mostly are: so few are sent after it that sending them in vain
# costs no more than the statement. The number doubles with each that goes through.
_AFTER_REFUSAL = 64


class Trial:
    """Tries encoded rows. Blocks; to be closed.

    ``table`` are all columns of the target, ``loaded`` those that the COPY loads.
    """

    def __init__(
        self, cluster: Cluster, copy: CopyStatement, table: list[Column], loaded: list[Column]
    ) -> None:
        self._columns = loaded
        self._copy = copy.into(_TABLE)
        # Refusals are what it is for, and not for the server's log.
        self._own = cluster.connect(options="-c log_min_messages=fatal")
        with self._own.cursor() as cursor:
            columns = ", ".join(_definition(column, loaded) for column in table)
            # Each COPY is a transaction, so no more rows lie there than one of them has.
            cursor.execute(f"CREATE TEMPORARY TABLE trial ({columns}) ON COMMIT DELETE ROWS")

    def close(self) -> None:
        """Leave nothing behind."""
        self._own.close()

    def refused(self, lines: Sequence[bytes], most: int) -> list[tuple[int, BadRow]]:
        """Return which lines (from 0) are refused, and why: the first ones, so many at most.

        Raises ``CopyError`` if the server complains of something else than a value.
        """
        found: list[tuple[int, BadRow]] = []
        at, size = 0, len(lines)
        while at < len(lines) and len(found) < most:
            tried = lines[at : at + size]
            refused = self._try(tried)
            if refused is None:
                at, size = at + len(tried), size * 2
            else:
                place, problem = refused
                found.append((at + place - 1, problem))
                at, size = at + place, _AFTER_REFUSAL
        return found

    def _try(self, lines: Sequence[bytes]) -> tuple[int, BadRow] | None:
        """Return the first line (from 1) that is refused."""
        body = io.BytesIO(b"\n".join([*lines, b""]))
        try:
            with self._own.cursor() as cursor:
                cursor.copy_expert(self._copy, body)
        except psycopg2.Error as error:
            told = error.diag
            fields = {"C": told.sqlstate, "M": told.message_primary, "W": told.context}
            fields["c"] = told.column_name
            said = {key: value for key, value in fields.items() if value is not None}
            if "C" not in said:
                raise  # the server has gone
            if found := refusal(said, self._columns):
                return found
            raise CopyError(said["M"], code=said["C"]) from error
        return None


def _definition(column: Column, loaded: list[Column]) -> str:
    """Define a column so that it refuses what the target's does; what is not loaded is made."""
    constraint = " NOT NULL" if column.required else ""
    if column not in loaded and column.identity:
        constraint = " DEFAULT 0"  # in no other column does ``GENERATED`` stand
    elif column not in loaded and column.has_default:
        constraint = ""
    return f"{sql.quote_name(column.name)} {column.type}{constraint}"
