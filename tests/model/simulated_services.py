"""S3, Kinesis and Redshift as their clients see them: boto3's methods, psycopg2's connection.

Redshift's transactions are as under snapshot isolation: what one sees is fixed by its first
statement that reads or writes, and LOCK is none. Its SQL is run by SQLite on what is seen.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import SimpleNamespace
from typing import Any, NamedTuple, NoReturn

import botocore.exceptions
import greenlet
import psycopg2

from model.simulation import Effect, Process, demand, perform
from record_processors.flow.record import Position


def cut() -> Exception:
    """Make the error of a connection that was closed before an answer came."""
    return botocore.exceptions.ConnectionClosedError(endpoint_url="https://aws")


def refused(code: str, status: int) -> Exception:
    """Make the error that AWS answers with."""
    answer = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return botocore.exceptions.ClientError(answer, "Call")


class Place(NamedTuple):
    """What a file of stage one says of its place: positions of a shard, both included."""

    shard: str
    first: Position
    last: Position


@dataclass(frozen=True)
class Stored:
    """An object; ``lines`` are its rows, without their ends."""

    body: bytes
    metadata: dict[str, str]
    lines: tuple[bytes, ...]

    @cached_property
    def place(self) -> Place | None:
        """Its place; None if it is no file of stage one."""
        if "first-position" not in (about := self.metadata):
            return None
        ends = (Position.parse(about[name]) for name in ("first-position", "last-position"))
        return Place(about["shard"], *ends)


class S3:
    """One bucket; ``look`` sees each object that is new, before anybody else does."""

    def __init__(self, look: Callable[[str, Stored], None]) -> None:
        self.look = look
        self.objects: dict[str, Stored] = {}
        self.deleted: dict[str, Stored] = {}

    def delete(self, key: str) -> None:
        """Take an object away, as a person does."""
        self.deleted[key] = self.objects.pop(key)

    def put_object(
        self,
        *,
        Bucket: str,
        Key: str,
        Body: Any,
        IfNoneMatch: str = "",
        Metadata: Any = None,
        **_: str,
    ) -> object:
        body = bytes(Body.read())
        plain = gzip.decompress(body) if Key.endswith(".gz") else body
        stored = Stored(body, dict(Metadata or {}), tuple(plain.splitlines()))

        def put() -> None:
            if IfNoneMatch and Key in self.objects:
                raise refused("PreconditionFailed", 412)
            if Key not in self.objects:
                self.look(Key, stored)
            before = self.objects.setdefault(Key, stored)
            is_read_by_copy = "/manifests/" in Key or "/repaired/" in Key
            is_same = not is_read_by_copy or before.body == body
            demand(is_same, f"{Key} gets other bytes: a COPY may be about to read it")
            self.objects[Key] = stored

        code = ("ConditionalRequestConflict", 409) if IfNoneMatch else ("SlowDown", 503)
        return perform(Effect(f"put {Key}", put, lambda: refused(*code), cut))

    def head_object(self, *, Bucket: str, Key: str) -> object:
        def head() -> dict[str, object]:
            if Key not in self.objects:
                raise refused("404", 404)
            found = self.objects[Key]
            return {"ContentLength": len(found.body), "Metadata": found.metadata}

        return perform(Effect(f"head {Key}", head, lambda: refused("503", 503), cut))

    def list_objects_v2(
        self, *, Bucket: str, Prefix: str, StartAfter: str = "", MaxKeys: int = 1000
    ) -> object:
        def found() -> dict[str, object]:
            keys = [key for key in self.objects if key.startswith(Prefix) and key > StartAfter]
            return {"Contents": [{"Key": key} for key in sorted(keys)[:MaxKeys]]}

        if StartAfter:  # the later hours, in which nothing arrives here: no effect of its own
            return found()
        return perform(Effect(f"list {Prefix}", found, lambda: refused("SlowDown", 503), cut))

    def original_of(self, repaired: Stored) -> tuple[str, tuple[bytes, ...]]:
        """Return the URL of a file that another was made of, and the rows that this one lacks."""
        ((key, original),) = (
            (key, stored)
            for key, stored in (self.objects | self.deleted).items()
            if stored.place == repaired.place and "/repaired/" not in key
        )
        lacking = Counter(original.lines) - Counter(repaired.lines)
        demand(Counter(repaired.lines) <= Counter(original.lines), f"rows of no file in {key}")
        return f"s3://bucket/{key}", tuple(lacking.elements())

    def look_at_letters(self, left_out: LeftOut) -> None:
        """See that each row left out is a letter, once, and was refused by COPY."""
        letters = [
            base64.b64decode(letter["data"])
            for key, stored in self.objects.items()
            if key.startswith("errors/")
            for letter in map(json.loads, stored.lines)
            if (letter.get("file"), letter.get("repaired")) == left_out[:2]
        ]
        told = f"of {left_out.url} {left_out.rows} are left out, letters are {letters}"
        demand(sorted(letters) == sorted(left_out.rows), told)
        demand(all(map(fault_of, left_out.rows)), f"a good row is left out of {left_out.url}")

    def get_object(self, *, Bucket: str, Key: str, Range: str = "") -> object:
        assert Range in {"", "bytes=0-"}

        def get() -> dict[str, object]:
            if Key not in self.objects:
                raise refused("NoSuchKey", 404)
            body = self.objects[Key].body
            about = {"RetryAttempts": 0, "HTTPStatusCode": 200}
            return {
                "Body": io.BytesIO(body),
                "ContentLength": len(body),
                "ResponseMetadata": about,
            }

        return perform(Effect(f"get {Key}", get, lambda: refused("SlowDown", 503), cut))


class Kinesis:
    """The manifest stream; ``deliver`` takes what is put, with its partition key."""

    def __init__(self, deliver: Callable[[str, bytes], None]) -> None:
        self.deliver = deliver

    def put_record(self, *, StreamName: str, PartitionKey: str, Data: bytes) -> object:
        throttled = "ProvisionedThroughputExceededException", 400

        def put() -> None:
            self.deliver(PartitionKey, Data)

        return perform(Effect("announce", put, lambda: refused(*throttled), cut))


class Broken(psycopg2.OperationalError):
    """libpq's error of a connection that is gone."""


