"""Stage two on the stand-ins: each announced file is in the table exactly once."""

import json
import os
import socket
import threading
from contextlib import closing
from types import SimpleNamespace

import psycopg2
import psycopg2.extensions
import pytest
import zstandard
from botocore.awsrequest import AWSResponse

from record_processors import Fatal
from record_processors.commands.create import create
from record_processors.config.setting import Settings
from record_processors.destinations.redshift.connection import Connection
from record_processors.destinations.redshift.ledger import Ledger
from record_processors.files.file import File
from support.fault_proxy import Fault
from support.redshift_wire import COMMIT, Wire
from support.stage_two import BUCKET

LOCK_LIMIT = "record_processors.destinations.redshift.connection.LOCK_MILLISECONDS"

# --- what is loaded ------------------------------------------------------------------------------


def test_the_ledger_says_of_a_file_what_its_message_said(stage_two):
    """A loaded file has one row with all of its message, its table and its manifest."""
    here = stage_two()
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
        "rows_left_out": 0,
    }
    assert here.query(f"SELECT loaded_at = '{loaded_at}' FROM {here.ledger}") == [(True,)]


def test_the_manifest_lists_the_files_entered_and_no_other(stage_two):
    """A second batch's manifest is another object and leaves out what is loaded already."""
    here = stage_two()
    a, b, c = (here.file(key, number) for number, key in enumerate("abc"))
    here.load(a, b)
    here.load(a, c, b)

    manifests = here.manifests()
    by_files = {
        tuple(entry["url"] for entry in manifest["entries"]): key
        for key, manifest in manifests.items()
    }
    assert set(by_files) == {(here.url("a"), here.url("b")), (here.url("c"),)}
    assert here.query(f"SELECT file, manifest FROM {here.ledger} ORDER BY file") == [
        (url, f"s3://{BUCKET}/{key}") for files, key in sorted(by_files.items()) for url in files
    ]
    said = [json.loads(message) for message in (a, b, c)]
    sizes = {f"s3://{BUCKET}/{file['key']}": file["bytes"] for file in said}
    for manifest in manifests.values():
        for entry in manifest["entries"]:
            assert entry["mandatory"] is True
            assert entry["meta"]["content_length"] == sizes[entry["url"]]
    assert all(len(key.rpartition("/")[2].partition(".")[0]) == 64 for key in manifests)


def test_a_file_announced_again_and_again_is_loaded_once(stage_two):
    """Twice in a batch, again in a later one, and in the next life: its rows are there once."""
    here = stage_two()
    message = here.file("a", 1, 2, first="1-0", last="2-0")
    life = here.life()
    here.load(message, message, life=life)
    here.load(message, life=life)
    here.load(message, here.file("b", 3), message)

    assert here.ids() == [1, 2, 3]
    assert here.entered() == ["a", "b"]
    assert not here.letters()


@pytest.mark.parametrize("bare_first", [True, False])
def test_the_structured_message_counts_before_the_bare_path(stage_two, bare_first):
    """Of a bare path and a whole message in one batch, the ledger has what the message says."""
    here = stage_two()
    pair = [here.file("a.gz", 1, first="1-0", last="9-0"), f"{here.name}/a.gz"]
    here.load(*reversed(pair) if bare_first else pair)

    assert here.ids() == [1]
    assert here.query(f"SELECT shard, first_position, last_position FROM {here.ledger}") == [
        ("shardId-000000000007", "1-0", "9-0")
    ]


def test_a_bare_path_of_a_loaded_file_loads_nothing(stage_two):
    """A file that came by message stays once when a key or an s3:// path names it later."""
    here = stage_two()
    here.load(here.file("a.gz", 1, first="1-0"))
    here.load(f"{here.name}/a.gz", here.url("a.gz"))
    here.load(here.url("b.gz"), here.file("c", 3, first="2-0"), here.file("b.gz", 2))
    here.load(here.file("b.gz", 2, first="3-0"))

    assert here.ids() == [1, 2, 3]
    assert not here.letters()


