"""Stage two on the stand-ins: each announced file is in the table exactly once, or set aside."""

import base64
import contextlib
import gzip
import itertools
import json
import logging
import os
import socket
import threading
from collections import Counter
from contextlib import closing
from types import SimpleNamespace
from typing import ClassVar

import boto3
import psycopg2
import psycopg2.extensions
import pytest
import zstandard
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError
from fault_proxy import Fault
from redshift_wire import COMMIT, Wire

from record_processors import Fatal, Pipeline, Record, Transient, warehouse
from record_processors.aws import Bucket, classify
from record_processors.create import create
from record_processors.emitters.redshift_manifest import RedshiftManifestEmitter
from record_processors.ledger import Ledger
from record_processors.local.demo.pipelines import write_pipeline
from record_processors.manifest import File
from record_processors.redshift_settings import REDSHIFT_URL
from record_processors.settings import APPLICATION_NAME, Settings
from record_processors.transformers.csv import Csv
from record_processors.transformers.delimited import Delimited
from record_processors.transformers.json import Json
from record_processors.warehouse import Warehouse

BUCKET = "files"
SHARD = "shardId-000000000000"
PACK = {"gzip": gzip.compress, "zstd": zstandard.compress, "none": bytes}
numbers = itertools.count(1)


@pytest.fixture(scope="module")
def db(stack):
    connection = psycopg2.connect(
        "postgresql://{redshiftUsername}@{redshiftURL}".format(**stack.properties),
        password=os.environ["REDSHIFT_PASSWORD"],
    )
    connection.autocommit = True
    yield connection
    connection.close()


@pytest.fixture(scope="module")
def s3(stack):
    client = boto3.client("s3")
    client.create_bucket(Bucket=BUCKET)
    return client


@pytest.fixture
def house(stack, db, s3, tmp_path):
    """Make a pipeline with a table and a ledger of its own."""
    return lambda **changes: House(stack, db, s3, tmp_path, changes)


class House:
    """One pipeline of stage two: what is put into it, and where what comes out of it lies."""

    def __init__(self, stack, db, s3, folder, changes, columns="id BIGINT, text VARCHAR(200)"):
        self.db, self.s3 = db, s3
        self.name = f"load{next(numbers)}"
        form = changes.pop("redshiftDataFormat", "json")
        self.columns = changes.pop("columns", columns)
        self.settings = write_pipeline(
            "redshift_manifest",
            folder / self.name,
            {
                "applicationName": self.name,
                "streamName": "manifests",
                "s3Bucket": BUCKET,
                "s3Prefix": "data/",
                "redshiftDataTable": f"{self.name}_rows",
                "redshiftFileTable": f"{self.name}_files",
                "redshiftIamRole": "default",
                "retryLimit": "3",
                "backoffInterval": "1",
                **changes,
            },
            stack.properties,
        )
        if form != "json":  # the shipped file has a key that belongs to JSON only
            texts = {**self.settings.texts, "redshiftDataFormat": form}
            texts.pop("redshiftJsonPaths", None)
            self.settings = Settings(self.settings.path, texts)
        self.table = self.settings.texts["redshiftDataTable"]
        self.ledger = self.settings.texts["redshiftFileTable"]
        self.checkpoints = []
        self.query(f"CREATE TABLE {self.table} ({self.columns})")
        with db.cursor() as cursor:
            Ledger.from_settings(self.settings).create(cursor)

    def query(self, sql):
        with self.db.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def file(
        self, key, *ids, first=None, last=None, compression="gzip", body=None, tier=None, **said
    ):
        """Put a file of rows with these ids and return its message, with ``said`` changed."""
        lines = b"".join(b'{"id": %d, "text": "row %d"}\n' % (one, one) for one in ids)
        data = PACK[compression](lines if body is None else body)
        put = {"StorageClass": tier} if tier else {}
        self.s3.put_object(Bucket=BUCKET, Key=f"{self.name}/{key}", Body=data, **put)
        about = {"bytes": len(data), "rows": len(ids), "compression": compression, **said}
        return self.message(key, first, last, **about)

    def message(self, key, first=None, last=None, **said):
        message = {
            "version": 1,
            "application": "flights",
            "bucket": BUCKET,
            "key": f"{self.name}/{key}",
            "bytes": 10,
            "rows": 1,
            "stream": "events",
            "shard": "shardId-000000000007",
            "first": first,
            "last": last or first,
            "format": "json",
            "compression": "gzip",
            **said,
        }
        return json.dumps({name: value for name, value in message.items() if value is not None})

    def url(self, key):
        return f"s3://{BUCKET}/{self.name}/{key}"

    def life(self, settings=None):
        """Begin the life of a process: a pipeline with a connection of its own."""
        pipeline = Pipeline.from_settings(settings or self.settings)
        pipeline.start(SHARD)
        return pipeline

    def load(self, *messages, life=None, settings=None):
        """Hand messages to a pipeline as one batch; return the pipeline."""
        life = life or self.life(settings)
        records = [
            Record(message if isinstance(message, bytes) else message.encode(), str(number))
            for message, number in zip(messages, numbers, strict=False)
        ]
        try:
            life.process(records, self.checkpoints.append)
            life.flush(self.checkpoints.append)
        finally:
            life.emitter.warehouse.close()
        assert self.checkpoints[-1] == records[-1].position
        return life

    def ids(self):
        return sorted(row[0] for row in self.query(f"SELECT id FROM {self.table}"))

    def entered(self):
        """Return the ledger's files, without their common beginning."""
        files = self.query(f"SELECT file FROM {self.ledger} ORDER BY file")
        return [url.removeprefix(self.url("")) for (url,) in files]

    def objects(self, prefix):
        found = self.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", ())
        return {
            one["Key"]: self.s3.get_object(Bucket=BUCKET, Key=one["Key"])["Body"].read()
            for one in found
        }

    def manifests(self):
        found = self.objects(f"data/{self.name}/manifests/")
        return {key: json.loads(body) for key, body in found.items()}

    def letters(self):
        """Return the dead letters' reasons by the message; all must be of stage two."""
        lines = b"".join(self.objects(f"errors/{self.name}/").values()).splitlines()
        letters = [json.loads(line) for line in lines]
        assert all(letter["stage"] == "load" for letter in letters)
        assert all(letter["shard"] == SHARD for letter in letters)
        return {base64.b64decode(one["data"]).decode(): one["reason"] for one in letters}


# --- what is loaded ------------------------------------------------------------------------------


def test_the_ledger_says_of_a_file_what_its_message_said(house):
    """A loaded file has one row with all of its message, its table and its manifest."""
    here = house()
    message = json.loads(here.file("a.json.gz", 1, 2, first="100-0", last="250-7"))
    here.load(json.dumps(message))

    assert here.ids() == [1, 2]
    with here.db.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {here.ledger}")
        names = [column.name for column in cursor.description]
        (row,) = cursor.fetchall()
    entry = dict(zip(names, row, strict=True))
    loaded_at = entry.pop("loaded_at")
    (manifest,) = here.manifests()
    assert entry == {
        "file": here.url("a.json.gz"),
        "data_table": here.table,
        "application": "flights",
        "stream": "events",
        "shard": "shardId-000000000007",
        "first_position": "100-0",
        "last_position": "250-7",
        "row_count": 2,
        "byte_count": message["bytes"],
        "manifest": f"s3://{BUCKET}/{manifest}",
        "digits": 3,
    }
    assert here.query(f"SELECT loaded_at = '{loaded_at}' FROM {here.ledger}") == [(True,)]


