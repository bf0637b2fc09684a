"""The load ledger: a file is in it if and only if its rows are in the table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import psycopg2.extensions

from .errors import Transient
from .manifest import Chain, File
from .record import Position
from .settings import DATA_TABLE, FILE_KEY_COLUMN, FILE_TABLE, Settings
from .sql import folded, quoted
from .warehouse import COPY_MILLISECONDS, Cursor

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
)


class Refused(NamedTuple):
    """A file that must not be loaded, or cannot be, and why."""

    file: File
    reason: str


class Verdict(NamedTuple):
    """What the ledger says of some files, while it is locked."""

    fresh: list[File]
    loaded: list[File]
    refused: list[Refused]


class Entry(NamedTuple):
    """One row of the ledger, as far as judging needs it."""

    url: str
    application: str | None
    stream: str | None
    shard: str | None
    first: str | None
    last: str | None

    def as_file(self) -> File:
        """Return it as the file that was loaded."""
        bucket, _, key = self.url.removeprefix("s3://").partition("/")
        return File(
            bucket=bucket,
            key=key,
            application=self.application,
            stream=self.stream,
            shard=self.shard,
            first=self.first,
            last=self.last,
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
        cursor.execute(f"CREATE TABLE IF NOT EXISTS {self.table} ({columns})")

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
            raise Transient(
                f"the ledger {self.table} is locked by another session, for longer than we wait "
                "(a long COPY of another loader, or a session that hangs): as a superuser, look "
                "at lock_owner_pid in stv_locks; SELECT pg_terminate_backend(pid) ends a session"
            ) from error

    def judge(self, cursor: Cursor, files: Sequence[File]) -> Verdict:
        """Say which of ``files``, in their order, are fresh, loaded already, or must not be.

        Those that are fresh count as loaded for what comes after them.
        """
        entries = self._entries_near(cursor, files)
        by_url = {entry.url: entry.as_file() for entry in entries}
        taken = _Ranges(by_url.values())
        verdict = Verdict([], [], [])
        for file in files:
            same = by_url.get(file.url)
            if same is not None:
                if _ranges_differ(file, same):
                    reason = f"{file.url} is loaded with another range, {same.first} to {same.last}"
                    verdict.refused.append(Refused(file, reason))
                else:
                    verdict.loaded.append(file)
            elif (other := taken.overlapping(file)) is not None:
                reason = f"overlaps {other.url}, which covers {other.first} to {other.last}"
                verdict.refused.append(Refused(file, reason))
            else:
                verdict.fresh.append(file)
                by_url[file.url] = file
                taken.add(file)
        return verdict

    def enter(self, cursor: Cursor, files: Sequence[File], manifest: str) -> None:
        """Enter files whose rows this transaction loads."""
        row = "(" + ", ".join(["%s"] * 10) + ", getdate())"
        values: list[object] = []
        for file in files:
            values += [file.url, self.data_table, file.application, file.stream, file.shard]
            values += [file.first, file.last, file.rows, file.bytes, manifest]
        names = ", ".join(column.split()[0] for column in COLUMNS)
        rows = ", ".join([row] * len(files))
        cursor.execute(f"INSERT INTO {self.table} ({self.key}, {names}) VALUES {rows}", values)  # noqa: S608

    def latest(self, cursor: Cursor) -> list[File]:
        """Return a few of the files that were loaded last, the newest first."""
        cursor.execute(
            f"SELECT {self._entry} FROM {self.table} WHERE data_table = %s "  # noqa: S608
            "ORDER BY loaded_at DESC LIMIT 5",
            [self.data_table],
        )
        return [Entry(*row).as_file() for row in cursor.fetchall()]

    @property
    def _entry(self) -> str:
        return f"{self.key}, application, stream, shard, first_position, last_position"

    def _entries_near(self, cursor: Cursor, files: Sequence[File]) -> list[Entry]:
        """Read the rows that share a name with one of ``files``, or may overlap one."""
        clauses, values = [f"{self.key} IN %s"], [self.data_table, tuple(f.url for f in files)]
        by_chain: dict[Chain, list[tuple[Position, Position]]] = {}
        for file in files:
            if file.chain is not None:
                by_chain.setdefault(file.chain, []).append(file.covered)
        for chain, ranges in by_chain.items():
            clauses.append(
                "(application = %s AND stream = %s AND shard = %s AND "
                f"{_sortable('first_position')} <= %s AND {_sortable('last_position')} >= %s)"
            )
            values += [*chain, _sortable_value(max(last for _, last in ranges))]
            values.append(_sortable_value(min(first for first, _ in ranges)))
        cursor.execute(
            f"SELECT {self._entry} FROM {self.table} "  # noqa: S608
            f"WHERE data_table = %s AND ({' OR '.join(clauses)})",
            values,
        )
        return [Entry(*row) for row in cursor.fetchall()]


def _ranges_differ(file: File, loaded: File) -> bool:
    if None in (file.first, file.last, loaded.first, loaded.last):
        return False
    return file.covered != loaded.covered


class _Ranges:
    """What is loaded, or about to be, by chain."""

    def __init__(self, files: Iterable[File]) -> None:
        self._by_chain: dict[Chain, list[tuple[Position, Position, File]]] = {}
        for file in files:
            self.add(file)

    def add(self, file: File) -> None:
        """Take in a file; one that says no range takes none."""
        if (chain := file.chain) is not None:
            self._by_chain.setdefault(chain, []).append((*file.covered, file))

    def overlapping(self, file: File) -> File | None:
        """Return a file whose range has a position in common with this one's."""
        if (chain := file.chain) is None:
            return None
        first, last = file.covered
        for other_first, other_last, other in self._by_chain.get(chain, ()):
            if first <= other_last and other_first <= last:
                return other
        return None


# Positions are decimals of up to 39 digits and more, too long for Redshift's numbers (38): they are
# compared as text of one length.
_DIGITS = 64


def _sortable(column: str) -> str:
    parts = [f"lpad(split_part({column}, '-', {part}), {_DIGITS}, '0')" for part in (1, 2)]
    return " || ".join(parts)


def _sortable_value(position: Position) -> str:
    return f"{position.sequence:0{_DIGITS}}{position.sub_sequence:0{_DIGITS}}"
