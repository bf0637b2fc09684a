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
def host(tmp_path, monkeypatch, agent):
    """Return what reports once, of a file whose stream has one shard that nobody reads."""
    with small_aws() as place:
        monkeypatch.setenv("AWS_ENDPOINT_URL", place)
        changes = {"metrics": f"emf://127.0.0.1:{agent.getsockname()[1]}"}
        path = properties(tmp_path, changes)
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
            document = json.loads(agent.recv(65536))
            (told,) = document["_aws"]["CloudWatchMetrics"]
            assert told["Dimensions"] == [["application"]]
            assert document["application"] == "flights"
            return {one["Name"]: document[one["Name"]] for one in told["Metrics"]}

        yield once


def test_a_host_without_its_daemon(host):
    """It is told that it is not well, what waits, that a shard has no owner, and of letters."""
    boto3.client("s3").put_object(
        Bucket="bucket", Key="errors/flights/shardId-000000000000-1-0-1-0.jsonl", Body=b"{}\n"
    )
    boto3.client("kinesis").put_record(StreamName="events", Data=b"{}", PartitionKey="a")
    told = host(3)

    assert set(told) <= ALL
    assert told["daemon.healthy"] == 0
    assert told["daemon.restarts"] == 3
    assert told["pipeline.behind"] > 0
    assert told["shards.without_owner"] == 1
    assert told["letters.files"] == 1


def test_the_next_report(host):
    """Starts are counted once each; AWS is asked every five minutes alone."""
    host(1)
    told = host(3)
    assert told == {"daemon.healthy": 0, "daemon.restarts": 2}
    assert host(0) == {"daemon.healthy": 0}, "a unit that was stopped counts anew"