def test_the_manifest_lists_the_files_entered_and_no_other(house):
    """A second batch's manifest is another object and leaves out what is loaded already."""
    here = house()
    a, b = here.file("a", 1), here.file("b", 2)
    here.load(a, b)
    here.load(a, here.file("c", 3), b)

    manifests = here.manifests()
    by_files = {
        tuple(entry["url"] for entry in manifest["entries"]): key
        for key, manifest in manifests.items()
    }
    assert set(by_files) == {(here.url("a"), here.url("b")), (here.url("c"),)}
    assert here.query(f"SELECT file, manifest FROM {here.ledger} ORDER BY file") == [
        (url, f"s3://{BUCKET}/{key}") for files, key in sorted(by_files.items()) for url in files
    ]
    sizes = {json.loads(a)["key"]: json.loads(a)["bytes"]}
    for manifest in manifests.values():
        for entry in manifest["entries"]:
            assert entry["mandatory"] is True
            key = entry["url"].removeprefix(f"s3://{BUCKET}/")
            assert entry["meta"]["content_length"] == sizes.get(
                key, entry["meta"]["content_length"]
            )
    assert all(len(key.rpartition("/")[2].partition(".")[0]) == 64 for key in manifests)


def test_a_file_announced_again_and_again_is_loaded_once(house):
    """Twice in a batch, again in a later one, and in the next life: its rows are there once."""
    here = house()
    message = here.file("a", 1, 2, first="1-0", last="2-0")
    life = here.life()
    here.load(message, message, life=life)
    here.load(message, life=life)
    here.load(message, here.file("b", 3), message)

    assert here.ids() == [1, 2, 3]
    assert here.entered() == ["a", "b"]
    assert not here.letters()


@pytest.mark.parametrize("bare_first", [True, False])
def test_the_structured_message_counts_before_the_bare_path(house, bare_first):
    """Of a bare path and a whole message in one batch, the ledger has what the message says."""
    here = house()
    pair = [here.file("a.gz", 1, first="1-0", last="9-0"), f"{here.name}/a.gz"]
    here.load(*reversed(pair) if bare_first else pair)

    assert here.ids() == [1]
    assert here.query(f"SELECT shard, first_position, last_position FROM {here.ledger}") == [
        ("shardId-000000000007", "1-0", "9-0")
    ]


def test_a_bare_path_of_a_loaded_file_loads_nothing(house):
    """A file that came by message stays once when a key or an s3:// path names it later."""
    here = house()
    here.load(here.file("a.gz", 1, first="1-0"))
    here.load(f"{here.name}/a.gz", here.url("a.gz"))
    here.load(here.url("b.gz"), here.file("c", 3, first="2-0"), here.file("b.gz", 2))
    here.load(here.file("b.gz", 2, first="3-0"))

    assert here.ids() == [1, 2, 3]
    assert not here.letters()


def test_a_bare_path_is_completed_from_the_objects_metadata(house):
    """Rows, positions and compression of a bare path come from S3."""
    here = house()
    here.s3.put_object(
        Bucket=BUCKET,
        Key=f"{here.name}/a.json.zst",
        Body=zstandard.compress(b'{"id": 5, "text": "x"}\n'),
        Metadata={"first-position": "7-0", "last-position": "8-2", "rows": "1", "format": "json"},
    )
    here.load(here.url("a.json.zst"))

    assert here.ids() == [5]
    columns = "first_position, last_position, row_count, byte_count > 0"
    assert here.query(f"SELECT {columns} FROM {here.ledger}") == [("7-0", "8-2", 1, True)]


def test_one_batch_may_hold_every_compression(house):
    """Gzip, zstd and plain files of one batch are all loaded."""
    here = house()
    kinds = enumerate(["gzip", "none", "zstd", "none", "gzip"])
    here.load(*[here.file(f"f{n}", n, first=f"{n}-0", compression=kind) for n, kind in kinds])

    assert here.ids() == [0, 1, 2, 3, 4]
    assert here.entered() == ["f0", "f1", "f2", "f3", "f4"]


def test_one_ledger_may_serve_several_tables(house):
    """A file is entered, and loaded, for each data table on its own."""
    here = house()
    other = house(redshiftFileTable=here.ledger)
    message = here.file("a", 1, first="1-0")
    for one in (here, other, here, other):
        one.load(message)

    assert here.ids() == other.ids() == [1]
    tables = here.query(f"SELECT data_table FROM {here.ledger} ORDER BY data_table")
    assert tables == sorted([(here.table,), (other.table,)])


def test_a_table_may_be_spelled_in_several_ways(house):
    """Capitals and quotes that mean nothing do not make another table of it."""
    here = house()
    message = here.file("a", 1, first="1-0")
    for spelling in (here.table, here.table.upper(), f'"{here.table}"'):
        texts = {**here.settings.texts, "redshiftDataTable": spelling}
        here.load(message, settings=Settings(here.settings.path, texts))

    assert here.ids() == [1]
    assert here.query(f"SELECT data_table FROM {here.ledger}") == [(here.table,)]


# --- one transaction -----------------------------------------------------------------------------


class Crash(BaseException):
    """The process dies here."""


class Journal(psycopg2.extensions.cursor):
    """A cursor that notes the first words of its statements."""

    statements: ClassVar[list[str]] = []

    def execute(self, query, values=None):
        self.statements.append(" ".join(str(query).split()))
        return super().execute(query, values)


@pytest.fixture
def journal(monkeypatch):
    """Return the statements of every connection that is made from now on."""
    connect = psycopg2.connect
    monkeypatch.setattr(Journal, "statements", [])
    monkeypatch.setattr(psycopg2, "connect", lambda **how: connect(**how, cursor_factory=Journal))
    return Journal.statements


def test_the_ledgers_lock_is_the_first_statement(house, journal):
    """LOCK comes before any SELECT, each time, or the ledger would be read as it was before it."""
    here = house()
    life = here.life()
    begins = []
    lock = life.emitter.ledger.lock

    def noted(cursor):
        begins.append(cursor.connection.info.transaction_status)
        lock(cursor)

    life.emitter.ledger.lock = noted
    here.load(here.file("a", 1), life=life)
    message = here.file("b", 2)
    here.load(message, life=life)
    here.load(message, life=life)

    words = [statement.partition(" ")[0] for statement in journal]
    connect = ["SET", "SET"]
    whole = ["LOCK", "SELECT", "COPY", "SELECT", "INSERT"]
    assert words == [*connect, *whole, *connect, *whole, *connect, "LOCK", "SELECT"]
    assert begins == [psycopg2.extensions.TRANSACTION_STATUS_IDLE] * 3
    assert journal[2].startswith(f'LOCK "{here.ledger}";')


def test_the_wait_for_the_lock_is_bounded(house, monkeypatch, caplog):
    """A loader that does not get the lock gives its try up and says where to look, then loads."""
    here = house()
    holder = psycopg2.connect(here.db.dsn, password=os.environ["REDSHIFT_PASSWORD"])
    holder.cursor().execute(f"LOCK {here.ledger}")
    monkeypatch.setattr(warehouse, "LOCK_MILLISECONDS", 50)

    def release(_):
        holder.close()
        monkeypatch.undo()

    monkeypatch.setattr("tenacity.nap.time", SimpleNamespace(sleep=release))
    here.load(here.file("a", 1), here.file("b", 2))

    assert f'the ledger "{here.ledger}" is locked by another session' in caplog.text
    assert "pg_terminate_backend" in caplog.text
    assert here.ids() == [1, 2]
    assert here.entered() == ["a", "b"]


