"""A host that stops is given no leases any more, and has none, if there is another to take them."""

import io
import sys
import time

import boto3
import moto
import pytest

from record_processors.commands.create import create
from record_processors.config.properties import load
from record_processors.kcl import leaving
from record_processors.kcl.leases import read_leases, release
from support.fakes import properties

LEASES, WORKERS = "app", "app-WorkerMetricStats"
SHARDS = [f"shardId-00000000000{number}" for number in range(4)]


class Daemon(io.StringIO):
    """Standard input, which ends with the daemon; until then the daemon may report."""

    def __init__(self, report=lambda: None):
        super().__init__()
        self.report = report

    def read(self, *_):
        self.report()
        return ""


@pytest.fixture
def dynamodb():
    with moto.mock_aws():
        yield boto3.client("dynamodb")


@pytest.fixture
def path(tmp_path, dynamodb):
    changes = {"workerId": "ours", "initialPositionInStream": "TRIM_HORIZON"}
    changes["kinesisInputStreamShardCount"] = str(len(SHARDS))
    path = properties(tmp_path, {"applicationName": "app", **changes})
    list(create(load(path)))
    return path


@pytest.fixture
def report(dynamodb):
    """Report as KCL does: who, and so many seconds ago."""

    def report(worker, ago=0):
        when = {"N": str(int(time.time()) - ago)}
        dynamodb.put_item(TableName=WORKERS, Item={"wid": {"S": worker}, "lut": when})

    return report


@pytest.fixture
def lease(dynamodb):
    """Let a shard be somebody's, at a checkpoint."""

    def lease(shard, owner, checkpoint="17"):
        values = {":o": {"S": owner}, ":c": {"N": "7"}, ":k": {"S": checkpoint}}
        dynamodb.update_item(
            TableName=LEASES,
            Key={"leaseKey": {"S": shard}},
            UpdateExpression="SET leaseOwner = :o, leaseCounter = :c, checkpoint = :k",
            ExpressionAttributeValues=values,
        )

    return lease


def owners(dynamodb):
    items = dynamodb.scan(TableName=LEASES)["Items"]
    return {item["leaseKey"]["S"]: item.get("leaseOwner", {}).get("S") for item in items}


def workers(dynamodb):
    return {item["wid"]["S"] for item in dynamodb.scan(TableName=WORKERS)["Items"]}


def test_others_are_there(dynamodb, path, report, monkeypatch):
    """What the host reports is gone, at once and after the daemon has reported a last time."""
    report("ours")
    report("other")
    seen = []

    def last_report():
        seen.append(workers(dynamodb))
        report("ours")

    monkeypatch.setattr(sys, "stdin", Daemon(last_report))
    leaving.main(path)
    assert [*seen, workers(dynamodb)] == [{"other"}, {"other"}]


def test_its_leases_are_released_when_the_daemon_has_ended(
    dynamodb, path, report, lease, monkeypatch
):
    """Those that are to be read go; others', and what is read to its end, stay as they are."""
    report("other")
    lease(SHARDS[0], "ours")
    lease(SHARDS[1], "other")
    lease(SHARDS[2], "ours", "SHARD_END")
    before, during = owners(dynamodb), []
    monkeypatch.setattr(sys, "stdin", Daemon(lambda: during.append(owners(dynamodb))))
    leaving.main(path)
    assert during == [before]
    assert owners(dynamodb) == {**before, SHARDS[0]: None}


def test_a_lease_that_is_renewed_meanwhile_stays(dynamodb, path, lease):
    """A daemon that was started again under the same name keeps what it has taken."""
    settings = load(path)
    lease(SHARDS[0], "ours")
    found = read_leases(dynamodb, settings)[0]
    release(dynamodb, settings, found._replace(counter=found.counter - 1))
    assert owners(dynamodb)[SHARDS[0]] == "ours"


@pytest.mark.parametrize("others", [{}, {"long gone": 3600}])
def test_nobody_else_is_there(dynamodb, path, report, lease, monkeypatch, others):
    """A host that is alone keeps report and leases, with which it starts again in seconds."""
    report("ours")
    lease(SHARDS[0], "ours")
    for other, ago in others.items():
        report(other, ago)
    monkeypatch.setattr(sys, "stdin", Daemon())
    leaving.main(path)
    assert workers(dynamodb) == {"ours", *others}
    assert owners(dynamodb)[SHARDS[0]] == "ours"


def test_the_host_has_its_own_name(dynamodb, tmp_path, report, monkeypatch):
    """Without workerId in the file it is the name that `run` gives the daemon."""
    path = properties(tmp_path, {"applicationName": "app"})
    list(create(load(path)))
    monkeypatch.setenv("KINESIS_CONNECTORS_HOST", "i-4711")
    monkeypatch.setattr(sys, "stdin", Daemon())
    report("i-4711-app")
    report("other")
    leaving.main(path)
    assert workers(dynamodb) == {"other"}