def test_a_bare_path_is_completed_from_the_objects_metadata(stage_two):
    """Rows, positions and compression of a bare path come from S3."""
    here = stage_two()
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


def test_one_batch_may_hold_every_compression(stage_two):
    """Gzip, zstd and plain files of one batch are all loaded."""
    here = stage_two()
    kinds = enumerate(["gzip", "none", "zstd", "none", "gzip"])
    here.load(*[here.file(f"f{n}", n, first=f"{n}-0", compression=kind) for n, kind in kinds])

    assert here.ids() == [0, 1, 2, 3, 4]
    assert here.entered() == ["f0", "f1", "f2", "f3", "f4"]


def test_one_ledger_may_serve_several_tables(stage_two):
    """A file is entered, and loaded, for each data table on its own."""
    here = stage_two()
    other = stage_two(redshiftFileTable=here.ledger)
    message = here.file("a", 1, first="1-0")
    for one in (here, other, here, other):
        one.load(message)

    assert here.ids() == other.ids() == [1]
    tables = here.query(f"SELECT data_table FROM {here.ledger} ORDER BY data_table")
    assert tables == sorted([(here.table,), (other.table,)])


def test_a_table_may_be_spelled_in_several_ways(stage_two):
    """Capitals and quotes that mean nothing do not make another table of it."""
    here = stage_two()
    message = here.file("a", 1, first="1-0")
    for spelling in (here.table, here.table.upper(), f'"{here.table}"'):
        texts = {**here.settings.texts, "redshiftDataTable": spelling}
        here.load(message, settings=Settings(here.settings.path, texts))

    assert here.ids() == [1]
    assert here.query(f"SELECT data_table FROM {here.ledger}") == [(here.table,)]


# --- one transaction -----------------------------------------------------------------------------


class Crash(BaseException):
    """The process dies here."""


def test_the_ledgers_lock_is_the_first_statement(stage_two, journal):
    """LOCK comes before any SELECT, each time, or the ledger would be read as it was before it."""
    here = stage_two()
    life = here.life()
    begins = []
    lock = life.emitter.loader.load.ledger.lock

    def noted(cursor):
        begins.append(cursor.connection.info.transaction_status)
        lock(cursor)

    life.emitter.loader.load.ledger.lock = noted
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


def test_the_wait_for_the_lock_is_bounded(stage_two, monkeypatch, caplog):
    """A loader that does not get the lock gives its try up and says where to look, then loads."""
    here = stage_two()
    holder = psycopg2.connect(here.db.dsn, password=os.environ["REDSHIFT_PASSWORD"])
    holder.cursor().execute(f"LOCK {here.ledger}")
    monkeypatch.setattr(LOCK_LIMIT, 500)

    def release(_):
        holder.close()
        monkeypatch.undo()

    monkeypatch.setattr("tenacity.nap.time", SimpleNamespace(sleep=release))
    here.load(here.file("a", 1), here.file("b", 2))

    assert (
        f'the ledger "{here.ledger}" (redshiftFileTable) is locked by another session'
        in caplog.text
    )
    assert "pg_terminate_backend" in caplog.text
    assert here.ids() == [1, 2]
    assert here.entered() == ["a", "b"]


def test_the_bound_of_the_lock_is_not_the_copys(stage_two, monkeypatch):
    """What comes after LOCK may last longer than the wait for it; the next LOCK may not."""
    here = stage_two()
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
    monkeypatch.setattr(Connection, "close", lambda self: None)  # a connection for both
    here.load(here.file("a", 1), life=life)
    here.load(here.file("b", 2), life=life)
    monkeypatch.undo()
    life.close()

    assert limits == ["5min", "30min"] * 2