class Serialization(psycopg2.InternalError):
    pgcode = "XX000"


class Refused(psycopg2.InternalError):
    pgcode = "XX000"


class Canceled(psycopg2.extensions.QueryCanceledError):
    pgcode = "57014"


# What an answer to nobody may be.
SERVICE_ERRORS = (botocore.exceptions.ClientError, psycopg2.Error)

NAMES = ("first-position", "last-position", "rows")
Entry = tuple[Any, ...]  # a row of the ledger
FIRST, LAST, ROWS, LEFT_OUT = 5, 6, 7, 12  # its columns; 0 is the URL


class LeftOut(NamedTuple):
    """The rows of a file that were not loaded with it, and what was loaded in its place."""

    url: str
    repaired: str
    rows: tuple[bytes, ...]


@dataclass
class Content:
    """What is committed, or seen, or added: the ledger's rows, and those of the data table."""

    ledger: list[Entry] = field(default_factory=list)
    rows: list[bytes] = field(default_factory=list)
    copied: list[tuple[str, Stored]] = field(default_factory=list)  # the files that rows are of
    left_out: list[LeftOut] = field(default_factory=list)

    def look_at_agreement(self, s3: S3) -> None:
        """See that what a transaction adds to the ledger is what it adds to the table.

        A file that is loaded in the place of another is entered by that one's name, and what it
        lacks are letters already.
        """
        copied = []
        for url, file in self.copied:
            original = url
            if "/repaired/" in url:
                original, rows = s3.original_of(file)
                self.left_out.append(LeftOut(original, url, rows))
            about = [str(file.metadata.get(name)) for name in NAMES]
            copied.append((original, *about, len(rows) if original != url else 0))
        entered = [(e[0], *map(str, e[FIRST : ROWS + 1]), e[LEFT_OUT]) for e in self.ledger]
        demand(sorted(entered) == sorted(copied), f"entered are {entered}, loaded are {copied}")
        for one in self.left_out:
            s3.look_at_letters(one)


