"""What a host tells each minute: whether its daemon is well, and what `status` finds."""

import json
import os
import socket
import subprocess
import sys

import boto3
import pytest

from record_processors.config.host_metrics import OF_A_HOST
from record_processors.config.properties import load
from record_processors.fleet import report
from record_processors.kcl.resources import resources
from support.fakes import properties
from support.paths import REPOSITORY
from support.small_aws import make, small_aws

ALL = {one.name for one in OF_A_HOST}


@pytest.fixture
def agent():
    """Listen as CloudWatch's agent does."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(30)
        yield listener


@pytest.fixture
def told(agent):
    """Return what waits for what is told next, and returns it by its names."""

    def next_():
        document = json.loads(agent.recv(65536))
        (told,) = document["_aws"]["CloudWatchMetrics"]
        assert told["Dimensions"] == [["application"]]
        assert document["application"] == "flights"
        return {one["Name"]: document[one["Name"]] for one in told["Metrics"]}

    return next_


@pytest.fixture
def host(tmp_path, monkeypatch, agent, told):
    """Return what reports once, of a file whose stream has two shards that nobody reads."""
    with small_aws() as place:
        monkeypatch.setenv("AWS_ENDPOINT_URL", place)
        changes = {"metrics": f"emf://127.0.0.1:{agent.getsockname()[1]}"}
        path = properties(tmp_path, changes)
        boto3.client("kinesis").create_stream(StreamName="events", ShardCount=2)
        make("events", "manifests", bucket="bucket")
        for thing in resources(load(path)):
            if hasattr(thing, "create") and "lease" in str(thing):
                thing.create()
        (tmp_path / "systemctl").write_text(f"#!/bin/sh\ncat {tmp_path}/restarts\n")
        (tmp_path / "systemctl").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}

        def once(restarts):
            (tmp_path / "restarts").write_text(f"{restarts}\n")
            program = [sys.executable, "-m", "record_processors.fleet.report"]
            subprocess.run([*program, "pipeline"], cwd=tmp_path, env=environment, check=True)
            return told()

        yield once


@pytest.fixture
def look(host, tmp_path, monkeypatch, waits, told):
    """Return what lets such a host look again in this process, without a wait."""
    (tmp_path / "restarts").write_text("0\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(report, "SECONDS_BETWEEN_LOOKS", 0)

    def again():
        waits.clear()
        assert report.main("pipeline") == 0
        return told()

    return again


def test_a_host_without_its_daemon(host):
    """It is told that it is not well, what waits, that a shard has no owner, and of letters."""
    boto3.client("s3").put_object(
        Bucket="bucket", Key="errors/flights/shardId-000000000000-1-0-1-0.jsonl", Body=b"{}\n"
    )
    boto3.client("kinesis").put_record(StreamName="events", Data=b"{}", PartitionKey="a")
    told = host(0)

    assert set(told) <= ALL
    assert told["daemon.healthy"] == 0
    assert told["pipeline.behind"] > 0
    assert told["shards.without_owner"] == 2
    assert told["letters.files"] == 1


def test_the_first_report(host):
    """What was before it is no news: a daemon may be refused until its role is known everywhere."""
    assert "daemon.restarts" not in host(3)
    assert "daemon.restarts" not in host(3)
    assert host(4)["daemon.restarts"] == 1


def test_the_next_report(host):
    """Starts are counted once each; AWS is asked every five minutes alone."""
    host(1)
    told = host(3)
    assert told == {"daemon.healthy": 0, "daemon.restarts": 2}
    assert host(0) == {"daemon.healthy": 0}, "a unit that was stopped counts anew"


TOO_FAST = "ProvisionedThroughputExceededException"
HOT = "shardId-000000000001"


def reached(behind):
    """Say what Kinesis answers of a shard whose next records are so many seconds old."""
    return {"Records": [], "NextShardIterator": "next", "MillisBehindLatest": behind * 1000}


def test_a_shard_that_is_read_at_full_speed(look, refuse, waits):
    """It is tried for ten seconds; then nobody is told that nothing waits, nor woken for it."""
    refuse("GetShardIterator", TOO_FAST, of=HOT)
    told = look()
    assert sum(waits) >= report.PATIENCE
    assert "pipeline.behind" not in told
    assert told["status.attention"] == 0


def test_lag_that_is_not_known_for_a_while(look, refuse):
    """While a shard cannot be looked at, the lag that is told may rise, and does not fall."""
    refuse("GetRecords", status=200, **reached(7200))
    assert look()["pipeline.behind"] == 7_200_000
    refuse("GetShardIterator", TOO_FAST, of=HOT)
    assert look()["pipeline.behind"] == 7_200_000
    refuse("GetRecords", TOO_FAST)
    assert look()["pipeline.behind"] == 7_200_000
    refuse("GetRecords", status=200, **reached(0))
    assert look()["pipeline.behind"] == 0


def test_lag_of_the_others_while_one_is_not_known(look, refuse):
    """What is more than was told before is told, be one shard known or not."""
    boto3.client("kinesis").put_record(
        StreamName="events", Data=b"{}", PartitionKey="a", ExplicitHashKey="0"
    )
    refuse("GetShardIterator", TOO_FAST, of=HOT)
    assert look()["pipeline.behind"] > 0