def test_the_bound_of_the_lock_is_not_the_copys(house, monkeypatch):
    """What comes after LOCK may last longer than the wait for it; the next LOCK may not."""
    here = house()
    life, limits = here.life(), []
    lock, judge = Ledger.lock, Ledger.judge

    def noted(method):
        def call(self, cursor, *arguments):
            cursor.execute("SHOW statement_timeout")
            limits.append(cursor.fetchone()[0])
            return method(self, cursor, *arguments)

        return call

    monkeypatch.setattr(Ledger, "lock", noted(lock))
    monkeypatch.setattr(Ledger, "judge", noted(judge))
    monkeypatch.setattr(Warehouse, "close", lambda self: None)  # a connection for both
    here.load(here.file("a", 1), life=life)
    here.load(here.file("b", 2), life=life)
    monkeypatch.undo()
    life.emitter.warehouse.close()

    assert limits == ["5min", "30min"] * 2


def test_a_server_that_vanishes_is_noticed(house):
    """The system ends a connection on which nobody answers: while it waits, and while it sends."""
    with (
        Warehouse.from_settings(house().settings).transaction() as cursor,
        socket.socket(fileno=os.dup(cursor.connection.fileno())) as connection,
    ):
        assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        idle, interval, count, unacknowledged = (
            connection.getsockopt(socket.IPPROTO_TCP, option)
            for option in (
                socket.TCP_KEEPIDLE,
                socket.TCP_KEEPINTVL,
                socket.TCP_KEEPCNT,
                socket.TCP_USER_TIMEOUT,
            )
        )
        assert idle + interval * count == unacknowledged / 1000 == 60


def on_s3(settings, action):
    """Call ``action(request)`` before S3 is asked by any loader of these settings.

    What it returns, if anything, is S3's answer instead.
    """
    s3 = Bucket.from_settings(settings).s3
    s3.meta.events.register("before-send.s3", lambda request, **_: action(request))


class Busy(AWSResponse):
    """S3's answer when it has too much to do."""

    def __init__(self, url):
        super().__init__(url, 503, {}, None)
        self._content = b"<Error><Code>SlowDown</Code></Error>"


def test_the_lock_is_not_held_while_s3_is_busy(house, monkeypatch):
    """When the manifest cannot be written, another loader has its turn before the next try."""
    here = house()
    messages = [here.file("a", 1, first="1-0"), here.file("b", 2, first="2-0")]
    puts, waits = [], []

    def answer(request):
        if request.url.endswith(".manifest"):
            puts.append(request.method)
        return Busy(request.url) if puts == ["PUT"] else None

    def wait(_):
        waits.append(len(puts))
        if len(waits) == 1:
            here.load(messages[0])

    on_s3(here.settings, answer)
    monkeypatch.setattr(warehouse, "LOCK_MILLISECONDS", 5000)  # if it is held, do not hang
    monkeypatch.setattr("tenacity.nap.time", SimpleNamespace(sleep=wait))
    here.load(*messages)

    assert puts == ["PUT"] * 3  # busy, by the other, for the file that the other did not load
    assert waits == [1]
    assert here.ids() == [1, 2]
    assert here.entered() == ["a", "b"]


@pytest.mark.parametrize("mandatory", ["true", "false"])
def test_under_the_lock_s3_is_called_once(house, journal, mandatory):
    """Only the manifest is written between LOCK and COMMIT; files are looked at before."""
    here = house(redshiftCopyMandatory=mandatory)
    messages = [here.file("a", 1), here.file("b", 2)]
    life = here.life()
    on_s3(here.settings, lambda request: journal.append(request.method))
    here.load(*messages, life=life)

    words = [statement.partition(" ")[0] for statement in journal]
    looks = [] if mandatory == "true" else ["HEAD", "HEAD"]
    whole = ["LOCK", "SELECT", "PUT", "COPY", "SELECT", "INSERT"]
    assert words == [*looks, "SET", "SET", *whole]


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_crash_between_copy_and_commit_leaves_nothing(house, monkeypatch, moment):
    """Rows and ledger are one transaction: the next life finds neither and loads once."""
    here = house()
    message = here.file("a", 1, 2, first="1-0", last="2-0")
    enter = Ledger.enter

    def crash(self, cursor, files, manifest):
        cursor.execute("SELECT pg_last_copy_count()")
        assert cursor.fetchone() == (2,)
        if moment == "after":
            enter(self, cursor, files, manifest)
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "enter", crash)
        with pytest.raises(Crash):
            here.load(message)
    assert here.ids() == here.entered() == []
    assert not here.checkpoints
    here.load(message)

    assert here.ids() == [1, 2]
    assert here.entered() == ["a"]


def test_a_connection_lost_between_copy_and_commit_is_tried_again(house, monkeypatch, waits):
    """The server ends the session after the INSERT: the whole transaction runs again."""
    here = house()
    enter, lost = Ledger.enter, []

    def cut(self, cursor, files, manifest):
        enter(self, cursor, files, manifest)
        if not lost:
            lost.append(cursor.connection.info.backend_pid)
            here.query(f"SELECT pg_terminate_backend({lost[0]})")

    monkeypatch.setattr(Ledger, "enter", cut)
    here.load(here.file("a", 1, 2))

    assert lost
    assert here.ids() == [1, 2]
    assert here.entered() == ["a"]


def test_a_connection_that_timed_out_is_no_fault_of_a_file(house, monkeypatch, journal, waits):
    """psycopg2 tells of it without a state; the whole transaction runs again, on a new session."""
    here = house()
    enter, lost = Ledger.enter, []

    def time_out(self, cursor, files, manifest):
        enter(self, cursor, files, manifest)
        if not lost:
            lost.append(cursor)
            raise psycopg2.DatabaseError("SSL SYSCALL error: Connection timed out")

    monkeypatch.setattr(Ledger, "enter", time_out)
    here.load(here.file("a", 1), here.file("b", 2))

    assert len(waits) == 1
    assert here.ids() == [1, 2]
    assert here.entered() == ["a", "b"]
    begins = ["SET", "SET", "LOCK", "SELECT", "COPY", "SELECT", "INSERT"]
    assert [statement.partition(" ")[0] for statement in journal] == begins * 2


@pytest.mark.parametrize("kind", ["cut", "cut-after", "late"])
def test_an_unanswered_commit_is_run_again_as_a_whole(house, stack, waits, kind):
    """Whether the COMMIT is lost, only its answer, or it is still on its way: rows are there once.

    In the last case a look at the ledger without its lock would find nothing.
    """
    host, _, rest = stack.properties["redshiftURL"].partition(":")
    port, _, database = rest.partition("/")
    with closing(Wire((host, int(port)))) as wire:
        wire.faults.append(Fault(COMMIT, kind))
        here = house(redshiftURL=f"{wire.url}/{database}")
        here.load(here.file("a", 1, 2, first="1-0", last="2-0"), here.file("b", 3))

    assert not wire.faults
    assert not wire.late
    assert len(waits) == 1
    assert here.ids() == [1, 2, 3]
    assert here.entered() == ["a", "b"]
    assert not here.letters()


def at_once(*actions):
    """Run actions in threads that begin together; raise what one of them raised."""
    barrier, errors = threading.Barrier(len(actions)), []

    def run(action):
        try:
            barrier.wait()
            action()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def test_two_loaders_at_once_load_each_file_once(house):
    """Two processes that own the shard both succeed, and what both were told is loaded once."""
    here = house()
    lives = [here.life(), here.life()]
    for turn in range(8):
        ids = range(10 * turn, 10 * turn + 4)
        messages = [here.file(f"f{one}", one, first=f"{one}-0") for one in ids]
        at_once(
            lambda messages=messages: here.load(*messages[:3], life=lives[0]),
            lambda messages=messages: here.load(*messages[1:], life=lives[1]),
        )

        assert [one for one in here.ids() if one >= 10 * turn] == list(ids)
    assert len(here.entered()) == 32
    assert not here.letters()


