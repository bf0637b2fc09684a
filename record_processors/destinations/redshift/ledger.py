"""The load ledger: a file is in it if and only if its rows are in the table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import psycopg2.errors
import psycopg2.extensions

from ...config.setting import Settings
from ...errors import Fatal, Unavailable
from ...files.file import File
from .connection import Cursor
from .ledger_query import SORT_KEY, digits_of, near
from .ranges import Ranges, differ
from .repair import Repaired
from .settings import DATA_TABLE, FILE_KEY_COLUMN, FILE_TABLE
from .sql import folded, quoted
from .timeouts import COPY_MILLISECONDS, LOCK_MILLISECONDS

# The longest s3://bucket/key: 5 + 63 + 1 + 1,024 bytes, and some room.
URL_BYTES = 1280

COLUMNS = (
    "data_table VARCHAR(512) NOT NULL",
    "application VARCHAR(1020)",  # the messages' names: 255 characters of up to 4 bytes
    "stream VARCHAR(1020)",
    "shard VARCHAR(1020)",
    "first_position VARCHAR(128)",
    "last_position VARCHAR(128)",
    "row_count BIGINT",
    "byte_count BIGINT",
    f"manifest VARCHAR({URL_BYTES})",
    "loaded_at TIMESTAMP NOT NULL",
    "digits SMALLINT",  # of the sequence numbers; for looking up, see ledger_query.py
    "rows_left_out BIGINT",  # each a dead letter
)
ADDED_LATER = {"digits": "SMALLINT", "rows_left_out": "BIGINT"}  # which `create` adds


class RejectedFile(NamedTuple):
    """A file that must not be loaded, or cannot be, and why."""

    file: File
    reason: str


class Verdict(NamedTuple):
    """What the ledger says of some files, while it is locked."""

    fresh: list[File]
    loaded: list[File]
    rejected: list[RejectedFile]


class LedgerRow(NamedTuple):
    """One row of the ledger, as far as judging needs it."""

    url: str
    application: str | None
    stream: str | None
    shard: str | None
    first: str | None
    last: str | None
    bytes: int | None = None

    def as_file(self) -> File:
        """Return it as the file that was loaded."""
        bucket, _, key = self.url.removeprefix("s3://").partition("/")
        return File(
            bucket=bucket,
            key=key,
            application=self.application,
            stream=self.stream,
            shard=self.shard,
            first=self.first if self.last else None,
            last=self.last if self.first else None,
            bytes=self.bytes,
        )


class Ledger:
    """The table ``redshiftFileTable``; its methods run in the transaction of a cursor."""

    def __init__(self, table: str, key_column: str, data_table: str) -> None:
        self.table = quoted(table)
        self.key = quoted(key_column)
        self.data_table = folded(data_table)  # else another spelling were another table

    @classmethod
    def from_settings(cls, settings: Settings) -> Ledger:
        """Take the table, its key column, and the data table that the rows are about."""
        return cls(settings[FILE_TABLE], settings[FILE_KEY_COLUMN], settings[DATA_TABLE])

    def create(self, cursor: Cursor) -> None:
        """Make the table if it is not there."""
        columns = ", ".join([f"{self.key} VARCHAR({URL_BYTES}) NOT NULL", *COLUMNS])
        # The primary key is a hint that Redshift does not enforce: the lock does.
        cursor.execute(
            f"CREATE TABLE IF NOT EXISTS {self.table} "
            f"({columns}, PRIMARY KEY ({self.key}, data_table)) "
            f"DISTSTYLE EVEN COMPOUND SORTKEY ({SORT_KEY}, {self.key})"
        )

    def upgrade(self, cursor: Cursor) -> None:
        """Add what a table lacks that was made before, or rows that others entered. After LOCK."""
        cursor.execute(f"SELECT * FROM {self.table} LIMIT 0")  # noqa: S608
        there = {column.name for column in cursor.description or ()}
        for name, kind in ADDED_LATER.items():
            if name not in there:
                cursor.execute(f"ALTER TABLE {self.table} ADD COLUMN {name} {kind}")
        cursor.execute(
            f"UPDATE {self.table} SET digits = strpos(first_position, '-') - 1 "  # noqa: S608
            "WHERE digits IS NULL AND first_position >= '1' AND last_position >= '1' "
            "AND strpos(first_position, '-') = strpos(last_position, '-')"
        )

    def lock(self, cursor: Cursor) -> None:
        """Wait until no other loader is at work. Must be the transaction's first statement.

        A SELECT before it, even ``SELECT 1``, would fix the snapshot, and a file that another
        loader commits meanwhile would be loaded twice.

        Waits no longer than the connection's limit for a statement (Redshift has no lock_timeout);
        what follows in the transaction may last as long as a COPY. Both in one message: a limit
        counts from the message on, so that the new one is not yet LOCK's.
        """
        try:
            cursor.execute(f"LOCK {self.table}; SET LOCAL statement_timeout TO {COPY_MILLISECONDS}")
        except psycopg2.extensions.QueryCanceledError as error:
            raise Unavailable(
                f"the ledger {self.table} (redshiftFileTable) is locked by another session, for "
                f"longer than the {LOCK_MILLISECONDS // 60_000} minutes that we wait (a long COPY "
                "of another loader, or a session that hangs). `status` names it, as does "
                "lock_owner_pid in stv_locks; a superuser ends it: SELECT pg_terminate_backend(pid)"
            ) from error

    def judge(self, cursor: Cursor, files: Sequence[File]) -> Verdict:
        """Say which of ``files``, in their order, are fresh, loaded already, or must not be.

        Those that are fresh count as loaded for what comes after them.
        """
        entered = [row.as_file() for row in self._rows_near(cursor, files)]
        by_url = {file.url: file for file in entered}
        taken = Ranges(entered)
        verdict = Verdict([], [], [])
        for file in files:
            same = by_url.get(file.url)
            if same is not None:
                if differ(file, same):
                    reason = f"{file.url} is loaded with another range, {same.first} to {same.last}"
                    verdict.rejected.append(RejectedFile(file, reason))
                else:
                    verdict.loaded.append(file)
            elif (other := taken.overlapping(file)) is not None:
                reason = f"overlaps {other.url}, which covers {other.first} to {other.last}"
                verdict.rejected.append(RejectedFile(file, reason))
            else:
                verdict.fresh.append(file)
                by_url[file.url] = file
                taken.add(file)
        return verdict

    def enter(
        self,
        cursor: Cursor,
        files: Sequence[File],
        manifest: str,
        repaired: Mapping[File, Repaired],
    ) -> None:
        """Enter files whose rows this transaction loads; without those left out, if repaired."""
        row = "(" + ", ".join(["%s"] * 10) + ", getdate(), %s, %s)"
        values: list[object] = []
        for file in files:
            values += [file.url, self.data_table, file.application, file.stream, file.shard]
            rest = repaired.get(file)
            count, left_out = (rest.file.rows, len(rest.left_out)) if rest else (file.rows, 0)
            values += [file.first, file.last, count, file.bytes, manifest]
            values += [digits_of(file), left_out]
        names = ", ".join(column.split()[0] for column in COLUMNS)
        rows = ", ".join([row] * len(files))
        insert = f"INSERT INTO {self.table} ({self.key}, {names}) VALUES {rows}"  # noqa: S608
        try:
            cursor.execute(insert, values)
        except psycopg2.errors.UndefinedColumn as error:
            raise self._explained(error) from error

    def latest(self, cursor: Cursor) -> list[tuple[File, int]]:
        """Return a few of the files that were loaded last, the newest first.

        With each, how many of its rows were left out.
        """
        columns = f"coalesce(rows_left_out, 0), {self._columns}, byte_count"
        cursor.execute(
            f"SELECT {columns} FROM {self.table} WHERE data_table = %s "  # noqa: S608
            "ORDER BY loaded_at DESC LIMIT 5",
            [self.data_table],
        )
        return [(LedgerRow(*row).as_file(), left_out) for left_out, *row in cursor.fetchall()]

    def manifests(self, cursor: Cursor, urls: Iterable[str]) -> dict[str, str]:
        """Return of each of these files that is loaded the manifest that COPY read."""
        cursor.execute(
            f"SELECT {self.key}, manifest FROM {self.table} "  # noqa: S608
            f"WHERE data_table = %s AND {self.key} IN %s",
            [self.data_table, tuple(urls)],
        )
        return dict(cursor.fetchall())

    @property
    def _columns(self) -> str:
        return f"{self.key}, application, stream, shard, first_position, last_position"

    def _rows_near(self, cursor: Cursor, files: Sequence[File]) -> list[LedgerRow]:
        """Read the rows that share a name with one of ``files``, or may overlap one.

        Raises Fatal if the table lacks our column.
        """
        conditions = near(files, self.key)
        select = f"SELECT {self._columns} FROM {self.table} WHERE data_table = %s AND "  # noqa: S608
        try:
            cursor.execute(
                " UNION ALL ".join(select + condition.sql for condition in conditions),
                [value for one in conditions for value in (self.data_table, *one.values)],
            )
        except psycopg2.errors.UndefinedColumn as error:
            raise self._explained(error) from error
        return [LedgerRow(*row) for row in cursor.fetchall()]

    def _explained(self, error: psycopg2.Error) -> Exception:
        """Return the error, or what to do if it is that the table lacks a column of ours."""
        message, _, _ = str(error).partition("\n")
        if not any(f'"{name}"' in message for name in ADDED_LATER):
            return error
        return Fatal(
            f"the ledger {self.table} (redshiftFileTable) was made by an older version: "
            "`kinesis-connectors create` brings it up to date"
        )