class Redshift:
    """The warehouse; ``committed`` is what everybody will see."""

    def __init__(self, s3: S3) -> None:
        self.s3 = s3
        self.committed = Content()
        self.locked_by: Connection | None = None
        self.fault = ""  # of the table: why it takes no row of any file
        self.is_wide = False  # a column: poison is taken
        self.sqlite = sqlite3.connect(":memory:", isolation_level=None)
        self.sqlite.create_function("lpad", 3, lambda text, n, c: text and text.rjust(n, c))
        self.sqlite.create_function("split_part", 3, lambda t, s, n: t and t.split(s)[n - 1])
        self.sqlite.create_function("getdate", 0, lambda: "now")
        self.width = 0

    def connect(self) -> Connection:
        def away() -> Exception:
            return Broken("could not connect to server: Connection refused")

        perform(Effect("connect", lambda: None, away, away))
        return Connection(self)

    def create_ledger(self, create: str) -> None:
        """Make the ledger by the product's own statement, without what must not be enforced."""
        create, _, _ = create.partition(", PRIMARY KEY")
        self.sqlite.execute(f"{create})")
        self.width = len(self.sqlite.execute("PRAGMA table_info(files)").fetchall())

    def fault_of(self, row: bytes) -> str:
        """Return why the table takes no such row just now."""
        fault = fault_of(row)
        return self.fault or ("" if self.is_wide and fault == "poison" else fault)

    def commit(self, connection: Connection) -> None:
        """Make one transaction's rows everybody's; none may be there twice."""
        connection.added.look_at_agreement(self.s3)
        self.committed.ledger += connection.added.ledger
        self.committed.rows += connection.added.rows
        self.committed.left_out += connection.added.left_out
        self.end(connection)
        twice = [row for row, times in Counter(self.committed.rows).items() if times > 1]
        demand(not twice, f"rows in the table twice: {twice}")

    def end(self, connection: Connection) -> None:
        """End a transaction, whatever it was."""
        if self.locked_by is connection:
            self.locked_by = None
        connection.seen, connection.added, connection.is_failed = None, Content(), False


