"""The load ledger: a file is in it if and only if its rows are in the table."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import psycopg2.errors
import psycopg2.extensions

from .errors import Fatal, Transient
from .limits import COPY_MILLISECONDS
from .manifest import Chain, File
from .record import Position
from .redshift_settings import DATA_TABLE, FILE_KEY_COLUMN, FILE_TABLE
from .settings import Settings
from .sql import folded, quoted
from .warehouse import Cursor

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
    # How many digits the sequence numbers of both positions have: among equals the order of text is
    # theirs, so that a look-up compares the columns as they are, and Redshift passes over blocks by
    # their least and greatest values. NULL if text does not tell: the two differ in length, or have
    # leading zeros; there are none; or somebody else made the row.
    "digits SMALLINT",
)

# Redshift does not index: it keeps a table in the order of its sort key, and of each block of a
# column what lies in it. docs.aws.amazon.com/redshift/latest/dg/t_Sorting_data.html
SORT_KEY = "data_table, application, stream, shard, digits, last_position, first_position"

IN_CHAIN = "application = %s AND stream = %s AND shard = %s"
# Sequence numbers as they stand, of one length; or of any, written as text of one length, as they
# are too long for Redshift's numbers (38 digits). Sub-sequence numbers are left to ``judge``.
REACHES = "digits = %s AND last_position >= %s AND first_position < %s"
LENGTH = 64
REACHES_ANYHOW = (
    f"digits IS NULL AND lpad(split_part(last_position, '-', 1), {LENGTH}, '0') >= %s "
    f"AND lpad(split_part(first_position, '-', 1), {LENGTH}, '0') <= %s"
)
# More than one span of a chain only if files of long ago are among new ones, which must not make
# the ledger tell of all between.
MOST_SPANS = 4
# A SELECT for each span, as what is joined by OR lets no block be passed over; but no more of them.
MOST_SELECTS = 32


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
            first=self.first if self.last else None,
            last=self.last if self.first else None,
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
        if "digits" not in {column.name for column in cursor.description or ()}:
            cursor.execute(f"ALTER TABLE {self.table} ADD COLUMN digits SMALLINT")
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
            raise Transient(
                f"the ledger {self.table} is locked by another session, for longer than we wait "
                "(a long COPY of another loader, or a session that hangs): as a superuser, look "
                "at lock_owner_pid in stv_locks; SELECT pg_terminate_backend(pid) ends a session"
            ) from error

    def judge(self, cursor: Cursor, files: Sequence[File]) -> Verdict:
        """Say which of ``files``, in their order, are fresh, loaded already, or must not be.

        Those that are fresh count as loaded for what comes after them.
        """
        entered = [entry.as_file() for entry in self._entries_near(cursor, files)]
        by_url = {file.url: file for file in entered}
        taken = _Ranges(entered)
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
        row = "(" + ", ".join(["%s"] * 10) + ", getdate(), %s)"
        values: list[object] = []
        for file in files:
            values += [file.url, self.data_table, file.application, file.stream, file.shard]
            values += [file.first, file.last, file.rows, file.bytes, manifest, _digits(file)]
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
        """Read the rows that share a name with one of ``files``, or may overlap one.

        Raises Fatal if the table lacks our column.
        """
        names = _Condition(f"{self.key} IN %s", [tuple(file.url for file in files)])
        ordered: list[_Condition] = []
        unordered: list[_Condition] = []
        for chain, low, high in _spans(files):
            for digits in range(len(str(low)), len(str(high)) + 1):
                least, most = max(low, 10 ** (digits - 1)), min(high, 10**digits - 1)
                # "-" comes before ":", and each digit too.
                bounds = [digits, str(least), f"{most}:"]
                ordered.append(_Condition(f"{IN_CHAIN} AND {REACHES}", [*chain, *bounds]))
            bounds = [f"{low:0{LENGTH}}", f"{high:0{LENGTH}}"]
            unordered.append(_Condition(f"{IN_CHAIN} AND {REACHES_ANYHOW}", [*chain, *bounds]))
        groups = [[names], unordered, *(ordered[at::MOST_SELECTS] for at in range(MOST_SELECTS))]
        conditions = [_any(group) for group in groups if group]
        select = f"SELECT {self._entry} FROM {self.table} WHERE data_table = %s AND "  # noqa: S608
        try:
            cursor.execute(
                " UNION ALL ".join(select + condition.sql for condition in conditions),
                [value for one in conditions for value in (self.data_table, *one.values)],
            )
        except psycopg2.errors.UndefinedColumn as error:
            if '"digits"' not in str(error).partition("\n")[0]:
                raise
            raise Fatal(
                f"the ledger {self.table} (redshiftFileTable) was made by an older version: "
                "`kinesis-connectors create` brings it up to date"
            ) from error
        return [Entry(*row) for row in cursor.fetchall()]


class _Condition(NamedTuple):
    sql: str
    values: Sequence[object]


def _any(conditions: Sequence[_Condition]) -> _Condition:
    alternatives = " OR ".join(f"({one.sql})" for one in conditions)
    return _Condition(f"({alternatives})", [value for one in conditions for value in one.values])


def _ranges_differ(file: File, loaded: File) -> bool:
    if None in (file.first, file.last, loaded.first, loaded.last):
        return False
    return file.covered != loaded.covered


class _Range(NamedTuple):
    first: Position
    last: Position
    file: File


class _Ranges:
    """What is loaded, or about to be, by chain: ranges in order, by both of their ends."""

    def __init__(self, files: Iterable[File]) -> None:
        self._by_chain: dict[Chain, list[_Range]] = {}
        for file in sorted((file for file in files if file.chain), key=lambda file: file.covered):
            self.add(file)

    def add(self, file: File) -> None:
        """Take in a file that overlaps none, or begins no sooner than all; one without range not.

        What lies within another takes nothing that is not taken.
        """
        if (chain := file.chain) is not None:
            ranges = self._by_chain.setdefault(chain, [])
            first, last = file.covered
            at = bisect_right(ranges, first, key=_first)
            if not at or ranges[at - 1].last < last:
                ranges.insert(at, _Range(first, last, file))

    def overlapping(self, file: File) -> File | None:
        """Return a file whose range has a position in common with this one's."""
        if (chain := file.chain) is None:
            return None
        first, last = file.covered
        ranges = self._by_chain.get(chain, [])
        at = bisect_right(ranges, last, key=_first)
        # Of those that begin in time it is the one that ends last.
        return ranges[at - 1].file if at and ranges[at - 1].last >= first else None


def _first(taken: _Range) -> Position:
    return taken.first


def _spans(files: Iterable[File]) -> Iterator[tuple[Chain, int, int]]:
    """Return the sequence numbers from and to which a chain's files reach, near ones together."""
    by_chain: dict[Chain, list[tuple[int, int]]] = {}
    for file in files:
        if (chain := file.chain) is not None:
            (first, _), (last, _) = file.covered
            by_chain.setdefault(chain, []).append((first, last))
    for chain, ranges in by_chain.items():
        low, high = min(ranges)
        whole = max(last for _, last in ranges) - low
        for first, last in sorted(ranges):
            if (first - high) * MOST_SPANS > whole:
                yield chain, low, high
                low = first
            high = max(high, last)
        yield chain, low, high


def _digits(file: File) -> int | None:
    """Return what the column ``digits`` says of a file."""
    if file.first is None or file.last is None or "0" in (file.first[0], file.last[0]):
        return None
    first, last = file.first.index("-"), file.last.index("-")
    return first if first == last else None
