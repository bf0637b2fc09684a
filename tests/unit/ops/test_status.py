"""`status`: how far behind each shard is, who has it, and what needs a person."""

import json
import logging
import os
from pathlib import Path

import boto3
import psycopg2
import pytest

from record_processors.aws.clients import client
from record_processors.aws.layout import LAYOUTS
from record_processors.commands.create import create
from record_processors.config.properties import load
from record_processors.destinations.redshift import state
from record_processors.destinations.redshift.ledger import Ledger
from record_processors.kcl.leases import read_leases
from record_processors.ops import lag
from support.aggregated import aggregated
from support.fakes import STAGE_TWO, properties

NONE_BEHIND = ("--behind", "0s")


def test_a_pipeline_that_keeps_up(place):
    """A shard whose last record is checkpointed is nothing behind, and nothing needs a person."""
    here = place()
    (shard,) = here.make()
    here.put()
    here.lease(shard, here.put(), owner=f"host-a-{here.name}")
    key = here.file(shard, 7)

    code, out = here.page(*NONE_BEHIND)
    assert code == 0
    assert out.endswith("\nnothing needs a person\n")
    assert "1 of 1 shard read by 1 worker, at most 0 s behind" in out
    assert "written: 2 files in the last hour, 8 bytes" in out
    assert "no dead letters in the last day" in out
    (row,) = [line.split() for line in out.splitlines() if line.startswith(f"  {shard}")]
    assert row[1:3] == ["0", "s"]
    assert row[-1] == "host-a"
    assert max(map(len, out.splitlines())) <= 80

    code, (pipeline,) = here.status(*NONE_BEHIND)
    (found,) = pipeline["shards"]
    assert (code, pipeline["attention"]) == (0, [])
    assert (pipeline["application"], pipeline["stream"]) == (here.name, here.stream)
    assert (found["state"], found["behind"]) == ("reading", 0)
    assert found["checkpointArrived"]
    assert found["lastFile"]["key"] == key


def test_a_record_beyond_the_checkpoint(place):
    """The age of the first record that is not checkpointed is how far behind a shard is."""
    here = place()
    (shard,) = here.make()
    here.lease(shard, here.put())
    here.put()

    assert here.shards()[shard]["behind"] > 0
    assert here.reasons() == {}
    assert here.reasons(*NONE_BEHIND)["behind"].startswith(f"more than 0 s behind: {shard}, by ")


def test_a_checkpoint_inside_an_aggregated_record(place):
    """A record of Kinesis is done when the last of the records in it is checkpointed."""
    here = place()
    (shard,) = here.make()
    number = here.put(aggregated(b"a", b"b", b"c"))
    for sub, is_behind in [(0, True), (1, True), (2, False)]:
        here.lease(shard, number, sub)
        found = here.shards()[shard]
        assert (found["behind"] > 0) == is_behind
        assert found["checkpointArrived"]


def test_shards_without_a_position(place):
    """What KCL writes in the place of a position is understood; of LATEST, nothing is known."""
    here = place()
    begun, newest, ended = here.make(3)
    here.kinesis.put_record(
        StreamName=here.stream, PartitionKey="k", ExplicitHashKey="0", Data=b"x"
    )
    here.lease(begun, "TRIM_HORIZON")
    here.lease(newest, "LATEST")
    here.lease(ended, "SHARD_END")

    found = here.shards()
    assert [found[one]["state"] for one in found] == ["reading", "reading", "ended"]
    assert found[begun]["behind"] > 0
    assert found[newest]["behind"] is None
    assert found[ended]["behind"] is None
    assert here.reasons() == {}


def test_a_shard_that_begins_at_a_time(place):
    """Without a checkpoint, what came since that time is not read."""
    begin = {"initialPositionInStream": None, "initialPositionInStreamExtended": "1700000000"}
    here = place(**begin)
    (shard,) = here.make()
    here.lease(shard, "AT_TIMESTAMP")
    assert here.shards()[shard]["behind"] == 0
    here.put()
    assert here.shards()[shard]["behind"] > 0


