"""A host that stops is given no leases any more, if there is another that can be given them."""

import io
import sys
import time

import boto3
import moto
import pytest

from record_processors.commands.create import create
from record_processors.config.properties import load
from record_processors.kcl import leaving
from support.fakes import properties

WORKERS = "app-WorkerMetricStats"


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
    path = properties(tmp_path, {"applicationName": "app", "workerId": "ours"})
    list(create(load(path)))
    return path


@pytest.fixture
def report(dynamodb):
    """Report as KCL does: who, and so many seconds ago."""

    def report(worker, ago=0):
        when = {"N": str(int(time.time()) - ago)}
        dynamodb.put_item(TableName=WORKERS, Item={"wid": {"S": worker}, "lut": when})

    return report


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


@pytest.mark.parametrize("others", [{}, {"long gone": 3600}])
def test_nobody_else_is_there(dynamodb, path, report, monkeypatch, others):
    """A host that is alone stays on the list, with which it starts again in seconds."""
    report("ours")
    for other, ago in others.items():
        report(other, ago)
    monkeypatch.setattr(sys, "stdin", Daemon())
    leaving.main(path)
    assert workers(dynamodb) == {"ours", *others}


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