def test_a_loader_that_waits_for_the_lock_sees_what_the_other_committed(house, monkeypatch):
    """While the first is between COPY and COMMIT the second asks for the lock; neither doubles."""
    here = house()
    message = here.file("a", 1, first="1-0")
    enter, others = Ledger.enter, []
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"

    def second():
        here.load(message)

    def hold(self, cursor, files, manifest):
        enter(self, cursor, files, manifest)
        if not others:
            others.append(threading.Thread(target=second))
            others[0].start()
            while here.query(waiting) != [(1,)]:
                assert others[0].is_alive()

    monkeypatch.setattr(Ledger, "enter", hold)
    here.load(message)
    others[0].join()

    assert here.ids() == [1]
    assert here.entered() == ["a"]


# --- overlaps ------------------------------------------------------------------------------------


def test_a_file_that_overlaps_a_loaded_one_is_set_aside(house):
    """Inside, around, at either edge: it is not loaded, and the letter names the loaded file."""
    here = house()
    here.load(here.file("loaded", 1, first="100-0", last="200-5"))
    bad = [
        here.file("inside", 2, first="150-0", last="160-0"),
        here.file("around", 3, first="50-0", last="300-0"),
        here.file("left", 4, first="50-0", last="100-0"),
        here.file("right", 5, first="200-5", last="300-0"),
        here.file("same", 6, first="100-0", last="200-5"),
    ]
    good = [
        here.file("before", 7, first="40-0", last="49-9"),
        here.file("after", 8, first="400-0"),
        here.file("close", 9, first="200-6", last="200-7"),
    ]
    here.load(bad[0], good[0], *bad[1:], *good[1:])

    assert here.ids() == [1, 7, 8, 9]
    assert here.entered() == ["after", "before", "close", "loaded"]
    letters = here.letters()
    assert set(letters) == set(bad)
    assert all(here.url("loaded") in reason for reason in letters.values())
    assert "100-0 to 200-5" in letters[bad[0]]


def test_overlaps_within_a_batch_are_found_in_every_compression(house):
    """The first of two that overlap is loaded, the second set aside, by one COPY or by two."""
    here = house()
    messages = [
        here.file("a", 1, first="1-0", last="5-0"),
        here.file("b", 2, first="5-0", last="9-0"),
        here.file("c", 3, first="9-1", last="9-9"),
        here.file("d", 4, first="9-5", last="9-7", compression="none"),
    ]
    here.load(*messages)

    assert here.ids() == [1, 3]
    letters = here.letters()
    assert set(letters) == {messages[1], messages[3]}
    assert here.url("a") in letters[messages[1]]
    assert here.url("c") in letters[messages[3]]


def test_the_same_range_of_another_chain_is_no_overlap(house):
    """Another application, stream or shard has positions of its own."""
    here = house()
    here.load(
        here.file("a", 1, first="1-0", last="9-0"),
        here.file("b", 2, first="1-0", last="9-0", application="trains"),
        here.file("c", 3, first="1-0", last="9-0", stream="others"),
    )
    here.load(here.file("d", 4, first="1-0", last="9-0", shard="shardId-000000000008"))

    assert here.ids() == [1, 2, 3, 4]
    assert not here.letters()


def test_a_loaded_key_with_another_range_is_set_aside(house):
    """The same key cannot mean other records: the message is quarantined, nothing is loaded."""
    here = house()
    here.load(here.file("a", 1, first="1-0", last="5-0"))
    message = here.file("a", 1, first="1-0", last="6-0")
    here.load(message)

    assert here.ids() == [1]
    assert here.letters()[message].count(here.url("a")) == 1


@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_one_key_with_two_ranges_in_a_batch(house, compression):
    """The first is loaded, the other quarantined, and not taken for the same announced twice."""
    here = house()
    first = here.file("a", 1, first="1-0", last="5-0")
    about = {"last": "6-0", "compression": compression}
    other = json.dumps({**json.loads(first), **about})
    here.load(first, other, first)

    assert here.ids() == [1]
    assert here.query(f"SELECT last_position FROM {here.ledger}") == [("5-0",)]
    assert here.letters() == {other: f"{here.url('a')} is loaded with another range, 1-0 to 5-0"}


def test_of_two_ranges_of_a_key_the_one_that_can_be_loaded_is(house):
    """A message that is refused for an overlap leaves the key to the one that overlaps nothing."""
    here = house()
    here.load(here.file("loaded", 1, first="1-0", last="5-0"))
    bad = here.file("a", 2, first="4-0", last="9-0")
    here.load(bad, here.file("a", 2, first="6-0", last="9-0"))

    assert here.ids() == [1, 2]
    assert set(here.letters()) == {bad}


def test_files_without_positions_overlap_nothing(house):
    """A file that does not say what it covers is loaded by its name alone."""
    here = house()
    here.load(here.file("a", 1, first="1-0", last="9-0"), here.file("b", 2), here.file("c", 3))
    here.load(here.file("d", 4))

    assert here.ids() == [1, 2, 3, 4]
    assert not here.letters()


@pytest.mark.parametrize("in_one_batch", [True, False])
def test_positions_compare_as_numbers(house, in_one_batch):
    """Nine digits come before ten, and sub-sequence 9 before 10, as text would not say."""
    here = house()
    good = [
        here.file("a", 1, first="999999999-0"),
        here.file("b", 2, first="1000000000-0", last="1000000000-9"),
        here.file("c", 3, first="1000000000-10", last="1000000000-11"),
        here.file("d", 4, first=f"{10**55}-0", last=f"{10**55}-9999999999"),
    ]
    bad = [
        here.file("e", 5, first="5-0", last="1000000000-5"),
        here.file("f", 6, first="1000000000-11", last="2000000000-0"),
        here.file("g", 7, first=f"{10**55 - 1}-0", last=f"{10**55}-1"),
    ]
    if in_one_batch:
        here.load(*good, *bad)
    else:
        for message in (*good, *bad):
            here.load(message)

    assert here.ids() == [1, 2, 3, 4]
    assert set(here.letters()) == set(bad)


# --- an old ledger, and one that others write ----------------------------------------------------


def enter_as_others_do(here, *rows):
    """Enter files (key, first, last) by the columns that the contract names."""
    for key, first, last in rows:
        with here.db.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO {here.ledger} (file, data_table, application, stream, shard, "
                "first_position, last_position, row_count, byte_count, manifest, loaded_at) "
                "VALUES (%s, %s, 'flights', 'events', 'shardId-000000000007', %s, %s, 1, 1, "
                "'s3://files/m', getdate())",
                (here.url(key), here.table, first, last),
            )


@pytest.mark.parametrize("create_again", [True, False])
def test_rows_that_others_entered_are_judged_as_ours(house, create_again):
    """A row with the contract's columns alone keeps out what overlaps it, of whatever length."""
    here = house()
    rows = [("a", "5-0", "1000-3"), ("b", "002000-0", "2000-9"), ("c", "3000-0", "3999-0")]
    enter_as_others_do(here, *rows, ("d", None, None), ("e", "1-0", None))
    if create_again:
        list(create(here.settings))
    bad = [
        here.file("f", 2, first="999-0", last="999-9"),
        here.file("g", 3, first="1000-3", last="1500-0"),
        here.file("h", 4, first="2000-9"),
        here.file("i", 5, first="3500-0", last="12000-0"),
        here.file("c", 6, first="3000-0", last="3999-1"),
    ]
    good = [
        here.file("j", 7, first="1000-4", last="1999-0"),
        here.file("k", 8, first="1-0", last="4-9"),
        here.file("l", 9, first="4000-0", last="12000-0"),
    ]
    loaded = [here.file("c", 10, first="3000-0", last="3999-0"), here.file("d", 11)]
    here.load(*bad, *good, *loaded)

    assert here.ids() == [7, 8, 9]
    assert set(here.letters()) == set(bad)