def test_a_checkpoint_that_the_stream_does_not_keep(place):
    """Records that were lost by the stream's retention are told of, loudly."""
    here = place()
    (shard,) = here.make()
    first = here.put()
    here.lease(shard, str(int(first) - 1000))

    reasons = here.reasons(*NONE_BEHIND)
    assert "does not have the record at its checkpoint any more" in reasons["recordsLost"]
    code, out = here.page(*NONE_BEHIND)
    assert code == 1
    assert " LOST " in out
    here.lease(shard, first)
    assert here.reasons(*NONE_BEHIND) == {}


def test_a_record_that_is_new_after_a_long_silence(place):
    """A checkpoint that the stream has forgotten is no loss while the shard is up to date."""
    here = place()
    (shard,) = here.make()
    here.lease(shard, str(int(here.put()) - 1000))
    assert here.reasons() == {}


def test_a_shard_that_is_gone(place):
    """A lease of a shard that is not there, and was not read to its end, is a loss."""
    here = place()
    (shard,) = here.make()
    here.lease(shard, "TRIM_HORIZON")
    here.lease("shardId-000000000099", "5")

    reason = here.reasons()["recordsLost"]
    assert reason.startswith("records lost: shardId-000000000099: the stream does not have")


def test_children_wait_for_their_parents(place):
    """A shard whose parents have not ended waits for them, and is read when they have."""
    here = place()
    parent, child = here.make(2)
    here.lease(parent, "TRIM_HORIZON")
    here.lease(child, "TRIM_HORIZON", parents=[parent])

    found = here.shards()
    assert (found[child]["state"], found[child]["waitsFor"]) == ("waiting", [parent])
    assert "1 waiting for parents" in here.page()[1]
    here.lease(parent, "SHARD_END")
    found = here.shards()
    assert (found[parent]["state"], found[child]["state"]) == ("ended", "reading")
    assert found[child]["waitsFor"] == []


def test_a_shard_without_an_owner(place):
    """Nobody reads it: a person is needed."""
    here = place()
    one, two = here.make(2)
    here.lease(one, "TRIM_HORIZON")
    here.lease(two, "TRIM_HORIZON", owner=None)

    assert here.reasons() == {"noOwner": f"without an owner, so that no daemon reads it: {two}"}


def test_an_owner_that_is_silent(place):
    """An owner whose reports have ended needs a person; one that reports does not."""
    here = place()
    (shard,) = here.make()
    here.lease(shard, "TRIM_HORIZON", owner="host-a")
    here.hear_of("host-a", ago=20)
    assert here.reasons() == {}
    here.hear_of("host-a", ago=600)
    reason = here.reasons()["silentOwner"]
    assert reason.startswith(f"the owner is silent: {shard} of host-a, which was last heard of at ")


def test_no_lease_table(place):
    """Before the first daemon, one sentence says so."""
    here = place()
    code, out = here.page()
    assert code == 1
    assert f"there is no lease table {here.name} yet: no daemon has run" in out
    here.make()
    assert here.reasons() == {"noLeases": "there are no leases: no daemon has read anything yet"}


def test_leases_on_several_pages(place):
    """All pages of a large lease table are read; what newer KCLs keep in it is no lease."""
    here = place()
    (shard,) = here.make()
    items = [
        {
            "leaseKey": {"S": f"shardId-{number:012}"},
            "checkpoint": {"S": "SHARD_END"},
            "checksum": {"S": "x" * 30_000},
        }
        for number in range(1, 50)
    ]
    items.append({"leaseKey": {"S": "worker"}, "entityType": {"S": "WORKER"}})
    for start in range(0, len(items), 25):
        requests = [{"PutRequest": {"Item": item}} for item in items[start : start + 25]]
        here.dynamodb.batch_write_item(RequestItems={here.name: requests})
    here.lease(shard, "TRIM_HORIZON")

    leases = read_leases(here.dynamodb, load(here.path))
    assert len(leases) == 50
    assert leases[0].shard == shard


def test_the_last_file_of_each_shard(place):
    """It is the one with the greatest position, as a number, in the latest hour."""
    here = place()
    one, two = here.make(2)
    here.lease(one, "TRIM_HORIZON", has_file=False)
    here.lease(two, "TRIM_HORIZON", has_file=False)
    here.file(one, 9)
    last = here.file(one, 10)
    here.file(two, 3, hours=20)
    older = here.file(two, 4, hours=19)

    found = here.shards()
    assert found[one]["lastFile"]["key"] == last
    assert found[two]["lastFile"]["key"] == older


