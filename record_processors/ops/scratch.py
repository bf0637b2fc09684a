"""What an audit compares, on disk: so that its memory does not grow with the files."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone

from ..files.file import File
from ..files.file_ledger import LoadedFile
from ..flow.record import Position
from .file_listing import Listed

# Of pages, and as much again while it sorts: more of it was no quicker with 96,000 files.
MEMORY_KIB = 4 * 1024
# A file is in one of these states, as far as its table is concerned.
IN_S3, LOADED, WAITING, KEPT_OUT, LOST = range(5)
# Of which files a query is: of chains, or written by redrive; see ``Listed``.
OF_CHAINS, REDRIVEN_ONES = "instr(shard, '/') = 0", "instr(shard, '/') > 0"

TABLES = f"""
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -{MEMORY_KIB};
CREATE TABLE listed (shard, first, key, bytes, written, hour);
CREATE TABLE loaded (key, shard, first, last, rows, left_out);
CREATE TABLE announced (key, first, last, by_letter);
CREATE TABLE letters (object, path, file, letters, reason);
CREATE TABLE kept_out (key PRIMARY KEY);
CREATE TABLE gaps (shard, first, what);
CREATE TABLE refused (shard, first);
"""


class Scratch:
    """A database of its own in a temporary file, which is gone when this process is.

    ``files`` has those of the listing in the order of their shards, numbered without a gap.
    """

    def __init__(self, bucket: str) -> None:
        self.db = sqlite3.connect("")
        self.db.executescript(TABLES)
        self.prefix = f"s3://{bucket}/"

    def add_loaded(self, files: Iterable[LoadedFile]) -> None:
        """Take in what the ledger has."""
        rows = (
            (
                file.url.removeprefix(self.prefix),
                file.shard,
                file.first and ordered(Position.parse(file.first)),
                file.last and ordered(Position.parse(file.last)),
                file.rows,
                file.left_out,
            )
            for file in files
        )
        self.db.executemany("INSERT INTO loaded VALUES (?, ?, ?, ?, ?, ?)", rows)
        self.db.execute("CREATE INDEX loaded_key ON loaded (key)")

    def add_listed(self, files: Iterable[Listed]) -> None:
        """Take in what is in S3, and number it."""
        rows = (
            (
                file.shard,
                ordered(file.first),
                file.key,
                file.bytes,
                file.written,
                int(file.hour.timestamp()),
            )
            for file in files
        )
        self.db.executemany("INSERT INTO listed VALUES (?, ?, ?, ?, ?, ?)", rows)
        self.db.executescript(
            """
            CREATE TABLE files (
                number INTEGER PRIMARY KEY, shard, first, key, bytes, written, hour, state
            );
            INSERT INTO files (shard, first, key, bytes, written, hour, state)
                SELECT shard, first, key, bytes, written, hour, 0 FROM listed
                ORDER BY shard, first, key;
            DROP TABLE listed;
            CREATE INDEX files_first ON files (shard, first);
            CREATE INDEX files_key ON files (key);
            """
        )

    def add_announced(self, files: Iterable[File]) -> None:
        """Take in what messages announce that are not read yet."""
        self.db.executemany("INSERT INTO announced VALUES (?, ?, ?, 0)", map(self._place, files))
        self.db.execute("CREATE INDEX announced_key ON announced (key)")

    def add_by_letter(self, file: File) -> None:
        """Take in a file that a letter says is not loaded."""
        self.db.execute("INSERT INTO announced VALUES (?, ?, ?, 1)", self._place(file))

    def _place(self, file: File) -> tuple[object, ...]:
        ends = (
            ordered(position) if position else None
            for position in (file.covered if file.first else (None, None))
        )
        return (file.url.removeprefix(self.prefix), *ends)

    def shards(self) -> list[tuple[str, int, int]]:
        """Return each shard that has a chain, with the numbers of its first and last file."""
        return self.db.execute(
            f"SELECT shard, min(number), max(number) FROM files WHERE {OF_CHAINS} "  # noqa: S608
            "GROUP BY shard ORDER BY shard"
        ).fetchall()

    def key(self, number: int) -> str:
        """Return the key of a file."""
        return str(self._one("SELECT key FROM files WHERE number = ?", number))

    def number_after(self, shard: str, where: Position) -> int | None:
        """Return the number of the first file of a shard that begins after a position."""
        found = self._one(
            "SELECT min(number) FROM files WHERE shard = ? AND first > ?", shard, ordered(where)
        )
        return None if found is None else int(str(found))

    def first_after(self, shard: str, where: Position, other_than: int) -> Position | None:
        """Return where the first file begins after a position, but for one."""
        found = self._one(
            "SELECT min(first) FROM files WHERE shard = ? AND first > ? AND number != ?",
            shard,
            ordered(where),
            other_than,
        )
        return None if found is None else position(str(found))

    def loaded_ranges(
        self, shard: str, begin: str, end: str
    ) -> Iterator[tuple[Position, Position]]:
        """Yield what the ledger has of a shard that begins between two ``ordered`` places."""
        rows = self.rows(
            "SELECT first, last FROM loaded WHERE shard = ? AND first > ? AND first < ?",
            shard,
            begin,
            end,
        )
        return ((position(str(first)), position(str(last))) for first, last in rows)

    def knows_of(self, folder: str) -> bool:
        """Whether a file below a folder is listed, loaded, or announced."""
        where = "WHERE key BETWEEN ? AND ? LIMIT 1"
        ends = (folder, f"{folder}\U0010ffff")
        return any(
            self._one(f"SELECT 1 FROM {table} {where}", *ends)  # noqa: S608
            for table in ("files", "loaded", "announced")
        )

    def is_loaded(self, key: str) -> bool:
        """Whether the ledger has a file."""
        return self._one("SELECT 1 FROM loaded WHERE key = ?", key) is not None

    def is_listed(self, key: str) -> bool:
        """Whether a file is in the listing."""
        return self._one("SELECT 1 FROM files WHERE key = ?", key) is not None

    def keep_out(self, key: str) -> None:
        """Note that a letter says of a file why it is not loaded."""
        self.db.execute("INSERT OR IGNORE INTO kept_out VALUES (?)", (key,))

    def add_refused(self, shard: str, first: Position) -> None:
        """Note that a letter has this record."""
        self.db.execute("INSERT INTO refused VALUES (?, ?)", (shard, ordered(first)))

    def add_gap(self, shard: str, first: Position, what: str) -> None:
        """Note that files are missing before one that begins there."""
        self.db.execute("INSERT INTO gaps VALUES (?, ?, ?)", (shard, ordered(first), what))

    def rows(self, sql: str, *values: object) -> Iterator[tuple[object, ...]]:
        """Yield what a query finds."""
        yield from self.db.execute(sql, values)

    def count(self, sql: str, *values: object) -> int:
        """Return the one number that a query finds."""
        return int(str(self._one(sql, *values) or 0))

    def _one(self, sql: str, *values: object) -> object:
        row = self.db.execute(sql, values).fetchone()
        return row[0] if row else None


def ordered(position: Position) -> str:
    """Write a position so that the order of text is its own."""
    return f"{position.sequence:060}-{position.sub_sequence:020}"


def position(text: str) -> Position:
    """Read what ``ordered`` wrote."""
    return Position.parse(text)


def moment(seconds: float) -> datetime:
    """Return a time of the database."""
    return datetime.fromtimestamp(seconds, timezone.utc)