class Connection:
    """A connection of psycopg2's, and its cursor in one."""

    def __init__(self, server: Redshift) -> None:
        self.server = server
        self.closed = 0
        self.seen: Content | None = None  # the snapshot
        self.added = Content()
        self.is_failed = False
        self.complaints: list[tuple[object, ...]] = []  # of the last COPY
        self.answer: list[Any] = []
        self.info = SimpleNamespace(transaction_status=0)
        self.process = greenlet.getcurrent()
        assert isinstance(self.process, Process)
        self.process.on_death.append(self.leave)

    # psycopg2's connection

    def cursor(self) -> Connection:
        return self

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def commit(self) -> None:
        if self.added.ledger or self.added.rows:
            self._perform("COMMIT", lambda: self.server.commit(self))
        else:
            self.server.end(self)

    def rollback(self) -> None:
        if self.closed:
            raise psycopg2.InterfaceError("connection already closed")
        self.server.end(self)

    def close(self) -> None:
        if not self.closed and not self.process.killed:
            self.closed = 1
            self.server.end(self)

    # its cursor

    @property
    def connection(self) -> Connection:
        return self

    def fetchone(self) -> object:
        return self.answer[0] if self.answer else None

    def fetchall(self) -> list[Any]:
        return self.answer

    def execute(self, sql: str, values: Sequence[Any] = ()) -> None:
        if self.closed:
            raise psycopg2.InterfaceError("connection already closed")
        word, _, _ = sql.partition(" ")
        if word == "SET" and "SELECT" not in sql:
            return
        if word == "LOCK":
            self._perform(word, self._lock, lambda: self.server.locked_by in {None, self})
            return
        if word == "COPY":
            self._perform(word, lambda: self._copy(sql))
        elif word == "INSERT":
            self._perform(word, lambda: self._insert(sql, values))
        elif "sys_load_error_detail" in sql:
            self.answer = self.complaints
        elif "pg_last_copy_count" in sql:
            self.answer = [(len(self.added.rows),)]
        elif "FROM" in sql:
            self._perform(word, lambda: self._select(sql, values))
        else:
            self._snapshot()
            self.answer = [("now",)]

    # how the server takes it

    def _perform(
        self, name: str, apply: Callable[[], None], possible: Callable[[], bool] = lambda: True
    ) -> None:
        assert not self.is_failed, "a statement after an error, before ROLLBACK"

        def apply_if_there() -> None:
            if name == "COMMIT" or not self.closed:  # a COMMIT alone can arrive after its client
                apply()

        def refusal() -> Exception:
            self.is_failed = True
            if name == "LOCK":
                return Canceled("canceling statement due to statement timeout")
            return Serialization("ERROR:  1023  Serializable isolation violation on table")

        def silence() -> Exception:
            self.leave()
            return Broken("server closed the connection unexpectedly")

        perform(Effect(name, apply_if_there, refusal, silence, possible))

    def leave(self) -> None:
        """Go without a word: the server notices some time later, and rolls back."""
        if not self.closed:
            self.closed = 2
            self.process.world.late.append(lambda: self.server.end(self))

    def _snapshot(self) -> Content:
        if self.seen is None:
            committed = self.server.committed
            self.seen = Content(list(committed.ledger), list(committed.rows))
        return self.seen

    def _lock(self) -> None:
        self.server.locked_by = self

    def _select(self, sql: str, values: Sequence[Any]) -> None:
        sqlite = self.server.sqlite
        sqlite.execute("DELETE FROM files")
        marks = ", ".join("?" * self.server.width)
        entries = [*self._snapshot().ledger, *self.added.ledger]
        sqlite.executemany(f"INSERT INTO files VALUES ({marks})", entries)
        self.answer = sqlite.execute(_written_out(sql, values)).fetchall()

    def _insert(self, sql: str, values: Sequence[Any]) -> None:
        self._snapshot()
        sqlite = self.server.sqlite
        sqlite.execute("DELETE FROM files")
        sqlite.execute(_written_out(sql, values))
        self.added.ledger += sqlite.execute("SELECT * FROM files").fetchall()

    def _copy(self, sql: str) -> None:
        self._snapshot()
        objects = self.server.s3.objects
        key = re.search(r"FROM 's3://[^/]+/([^']+)'", sql)
        assert key
        most = re.search(r"MAXERROR (\d+)$", sql)
        limit = len(self.complaints) + (int(most[1]) if most else 1)
        for entry in json.loads(objects[key[1]].body)["entries"]:
            url = entry["url"]
            file = objects.get(url.split("/", 3)[3])
            if file is not None:
                self._look_for_faults(url, file, limit)
                if " NOLOAD" not in sql:
                    self.added.rows += [row for row in file.lines if not self.server.fault_of(row)]
                    self.added.copied.append((url, file))
            elif entry["mandatory"]:
                self._refuse(f"The specified S3 prefix '{url}' does not exist")

    def _look_for_faults(self, url: str, file: Stored, limit: int) -> None:
        """Refuse at the first row of which the error tables do not tell, or at so many others."""
        failed = "Load into table 'rows' failed.  Check 'sys_load_error_detail'"
        for number, row in enumerate(file.lines, 1):
            self.process.is_excused |= bool(self.server.fault)
            fault = self.server.fault_of(row)
            if fault == "poison":
                self.complaints.append((url, number, "id", "Invalid digit"))
            if fault == "nameless" or len(self.complaints) >= limit:
                self._refuse(failed)

    def _refuse(self, why: str) -> NoReturn:
        self.is_failed = True
        raise Refused(why)


def fault_of(row: bytes) -> str:
    """Return why COPY refuses a row: of ``poison`` the error tables tell, of ``nameless`` not."""
    return next((fault for fault in ("poison", "nameless") if fault.encode() in row), "")


def _written_out(sql: str, values: Sequence[Any]) -> str:
    """Put values into a statement, as psycopg2 does before it is sent."""
    given = iter(values)
    return re.sub("%s", lambda _: _literal(next(given)), sql)


def _literal(value: object) -> str:
    if isinstance(value, tuple):
        return "(" + ", ".join(map(_literal, value)) + ")"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return "NULL" if value is None else str(value)