@pytest.mark.parametrize("layout", ["hive", "day={yyyy}-{MM}-{dd}"])
def test_the_last_file_in_any_layout(place, layout):
    """Folders of hours and of days are looked through, whatever they are called."""
    here = place(s3Layout=layout)
    (shard,) = here.make()
    here.lease(shard, "TRIM_HORIZON", has_file=False)
    here.file(shard, 1, layout=LAYOUTS.get(layout, layout))
    key = here.file(shard, 2, layout=LAYOUTS.get(layout, layout))

    assert here.shards()[shard]["lastFile"]["key"] == key


def test_old_files_are_not_listed(place, monkeypatch):
    """Where each shard has a file of this hour, no more than a few hours are looked at."""
    here = place()
    (shard,) = here.make()
    here.lease(shard, "TRIM_HORIZON")
    here.file(shard, 2)
    here.file(shard, 1, hours=20)
    asked = []
    make = boto3.client

    def noting(service, **how):
        made = make(service, **how)
        made.meta.events.register(
            "provide-client-params.s3.ListObjectsV2", lambda params, **_: asked.append(params)
        )
        return made

    monkeypatch.setattr(boto3, "client", noting)
    here.page()
    files = [params for params in asked if params["Prefix"].startswith(f"{here.name}/")]
    assert len(files) == 3


def test_new_dead_letters(place):
    """Letters of the last day need a person, until they are put back."""
    here = place()
    (shard,) = here.make()
    here.lease(shard, "TRIM_HORIZON")
    here.letter("a.jsonl", mark=True)
    here.letter("b.jsonl", mark=True)
    here.letter("no-letters")
    assert here.reasons() == {}
    here.letter("c.jsonl")
    here.letter("d.jsonl")
    reason = here.reasons()["letters"]
    assert reason.startswith("2 files of dead letters in the last day, the last at ")
    assert f"`kinesis-connectors letters {here.path}`" in reason


TOO_FAST = "ProvisionedThroughputExceededException"


def test_a_read_that_is_refused_for_its_pace(place, refuse, waits):
    """A shard that others read as fast as it may be read is said to be, and needs nobody."""
    here = place()
    (shard,) = here.make()
    here.lease(shard, here.put())
    refuse("GetRecords", TOO_FAST)

    found = here.shards()[shard]
    assert (found["behind"], found["unknown"]) == (None, lag.BUSY)
    assert len(waits) == lag.TRIES - 1
    code, out = here.page()
    assert code == 0
    assert f"  {shard}   unknown  " in out
    said = f"too busy to be looked at, and so not known how far behind: {shard}: {lag.BUSY}"
    assert said in " ".join(out.split())
    assert out.endswith("\nnothing needs a person\n")
    assert logging.getLogger("record_processors").isEnabledFor(logging.WARNING)


def test_one_busy_shard_beside_others(place, refuse, waits):
    """What the others are behind is the least that the pipeline is; it is not told to be 0."""
    here = place()
    idle, busy = here.make(2)
    for shard in (idle, busy):
        here.lease(shard, "TRIM_HORIZON")
    refuse("GetShardIterator", TOO_FAST, of=busy)

    _, (pipeline,) = here.status()
    assert (here.shards()[idle]["behind"], pipeline["behind"]) == (0, None)
    here.put(ExplicitHashKey="0")
    _, (pipeline,) = here.status()
    assert pipeline["behind"] > 0
    assert "2 of 2 shards read by 1 worker, at least 0 s behind" in here.page()[1]


def test_a_checkpoint_of_another_stream(place, refuse):
    """A position that Kinesis does not take, as of a stream that was made anew, is a loss."""
    here = place()
    (shard,) = here.make()
    here.lease(shard, here.put())
    refuse("GetShardIterator", "InvalidArgumentException")
    assert "the stream does not know its checkpoint" in here.reasons()["recordsLost"]


def test_a_shard_with_long_silences(place, refuse):
    """Where Kinesis gives one empty page after the other, it tells how far they reach."""
    here = place()
    (shard,) = here.make()
    here.lease(shard, here.put())
    silent = {"Records": [], "NextShardIterator": "next", "MillisBehindLatest": 90_000}
    refuse("GetRecords", status=200, **silent)
    assert here.shards()[shard]["behind"] == 90