def test_a_ledger_that_was_made_before_is_brought_up_to_date(house):
    """Until `create` has added the column that it lacks, nothing is loaded; then all is known."""
    here = house()
    columns = (
        "file VARCHAR(1280) NOT NULL, data_table VARCHAR(512) NOT NULL, application VARCHAR(1020), "
        "stream VARCHAR(1020), shard VARCHAR(1020), first_position VARCHAR(128), "
        "last_position VARCHAR(128), row_count BIGINT, byte_count BIGINT, manifest VARCHAR(1280), "
        "loaded_at TIMESTAMP NOT NULL"
    )
    here.query(f"DROP TABLE {here.ledger}")
    here.query(f"CREATE TABLE {here.ledger} ({columns})")
    enter_as_others_do(here, ("a", "10-0", "19-0"), ("b", "20-0", "100-0"), ("c", "01-0", "02-0"))
    with pytest.raises(Fatal, match="`kinesis-connectors create` brings it up to date"):
        here.load(here.file("new", 1, first="200-0"))
    for _ in range(2):
        list(create(here.settings))
    bad = here.file("bad", 2, first="19-0", last="19-5")
    here.load(here.file("a", 3, first="10-0", last="19-0"), bad, here.file("new", 1, first="200-0"))

    assert here.ids() == [1]
    assert set(here.letters()) == {bad}
    digits = here.query(f"SELECT digits FROM {here.ledger} ORDER BY file")
    assert digits == [(2,), (None,), (None,), (3,)]


@pytest.mark.parametrize("age", ["new", "old"])
def test_a_large_ledger_is_not_read_as_a_whole(house, age):
    """However many rows there are, a look-up goes to some by index, and returns what it needs."""
    here = house()
    here.query(
        f"INSERT INTO {here.ledger} SELECT '{here.url('')}' || n, '{here.table}', 'flights', "
        "'events', 'shardId-' || n % 4, n || '0-0', n || '9-9', 1, 1, 's3://files/m', getdate(), 7 "
        "FROM generate_series(100000, 160000) AS n"
    )
    here.query(f"ANALYZE {here.ledger}")
    number = {"new": 170_000, "old": 100_004}[age]
    files = [
        File(
            bucket=BUCKET,
            key=f"{here.name}/{n}",
            application="flights",
            stream="events",
            shard=f"shardId-{n % 4}",
            first=f"{n}0-0",
            last=f"{n}9-9",
        )
        for n in [number, *range(170_001, 170_100)]
    ]
    with here.db.cursor() as cursor:
        verdict = Ledger.from_settings(here.settings).judge(cursor, files)
        read = cursor.rowcount
        cursor.execute(b"EXPLAIN " + cursor.query)
        plan = " ".join(line for (line,) in cursor.fetchall())

    assert len(verdict.loaded) == (age == "old")
    assert len(verdict.fresh) + len(verdict.loaded) == 100
    assert read <= 2
    assert "Seq Scan" not in plan
    assert "Index" in plan


# --- bad files -----------------------------------------------------------------------------------

BAD_ROW = b'{"id": 1, "text": "fine"}\n{"id": "seven", "text": "a word"}\n'


def test_a_bad_row_sets_its_file_aside_and_the_others_load(house):
    """One of five files has a row that does not fit: its letter has line and column."""
    here = house()
    messages = [here.file(f"f{n}", n, first=f"{n}-0") for n in range(5)]
    messages[2] = here.file("f2", first="2-0", body=BAD_ROW)
    here.load(*messages)

    assert here.ids() == [0, 1, 3, 4]
    assert here.entered() == ["f0", "f1", "f3", "f4"]
    ((message, reason),) = here.letters().items()
    assert message == messages[2]
    assert here.url("f2") in reason
    assert "line 2, column id: Invalid digit" in reason


def test_every_kind_of_bad_file_in_one_batch_is_set_aside(house):
    """Bad row, missing, wrong size, wrong format, other compression: only the good one loads."""
    here = house()
    bad = {
        here.file("row", body=BAD_ROW): "line 2, column id",
        here.message("missing"): "is not there",
        here.file("again", body=b"\n[1]\n", first="5-0"): "line 2",
        here.file("size", 8, bytes=7): "announced were 7",
        here.file("format", 9, format="csv"): "holds csv, redshiftDataFormat is json",
        "s3://no-such-bucket/at/all": "is not there",
        here.message("elsewhere", bucket="no-such-bucket"): "is not there",
    }
    good = here.file("good", 1, first="6-0")
    here.load(*list(bad)[:3], good, *list(bad)[3:])

    assert here.ids() == [1]
    assert here.entered() == ["good"]
    letters = here.letters()
    assert set(letters) == set(bad)
    for message, words in bad.items():
        assert words in letters[message]


def test_a_batch_of_bad_files_only_ends(house):
    """Nothing is loaded, each has its letter, and the checkpoint passes them."""
    here = house()
    messages = [here.file("a", body=BAD_ROW), here.message("b"), here.file("c", body=b"{")]
    here.load(*messages)

    assert here.ids() == here.entered() == []
    assert set(here.letters()) == set(messages)


@pytest.mark.parametrize(
    ("said", "body"),
    [("gzip", b"not gzip at all"), ("gzip", gzip.compress(b"x" * 99)[:-9]), ("zstd", b"not zstd")],
)
def test_a_file_that_cannot_be_decompressed_is_set_aside(house, said, body):
    """Bytes that are not what the message says are bad for good, and stop no other file."""
    here = house()
    bad = here.file("403/bad", body=body, compression="none")
    bad = json.dumps({**json.loads(bad), "compression": said})
    here.load(here.file("a", 1, compression=said), bad, here.file("b", 2, compression=said))

    assert here.ids() == [1, 2]
    assert set(here.letters()) == {bad}


@contextlib.contextmanager
def denied(bucket):
    """Let S3 answer 403 to each look into a bucket, as it does without rights to it."""
    real = Bucket.head

    def head(self, key, of=None):
        if (of or self.name) == bucket:
            answer = {"Error": {"Code": "403"}, "ResponseMetadata": {"HTTPStatusCode": 403}}
            raise classify(ClientError(answer, "HeadObject"), f"looking at {bucket}")
        return real(self, key, of)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Bucket, "head", head)
        yield


def test_a_bucket_that_is_not_for_us_is_set_aside(house):
    """A message about somebody else's bucket must not stop the load of all others."""
    here = house()
    with denied("somebody-elses"):
        here.load(foreign := "s3://somebody-elses/file.json", here.file("a", 1))

    assert here.ids() == [1]
    assert "not for us" in here.letters()[foreign]


def test_a_bucket_of_ours_that_is_closed_is_fatal(house):
    """When not even our own objects can be looked at, no message is blamed."""
    here = house()
    here.file("a", 1)
    with denied(BUCKET), pytest.raises(Fatal, match="looking at"):
        here.load(f"{here.name}/a")


