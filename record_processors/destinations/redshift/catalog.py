"""What Redshift's catalogue says of tables."""

from __future__ import annotations

import psycopg2.errors

from ...errors import Fatal
from .connection import Connection, Cursor

# What a cast to regclass fails with when there is no such table.
ABSENT = (psycopg2.errors.UndefinedTable, psycopg2.errors.InvalidSchemaName)


def columns_of(cursor: Cursor, table: str) -> list[str]:
    """Return the columns of a quoted ``[schema.]table``; one of ABSENT ends the transaction.

    From the catalogue, as a loader needs no right to SELECT.
    """
    cursor.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass "
        "AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        [table],
    )
    return [name for (name,) in cursor.fetchall()]


def is_there(connection: Connection, table: str) -> bool:
    """Whether a quoted ``[schema.]table`` exists. In a transaction of its own; raises Fatal."""
    try:
        with connection.transaction() as cursor:
            columns_of(cursor, table)
    except Fatal as error:
        if isinstance(error.__cause__, ABSENT):
            return False
        raise
    return True