def test_a_right_that_is_lacking(place, refuse):
    """Without the right to read the stream, a person is told which it is."""
    here = place()
    (shard,) = here.make()
    here.lease(shard, here.put())
    refuse("GetRecords", "AccessDeniedException")
    assert "the permission kinesis:GetRecords is missing" in here.reasons()["notKnown"]


def test_a_stream_that_does_not_answer(place, waits, monkeypatch):
    """It is said once, of all shards, and the rest is shown."""
    here = place()
    one, two = here.make(2)
    here.lease(one, "5")
    here.lease(two, "5")
    properties(Path(here.path).parent, {**here.changes, "kinesisEndpoint": "http://127.0.0.1:9"})
    reasons = here.reasons()
    assert list(reasons) == ["notKnown"]
    assert "above all" in reasons["notKnown"]
    assert "Could not connect" in reasons["notKnown"]

    waits.clear()
    settings = load(here.path)
    reader = lag.ShardReader(client("kinesis", settings), settings)
    lags = [reader.lag(each) for each in read_leases(here.dynamodb, settings)]
    assert lags[0] == lags[1]
    assert len(waits) == lag.TRIES - 1


class Interrupted:
    """Stands in for `time.sleep`: does something between the looks, then is Ctrl-C."""

    def __init__(self, *between):
        self.between = list(between)

    def __call__(self, seconds):
        if not self.between:
            raise KeyboardInterrupt
        self.between.pop(0)()


def test_watching_where_nobody_looks(place, monkeypatch):
    """Each look is printed again, and tells how fast the lag shrinks; Ctrl-C ends with 130."""
    here = place()
    (shard,) = here.make()
    first, second = here.put(), here.put()
    here.lease(shard, first)
    monkeypatch.setattr("time.sleep", Interrupted(lambda: here.lease(shard, second, counter=2)))

    code, out = here.page("--json", "--watch", "1")
    one, two = map(json.loads, out.splitlines())
    assert code == 130
    (before,), (after,) = one["pipelines"][0]["shards"], two["pipelines"][0]["shards"]
    assert before["shrinks"] is None
    assert after["behind"] == 0
    assert after["shrinks"] > 0


def test_watching_on_a_terminal(place, monkeypatch):
    """The page is redrawn in its place."""
    here = place()
    (shard,) = here.make()
    here.lease(shard, "TRIM_HORIZON")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setattr("time.sleep", Interrupted(list))

    code, out = here.page("--watch")
    assert code == 130
    assert out.count("\x1b[H") == out.count("\x1b[J") == 2
    assert out.startswith(f"\x1b[H{here.name}, from stream ")


@pytest.mark.parametrize(("counter", "needed"), [(1, True), (2, False)])
def test_a_lease_that_is_not_renewed(place, monkeypatch, counter, needed):
    """An owner that does not count its lease up for as long as KCL lets it may be dead."""
    here = place(failoverTimeMillis="1")
    (shard,) = here.make()
    here.lease(shard, "TRIM_HORIZON")
    between = Interrupted(lambda: here.lease(shard, "TRIM_HORIZON", counter=counter))
    monkeypatch.setattr("time.sleep", between)

    _, out = here.page("--json", "--watch", "1")
    _, last = map(json.loads, out.splitlines())
    kinds = [reason["kind"] for reason in last["pipelines"][0]["attention"]]
    assert kinds == ["leaseNotRenewed"] * needed


@pytest.fixture
def two(place):
    """Make a stage two with a shard that is read, and a ledger with nothing in it."""
    here = place(STAGE_TWO)
    (shard,) = here.make()
    here.lease(shard, "TRIM_HORIZON")
    list(create(load(here.path)))
    return here


def ledger(here):
    return Ledger.from_settings(load(here.path))


def connected(here):
    return psycopg2.connect(
        "postgresql://{redshiftUsername}@{redshiftURL}".format(**here.changes),
        password=os.environ["REDSHIFT_PASSWORD"],
    )