@pytest.mark.parametrize("name", ["1403", "forbidden/403", "AccessDenied", "7-1023"])
def test_a_name_that_looks_like_an_error_is_only_a_name(house, name):
    """Digits of a sequence number, or words of a key, do not make a missing file a lack of access.

    A table's name neither makes a bad row one.
    """
    here = house(redshiftDataTable=f'"load 403 {name}"')
    messages = [here.message(name), here.file(f"{name}-row", body=BAD_ROW), here.file("a", 1)]
    here.load(*messages)

    assert here.ids() == [1]
    assert set(here.letters()) == set(messages[:2])


def test_what_overlapped_a_bad_file_is_judged_again(house):
    """The file that overlaps one of the same batch is loaded when that one turns out bad."""
    here = house()
    bad = here.file("a", body=BAD_ROW, first="1-0", last="5-0")
    here.load(bad, here.file("b", 2, first="3-0", last="9-0"))

    assert here.ids() == [2]
    assert set(here.letters()) == {bad}


def test_a_long_name_is_found_though_redshift_cuts_it(house):
    """The error tables keep 256 characters of a file's name."""
    here = house()
    bad = here.file("a/" * 200 + "bad", body=BAD_ROW)
    here.load(bad, here.file("b/" * 200 + "good", 1))

    assert here.ids() == [1]
    assert set(here.letters()) == {bad}


def test_a_name_as_long_as_the_error_table_keeps_is_not_blamed_for_a_longer_one(house):
    """The table's 256 characters are all of one file's name and the beginning of the other's."""
    here = house()
    name = "a" * (256 - len(here.url("")))
    bad = here.file(f"{name}bad", body=BAD_ROW)
    here.load(here.file(name, 1), bad)

    assert here.ids() == [1]
    ((message, reason),) = here.letters().items()
    assert message == bad
    assert "line 2, column id" in reason


def test_two_long_names_that_begin_alike_are_told_apart(house):
    """Where the error table's 256 characters fit several files, the one at fault is searched."""
    here = house()
    names = ["a/" * 200 + name for name in ("bad 1", "good 1", "bad 2", "good 2")]
    bad = [here.file(names[0], body=BAD_ROW), here.file(names[2], body=BAD_ROW)]
    here.load(bad[0], here.file(names[1], 1), bad[1], here.file(names[3], 2))

    assert here.ids() == [1, 2]
    letters = here.letters()
    assert set(letters) == set(bad)
    assert all("line 2, column id" in reason for reason in letters.values())


def test_a_bad_file_that_is_named_costs_one_more_copy(house, journal):
    """The load error says which file it was: the others are loaded by the next COPY."""
    here = house()
    files = [here.file(f"f{n}", n) for n in range(8)]
    here.load(*files, here.file("bad", body=BAD_ROW))

    assert here.ids() == list(range(8))
    assert sum(statement.startswith("COPY") for statement in journal) == 2


@pytest.fixture
def nameless(monkeypatch):
    """Let the error table say nothing of a load that failed."""
    monkeypatch.setattr(Warehouse, "load_errors", lambda self: self.close() or [])


def test_a_bad_file_that_nothing_names_is_found(house, nameless):
    """What loads is loaded; a file that fails alone is set aside, with the words of COPY."""
    here = house()
    messages = [here.file(f"f{n}", n, first=f"{n}-0") for n in range(9)]
    for n in (2, 7):
        messages[n] = here.file(f"f{n}", first=f"{n}-0", body=BAD_ROW)
    here.load(*messages)

    assert here.ids() == [0, 1, 3, 4, 5, 6, 8]
    assert here.entered() == [f"f{n}" for n in here.ids()]
    letters = here.letters()
    assert set(letters) == {messages[2], messages[7]}
    assert here.url("f2") in letters[messages[2]]
    assert "sys_load_error_detail" in letters[messages[2]]


def test_a_file_that_only_copy_may_not_read_is_set_aside(house):
    """S3 refuses an archived object to COPY, though it can be looked at; the others are read."""
    here = house()
    archived = here.file("b", 2, tier="GLACIER")
    here.load(here.file("a", 1), archived, here.file("c", 3))

    assert here.ids() == [1, 3]
    assert "Status 403" in here.letters()[archived]


def test_if_copy_may_read_none_of_the_files_no_file_is_blamed(house, waits):
    """Then it is the role that lacks a right: the process ends at once, and says so."""
    here = house()
    with pytest.raises(Fatal, match="redshiftIamRole"):
        here.load(*[here.file(f"f{n}", n, tier="GLACIER") for n in range(3)])

    assert not waits
    assert not here.letters()
    assert here.ids() == here.entered() == here.checkpoints == []


@pytest.mark.parametrize(("count", "tries"), [(1, 2), (3, 16), (40, 16)])
def test_what_fails_for_all_files_sets_none_aside(house, nameless, journal, waits, count, tries):
    """If nothing can be loaded, it is not the files' fault: the process ends, and loses nothing."""
    here = house()
    with pytest.raises(Fatal, match=r"given up after 3 tries \(retryLimit\): Redshift: Load into"):
        here.load(*[here.file(f"f{n}", body=BAD_ROW) for n in range(count)])

    assert sum(statement.startswith("COPY") for statement in journal) == 3 * tries
    assert not here.letters()
    assert here.ids() == here.entered() == here.checkpoints == []


def test_a_file_that_is_loaded_already_is_not_blamed(house, nameless):
    """In the search for the file at fault only those are looked at that COPY was told to read."""
    here = house()
    loaded, bad = here.file("a", 1), here.file("bad", body=BAD_ROW)
    here.load(loaded)
    here.s3.delete_object(Bucket=BUCKET, Key=f"{here.name}/a")
    here.load(loaded, bad, here.file("b", 2))

    assert here.ids() == [1, 2]
    assert set(here.letters()) == {bad}


def test_a_loaded_file_may_be_gone_when_it_is_announced_again(house):
    """A path that leads nowhere any more is no fault of a file whose rows are in the table."""
    here = house()
    bare = f"{here.name}/a"
    here.load(here.file("a", 1, compression="none"))
    here.s3.delete_object(Bucket=BUCKET, Key=bare)
    here.load(bare, here.file("bad", body=BAD_ROW), never := f"{here.name}/never")

    assert here.ids() == [1]
    letters = here.letters()
    assert set(letters) == {never, here.file("bad", body=BAD_ROW)}
    assert "is not there" in letters[never]


def test_files_that_are_not_there_cost_no_transaction_each(house, journal):
    """However many paths lead nowhere, the ledger is locked for them once."""
    here = house()
    missing = [f"{here.name}/{n}" for n in range(9)]
    here.load(*missing, here.file("a", 1))

    assert here.ids() == [1]
    assert set(here.letters()) == set(missing)
    assert sum(statement.startswith("LOCK") for statement in journal) == 2  # by compression


@pytest.mark.parametrize("bytes_said", [None, 10])
def test_a_missing_file_is_reported_though_copy_would_pass_it_over(house, bytes_said):
    """With redshiftCopyMandatory = false too, a file that is not there is not in the ledger."""
    here = house(redshiftCopyMandatory="false")
    missing = here.message("missing", bytes=bytes_said)
    here.load(missing, here.file("a", 1))

    assert here.ids() == [1]
    assert here.entered() == ["a"]
    assert "is not there" in here.letters()[missing]
    (manifest,) = here.manifests().values()
    assert [entry["mandatory"] for entry in manifest["entries"]] == [False]