def test_a_server_that_vanishes_is_noticed(stage_two):
    """The system ends a connection on which nobody answers: while it waits, and while it sends."""
    with (
        Connection.from_settings(stage_two().settings).transaction() as cursor,
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


class Busy(AWSResponse):
    """S3's answer when it has too much to do."""

    def __init__(self, url):
        super().__init__(url, 503, {}, None)
        self._content = b"<Error><Code>SlowDown</Code></Error>"


def test_the_lock_is_not_held_while_s3_is_busy(stage_two, monkeypatch):
    """When the manifest cannot be written, another loader has its turn before the next try."""
    here = stage_two()
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

    here.on_s3(answer)
    monkeypatch.setattr(LOCK_LIMIT, 5000)  # if it is held, do not hang
    monkeypatch.setattr("tenacity.nap.time", SimpleNamespace(sleep=wait))
    here.load(*messages)

    assert puts == ["PUT"] * 3  # busy, by the other, for the file that the other did not load
    assert waits == [1]
    assert here.ids() == [1, 2]
    assert here.entered() == ["a", "b"]


@pytest.mark.parametrize("mandatory", ["true", "false"])
def test_under_the_lock_s3_is_called_once(stage_two, journal, mandatory):
    """Only the manifest is written between LOCK and COMMIT; files are looked at before."""
    here = stage_two(redshiftCopyMandatory=mandatory)
    messages = [here.file("a", 1), here.file("b", 2)]
    life = here.life()
    here.on_s3(lambda request: journal.append(request.method))
    here.load(*messages, life=life)

    words = [statement.partition(" ")[0] for statement in journal]
    looks = [] if mandatory == "true" else ["HEAD", "HEAD"]
    whole = ["LOCK", "SELECT", "PUT", "COPY", "SELECT", "INSERT"]
    assert words == [*looks, "SET", "SET", *whole]


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_crash_between_copy_and_commit_leaves_nothing(stage_two, monkeypatch, moment):
    """Rows and ledger are one transaction: the next life finds neither and loads once."""
    here = stage_two()
    message = here.file("a", 1, 2, first="1-0", last="2-0")
    enter = Ledger.enter

    def crash(self, cursor, files, *about):
        cursor.execute("SELECT pg_last_copy_count()")
        assert cursor.fetchone() == (2,)
        if moment == "after":
            enter(self, cursor, files, *about)
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


def test_a_connection_lost_between_copy_and_commit_is_tried_again(stage_two, monkeypatch, waits):
    """The server ends the session after the INSERT: the whole transaction runs again."""
    here = stage_two()
    enter, lost = Ledger.enter, []

    def cut(self, cursor, files, *about):
        enter(self, cursor, files, *about)
        if not lost:
            lost.append(cursor.connection.info.backend_pid)
            here.query(f"SELECT pg_terminate_backend({lost[0]})")

    monkeypatch.setattr(Ledger, "enter", cut)
    here.load(here.file("a", 1, 2))

    assert lost
    assert here.ids() == [1, 2]
    assert here.entered() == ["a"]


def test_a_connection_that_timed_out_is_no_fault_of_a_file(stage_two, monkeypatch, journal, waits):
    """psycopg2 tells of it without a state; the whole transaction runs again, on a new session."""
    here = stage_two()
    enter, lost = Ledger.enter, []

    def time_out(self, cursor, files, *about):
        enter(self, cursor, files, *about)
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
def test_an_unanswered_commit_is_run_again_as_a_whole(stage_two, stack, waits, kind):
    """Whether the COMMIT is lost, only its answer, or it is still on its way: rows are there once.

    In the last case a look at the ledger without its lock would find nothing.
    """
    host, _, rest = stack.properties["redshiftURL"].partition(":")
    port, _, database = rest.partition("/")
    with closing(Wire((host, int(port)))) as wire:
        wire.faults.append(Fault(COMMIT, kind))
        here = stage_two(redshiftURL=f"{wire.url}/{database}")
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


def test_two_loaders_at_once_load_each_file_once(stage_two):
    """Two processes that own the shard both succeed, and what both were told is loaded once."""
    here = stage_two()
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


def test_a_loader_that_waits_for_the_lock_sees_what_the_other_committed(stage_two, monkeypatch):
    """While the first is between COPY and COMMIT the second asks for the lock; neither doubles."""
    here = stage_two()
    message = here.file("a", 1, first="1-0")
    enter, others = Ledger.enter, []
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"

    def second():
        here.load(message)

    def hold(self, cursor, files, *about):
        enter(self, cursor, files, *about)
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


def test_a_file_that_overlaps_a_loaded_one_is_set_aside(stage_two):
    """Inside, around, at either edge: it is not loaded, and the letter names the loaded file."""
    here = stage_two()
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


def test_overlaps_within_a_batch_are_found_in_every_compression(stage_two):
    """The first of two that overlap is loaded, the second set aside, by one COPY or by two."""
    here = stage_two()
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


def test_the_same_range_of_another_chain_is_no_overlap(stage_two):
    """Another application, stream or shard has positions of its own."""
    here = stage_two()
    here.load(
        here.file("a", 1, first="1-0", last="9-0"),
        here.file("b", 2, first="1-0", last="9-0", application="trains"),
        here.file("c", 3, first="1-0", last="9-0", stream="others"),
    )
    here.load(here.file("d", 4, first="1-0", last="9-0", shard="shardId-000000000008"))

    assert here.ids() == [1, 2, 3, 4]
    assert not here.letters()


def test_a_loaded_key_with_another_range_is_set_aside(stage_two):
    """The same key cannot mean other records: the message is set aside, nothing is loaded."""
    here = stage_two()
    here.load(here.file("a", 1, first="1-0", last="5-0"))
    message = here.file("a", 1, first="1-0", last="6-0")
    here.load(message)

    assert here.ids() == [1]
    assert here.letters()[message].count(here.url("a")) == 1


@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_one_key_with_two_ranges_in_a_batch(stage_two, compression):
    """The first is loaded, the other set aside, and not taken for the same announced twice."""
    here = stage_two()
    first = here.file("a", 1, first="1-0", last="5-0")
    about = {"last": "6-0", "compression": compression}
    other = json.dumps({**json.loads(first), **about})
    here.load(first, other, first)

    assert here.ids() == [1]
    assert here.query(f"SELECT last_position FROM {here.ledger}") == [("5-0",)]
    assert here.letters() == {other: f"{here.url('a')} is loaded with another range, 1-0 to 5-0"}


def test_of_two_ranges_of_a_key_the_one_that_can_be_loaded_is(stage_two):
    """A message that is refused for an overlap leaves the key to the one that overlaps nothing."""
    here = stage_two()
    here.load(here.file("loaded", 1, first="1-0", last="5-0"))
    bad = here.file("a", 2, first="4-0", last="9-0")
    here.load(bad, here.file("a", 2, first="6-0", last="9-0"))

    assert here.ids() == [1, 2]
    assert set(here.letters()) == {bad}


def test_files_without_positions_overlap_nothing(stage_two):
    """A file that does not say what it covers is loaded by its name alone."""
    here = stage_two()
    here.load(here.file("a", 1, first="1-0", last="9-0"), here.file("b", 2), here.file("c", 3))
    here.load(here.file("d", 4))

    assert here.ids() == [1, 2, 3, 4]
    assert not here.letters()


@pytest.mark.parametrize("in_one_batch", [True, False])
def test_positions_compare_as_numbers(stage_two, in_one_batch):
    """Nine digits come before ten, and sub-sequence 9 before 10, as text would not say."""
    here = stage_two()
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
def test_rows_that_others_entered_are_judged_as_ours(stage_two, create_again):
    """A row with the contract's columns alone keeps out what overlaps it, of whatever length."""
    here = stage_two()
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


def test_a_ledger_that_was_made_before_is_brought_up_to_date(stage_two):
    """Until `create` has added the column that it lacks, nothing is loaded; then all is known."""
    here = stage_two()
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
def test_a_large_ledger_is_not_read_as_a_whole(stage_two, age):
    """However many rows there are, a look-up goes to some by index, and returns what it needs."""
    here = stage_two()
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