def test_what_is_loaded(two):
    """Rows and files of the last minute, hour and day are counted, of this table alone."""
    assert "nothing is loaded yet" in two.page()[1]
    entries = [(two.name, 30, 5), (two.name, 600, 7), (two.name, 9000, 11), (two.name, 10**6, 13)]
    entries.append(("another", 30, 1000))
    with connected(two) as connection, connection.cursor() as cursor:
        for number, (table, ago, rows) in enumerate(entries):
            cursor.execute(
                f"INSERT INTO {two.name}_f (file, data_table, row_count, loaded_at) "
                "VALUES (%s, %s, %s, getdate() - %s * INTERVAL '1 second')",
                [f"f{number}", f"{table}_rows", rows, ago],
            )
    connection.close()

    code, (pipeline,) = two.status()
    loaded = pipeline["facts"]["loaded"]
    assert code == 0
    assert loaded["minute"] == {"files": 1, "rows": 5}
    assert loaded["hour"] == {"files": 2, "rows": 12}
    assert loaded["day"] == {"files": 3, "rows": 23}
    assert "rows loaded in the last minute 5 (1 file), hour 12 (2 files), day" in two.page()[1]


def test_a_locked_ledger_is_not_waited_for(two):
    """While a load holds the ledger, it is said who has it and since when, and nothing counted."""
    with connected(two) as other, other.cursor() as cursor:
        ledger(two).lock(cursor)
        code, (pipeline,) = two.status()
        lock = pipeline["facts"]["ledgerLock"]
        assert (code, lock["session"]) == (0, other.info.backend_pid)
        assert lock["user"] == two.changes["redshiftUsername"]
        assert "loaded" not in pipeline["facts"]
        _, out = two.page()
        assert "locked, not counted: the ledger" in out
        assert f"session {other.info.backend_pid}" in " ".join(out.split())
    other.close()
    assert "loaded" in two.status()[1][0]["facts"]


def test_a_ledger_that_a_session_holds_for_too_long(two, monkeypatch):
    """A lock that lasts longer than any load of ours needs a person."""
    monkeypatch.setattr(state, "COPY_MILLISECONDS", -1)
    with connected(two) as other, other.cursor() as cursor:
        ledger(two).lock(cursor)
        assert "locked, not counted" in two.reasons()["ledgerLock"]
    other.close()


def test_a_lock_that_cannot_be_seen(two, monkeypatch):
    """Nor is a lock waited for of another user, which Redshift shows a superuser alone."""
    monkeypatch.setattr(state, "QUESTION_MILLISECONDS", 50)
    user = f"{two.name}_reader"
    with connected(two) as other, other.cursor() as cursor:
        cursor.execute(f"CREATE USER {user} PASSWORD %s", [os.environ["REDSHIFT_PASSWORD"]])
        cursor.execute(f"GRANT SELECT ON {two.name}_f TO {user}")
        other.commit()
        properties(Path(two.path).parent, {**two.changes, "redshiftUsername": user}, STAGE_TWO)
        ledger(two).lock(cursor)
        code, (pipeline,) = two.status()
        assert (code, pipeline["facts"]["loaded"]) == (0, None)
        assert "locked, not counted" in two.page()[1]
    other.close()


def test_a_warehouse_that_is_away(two):
    """What cannot be asked is said, by its setting, and the rest is shown."""
    folder = Path(two.path).parent
    properties(folder, {**two.changes, "redshiftURL": "127.0.0.1:9/dev"}, STAGE_TWO)
    code, (pipeline,) = two.status()
    (reason,) = pipeline["attention"]
    assert (code, reason["kind"]) == (1, "notLookedAt")
    assert "redshiftURL" in reason["sentence"]
    assert pipeline["shards"][0]["state"] == "reading"
    assert "letters" in pipeline["facts"]


def test_two_stages_together(place):
    """Of two stages, one line says how long a record takes through both."""
    one = place()
    (shard,) = one.make()
    one.lease(shard, one.put())
    two = place(connectorDestination="s3", streamName=one.changes["kinesisOutputStream"])
    (shard,) = two.make()
    two.lease(shard, two.put())

    code, out = one.page(others=[two.path])
    assert code == 0
    assert f"\nend to end, {one.name} and {two.name}: about 0 s from arrival\n" in out
    two.put()
    one.put()
    _, out = one.page("--json", others=[two.path])
    (found,) = json.loads(out)["endToEnd"]
    behind = [pipeline["behind"] for pipeline in json.loads(out)["pipelines"]]
    assert found == {"applications": [one.name, two.name], "seconds": sum(behind)}