def test_a_file_that_vanishes_before_copy_reads_it_is_not_in_the_ledger(house):
    """With redshiftCopyMandatory = false, COPY passes it over: the number of rows tells."""
    here = house(redshiftCopyMandatory="false")
    vanishing = here.file("a", 1)

    def vanish(request):
        if request.url.endswith(".manifest"):
            here.s3.delete_object(Bucket=BUCKET, Key=f"{here.name}/a")

    on_s3(here.settings, vanish)
    here.load(vanishing, here.file("b", 2, 3))

    assert here.ids() == [2, 3]
    assert here.entered() == ["b"]
    assert "is not there" in here.letters()[vanishing]


def test_a_set_aside_file_can_be_announced_again_when_it_is_mended(house):
    """A quarantined file is not in the ledger: mended and announced anew, it is loaded."""
    here = house()
    here.load(here.file("a", body=BAD_ROW, first="1-0"))
    here.load(here.file("a", 1, first="1-0"))

    assert here.ids() == [1]


# --- what stops everything -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"redshiftDataTable": "no_such_table"}, "no_such_table"),
        ({"redshiftDataTable": "nowhere.flights"}, "nowhere"),
        ({"redshiftDataColumns": "id, no_such_column"}, "no_such_column"),
        ({"redshiftFileTable": "no_such_ledger"}, "no_such_ledger"),
        ({"redshiftFileKeyColumn": "no_such_key"}, "no_such_key"),
        ({"redshiftUsername": "no_such_user"}, "no_such_user"),
        ({"redshiftURL": "{address}/no_such_database"}, "no_such_database"),
        ({"redshiftCopyOptions": "NO_SUCH_OPTION"}, "NO_SUCH_OPTION"),
    ],
)
def test_what_no_file_can_pass_is_fatal(house, waits, changes, words):
    """A person must act: one sentence says on what, nothing is retried or dead-lettered."""
    here = house()
    address = here.settings[REDSHIFT_URL].partition("/")[0]
    changed = {key: value.format(address=address) for key, value in changes.items()}
    settings = Settings(here.settings.path, {**here.settings.texts, **changed})
    with pytest.raises(Fatal, match=words) as raised:
        here.load(here.file("a", 1), settings=settings)

    assert "Redshift" in str(raised.value)
    assert "\n" not in str(raised.value)
    assert not waits
    assert not here.checkpoints
    assert not here.letters()
    assert here.ids() == here.entered() == []


@pytest.mark.parametrize("password", ["wrong-secret", None, ""])
def test_a_wrong_or_missing_password_is_fatal(house, monkeypatch, password):
    """No password names the variable that it is looked for in; a wrong one is not repeated."""
    here = house()
    message = here.file("a", 1)
    if password is None:
        monkeypatch.delenv("REDSHIFT_PASSWORD")
    else:
        monkeypatch.setenv("REDSHIFT_PASSWORD", password)
    with pytest.raises(Fatal) as raised:
        here.load(message)

    assert ("authentication" if password else "REDSHIFT_PASSWORD") in str(raised.value)
    assert "wrong-secret" not in str(raised.value)


def unused_address():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return "{}:{}".format(*server.getsockname())


def test_a_server_that_stays_away_ends_the_process_after_the_retries(house, waits):
    """No connection is a passing trouble until the retries are spent; then it names their limit."""
    here = house(redshiftURL=f"{unused_address()}/dev")
    with pytest.raises(Fatal, match=r"given up after 3 tries \(retryLimit\)") as raised:
        here.load(here.file("a", 1))

    assert isinstance(raised.value.__cause__, Transient)
    assert "redshiftURL" in str(raised.value)
    assert len(waits) == 2
    assert not here.letters()


def test_a_connection_cut_during_the_tls_handshake_is_tried_again(house, waits):
    """What a network does to a handshake is no wrong certificate."""
    server = socket.create_server(("127.0.0.1", 0))

    def cut():
        with contextlib.suppress(OSError):
            while True:
                client, _ = server.accept()
                with client:
                    client.recv(8)
                    client.sendall(b"S")

    threading.Thread(target=cut, daemon=True).start()
    url = "{}:{}/dev".format(*server.getsockname())
    here = house(redshiftURL=url, redshiftSSLMode="require")
    with server, pytest.raises(Fatal, match="retryLimit"):
        here.load(here.file("a", 1))

    assert len(waits) == 2


def test_a_server_without_tls_is_refused_at_once(house, waits):
    """The default is verify-full: a password is not sent in the clear, nor tried again."""
    here = house(redshiftSSLMode="verify-full")
    with pytest.raises(Fatal, match="SSL"):
        here.load(here.file("a", 1))

    assert not waits


def test_the_password_is_nowhere_to_be_read(house, caplog, monkeypatch):
    """Neither logs, nor errors with all their causes, nor any part's repr hold the password."""
    caplog.set_level(logging.DEBUG)
    here = house()
    secrets = [os.environ["REDSHIFT_PASSWORD"], "wrong-secret"]
    life = here.load(here.file("a", 1), here.message("b"), here.file("c", body=BAD_ROW))
    monkeypatch.setenv("REDSHIFT_PASSWORD", "wrong-secret")
    with pytest.raises(Fatal) as raised:
        here.load(here.file("d", 1), life=life)
    emitter = life.emitter
    said = [caplog.text, *[repr(vars(one)) for one in (life, emitter, emitter.warehouse)]]
    error = raised.value
    while error is not None:
        said += [str(error), repr(error)]
        error = error.__cause__ or error.__context__

    assert caplog.text
    assert not [secret for secret in secrets if secret in "\n".join(said)]


# --- names and formats ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "ledger", "sql"),
    [
        ('"My Table"', '"My Ledger"', ('"My Table"', '"My Ledger"')),
        ("public.Flights_One", "PUBLIC.Files_One", ("flights_one", "files_one")),
        ('public."a.b;--"', '"it\'s"', ('"a.b;--"', '"it\'s"')),
    ],
)
def test_names_are_quoted_and_fold_as_in_sql(house, table, ledger, sql):
    """Quotes keep case, blanks and dots; without them a name is in lower case."""
    here = house(redshiftDataTable=table, redshiftFileTable=ledger)
    here.load(here.file('it\'s a "file" 100% é;.json', 1, first="1-0"))

    assert here.query(f"SELECT id FROM {sql[0]}") == [(1,)]
    assert here.query(f"SELECT file FROM {sql[1]}") == [(here.url('it\'s a "file" 100% é;.json'),)]


def test_the_ledgers_key_column_may_have_any_name(house):
    """The ledger's column of the files is named by redshiftFileKeyColumn."""
    here = house(redshiftFileKeyColumn='"File Name"')
    message = here.file("a", 1, first="1-0")
    here.load(message)
    here.load(message)

    assert here.query(f'SELECT "File Name" FROM {here.ledger}') == [(here.url("a"),)]


AWKWARD = [
    "", " ", "plain", "\\", "\\\\", "\\N", "N", "\\n", "a|b", "|", "||", "a\\|b", "line\nbreak",
    "\n", "cr\rlf\r\n", "\r", "tab\t", '"', '""', "'", "a,b", '"a","b"', "null", "NULL", "é😀",
    "\u2028", "{}", "\x01", "\x7f", "trailing\\", "\\.", " blanks ", "%s", "\x1a",
]  # fmt: skip


@pytest.mark.parametrize("kind", ["delimited", "delimited ;", "csv", "json"])
def test_awkward_strings_arrive_as_they_were_sent(house, kind):
    """What our transformers write, COPY with the options that we add reads back exactly."""
    name, _, delimiter = kind.partition(" ")
    fields = ["id", "text"]
    transformer = {
        "delimited": Delimited(fields, delimiter or "|"),
        "csv": Csv(fields),
        "json": Json(),
    }[name]
    # Without quotes, \\N is Redshift's null in CSV.
    texts = [text for text in AWKWARD if (name, text) != ("csv", "\\N")]
    sent = [{"id": number, "text": text} for number, text in enumerate(texts)]
    sent.append({"id": None, "text": "no number"})
    rows = [transformer.transform(Record(json.dumps(one).encode(), "1"))[0] + b"\n" for one in sent]
    changes = {"redshiftDataFormat": name} | (
        {"redshiftDataDelimiter": delimiter} if delimiter else {}
    )
    if name != "json":
        changes["redshiftDataColumns"] = "ID, text"
    here = house(**changes, columns="text VARCHAR(200), more INT, id BIGINT")
    here.load(here.file("a", body=b"".join(rows), format=name))

    got = here.query(f"SELECT id, text, more FROM {here.table}")
    assert Counter(got) == Counter((one["id"], one["text"], None) for one in sent)
    assert not here.letters()


NULLS = [
    ("delimited", "", [None, "", None]),
    ("json", "", [None, "", None]),
    ("csv", "", ["", "", ""]),  # without an option, Redshift makes an empty string of both
    ("csv", "EMPTYASNULL", [None, "", None]),
]


@pytest.mark.parametrize(("kind", "options", "want"), NULLS)
def test_null_and_the_empty_string(house, kind, options, want):
    """A null text and an empty one stay apart; in CSV they do with EMPTYASNULL."""
    transformer = {
        "delimited": Delimited(["id", "text"], "|"),
        "csv": Csv(["id", "text"]),
        "json": Json(),
    }[kind]
    sent = [b'{"id": 1, "text": null}', b'{"id": 2, "text": ""}', b'{"id": 3}']
    rows = b"".join(transformer.transform(Record(one, "1"))[0] + b"\n" for one in sent)
    changes = {"redshiftCopyOptions": options} if options else {}
    here = house(redshiftDataFormat=kind, **changes)
    here.load(here.file("a", body=rows, format=kind))

    assert [text for (text,) in here.query(f"SELECT text FROM {here.table} ORDER BY id")] == want


def test_copy_options_are_appended_after_ours(house, journal):
    """The end of COPY is redshiftCopyOptions, as it stands there, and has its effect."""
    here = house(redshiftCopyOptions="TRUNCATECOLUMNS TIMEFORMAT 'auto'", columns="text VARCHAR(3)")
    here.load(here.file("a", body='{"text": "abcé"}\n'.encode(), compression="none"))

    (copy,) = [statement for statement in journal if statement.startswith("COPY")]
    assert copy.endswith("FORMAT JSON 'auto' TRUNCATECOLUMNS TIMEFORMAT 'auto'")
    assert f'COPY "{here.table}" FROM \'s3://' in copy
    assert "IAM_ROLE default MANIFEST" in copy
    assert here.query(f"SELECT text FROM {here.table}") == [("abc",)]


def test_roles_are_written_as_a_string(house, journal):
    """A chain of roles stands in quotes."""
    roles = "arn:aws:iam::123456789012:role/a,arn:aws:iam::123456789012:role/b"
    here = house(redshiftIamRole=roles)
    here.load(here.file("a", 1))

    assert f" IAM_ROLE '{roles}' MANIFEST" in next(s for s in journal if s.startswith("COPY"))
    assert here.ids() == [1]


def test_rows_that_copy_counts_otherwise_than_announced_are_reported(house, caplog):
    """A file with other rows than its message says is loaded, and the difference is logged."""
    here = house()
    here.load(here.file("a", 1, 2, rows=5))

    assert here.ids() == [1, 2]
    assert "COPY reports 2 rows, the files were announced with 5" in caplog.text


def test_create_may_be_repeated(house):
    """A second `create` says what was there, and leaves streams, bucket and ledger as they are."""
    here = house(streamName="made-by-create")
    here.query(f"DROP TABLE {here.ledger}")
    first = list(create(here.settings))
    here.load(here.file("a", 1))
    again = list(create(here.settings))

    assert [thing.what.split()[0] for thing in first] == ["stream", "bucket", "ledger"]
    assert [thing.outcome for thing in first] == ["made", "was there", "made"]
    assert [thing.what for thing in again] == [thing.what for thing in first]
    assert {thing.outcome for thing in again} == {"was there"}
    assert here.entered() == ["a"]


def test_the_emitter_stands_for_itself(house):
    """RedshiftManifestEmitter.from_settings keeps manifests under the application's name."""
    here = house()
    emitter = RedshiftManifestEmitter.from_settings(here.settings)

    assert emitter.manifests == f"data/{here.settings[APPLICATION_NAME]}/manifests/"


# --- whose fault it is, in one life and the next --------------------------------------------------


@pytest.fixture
def nothing_named(monkeypatch):
    """Let the error tables say nothing."""
    monkeypatch.setattr(warehouse.Warehouse, "load_errors", lambda self: self.close() or [])


def test_a_life_that_ends_before_its_checkpoint_is_followed_by_one_like_it(house, nothing_named):
    """What is loaded already shows the next life, too, that the file that fails is at fault."""
    here = house()
    messages = [here.file("a", 1), here.file("b", body=BAD_ROW)]
    here.load(*messages)
    here.load(*messages)

    assert here.ids() == [1]
    assert set(here.letters()) == {messages[1]}


def test_one_file_alone_is_refused_if_others_were_loaded_before(house, nothing_named):
    """A file of the table is loaded once more, and rolled back: so the fault is not everybody's."""
    here = house()
    here.load(here.file("a", 1, 2, first="1-0"))
    bad = here.file("b", body=BAD_ROW, compression="zstd")
    here.load(bad)

    assert here.ids() == [1, 2]
    assert here.entered() == ["a"]
    assert set(here.letters()) == {bad}


def test_a_file_to_compare_with_is_looked_for(house, nothing_named):
    """Of the files loaded last, the newest that is still in S3 is taken."""
    here = house()
    here.load(here.file("a", 1))
    here.load(here.file("b", 2))
    here.s3.delete_object(Bucket=BUCKET, Key=f"{here.name}/b")
    bad = here.file("c", body=BAD_ROW)
    here.load(bad)

    assert here.ids() == [1, 2]
    assert set(here.letters()) == {bad}


def test_what_no_file_can_pass_refuses_none(house, nothing_named, waits):
    """With a table that takes no row any more, no file is refused, and the process ends."""
    here = house()
    here.load(here.file("a", 1))
    here.query(f"ALTER TABLE {here.table} ADD CHECK (id < 0) NOT VALID")
    checkpoints = list(here.checkpoints)
    with pytest.raises(Fatal, match="retryLimit"):
        here.load(here.file("b", 2), here.file("c", 3))

    assert here.checkpoints == checkpoints
    assert not here.letters()
    assert here.ids() == [1]


def test_a_look_that_fails_once_blames_no_file(house, monkeypatch):
    """HEAD's answers have no body, so that an expired token looks like a file not for us."""
    here = house()
    here.file("a", 1, compression="none")
    real, looks = Bucket.head, []

    def head(self, key, of=None):
        looks.append(key)
        if len(looks) == 1:
            answer = {"Error": {"Code": "400"}, "ResponseMetadata": {"HTTPStatusCode": 400}}
            raise classify(ClientError(answer, "HeadObject"), f"looking at {key}")
        return real(self, key, of)

    monkeypatch.setattr(Bucket, "head", head)
    here.load(f"{here.name}/a")

    assert here.ids() == [1]
    assert not here.letters()
