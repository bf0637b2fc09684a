"""One pipeline on the stand-ins as an operator finds it: leases, records, files, letters."""

import itertools
import json
from datetime import datetime, timedelta, timezone

import boto3
import moto
import pytest

from record_processors.aws import bucket
from record_processors.aws.layout import LAYOUTS, hour_folders
from record_processors.commands import main as cli
from record_processors.config.properties import load
from record_processors.destinations import s3_manifest
from support.fakes import STAGE_ONE, STAGE_TWO, properties
from support.letters import Cloud, Memory
from support.memory_aws import MemoryAws

NUMBERS = itertools.count()


class Place:
    """A pipeline's file, what it points to, and what `status` says of it."""

    def __init__(self, stack, folder, capsys, base, changes):
        self.name = f"status{next(NUMBERS)}"
        self.capsys = capsys
        self.kinesis, self.s3 = boto3.client("kinesis"), boto3.client("s3")
        self.dynamodb = boto3.client("dynamodb")
        of_stack = {
            key: value
            for key, value in stack.properties.items()
            if not key.startswith("openSearch")
            and (base is STAGE_TWO or not key.startswith("redshift"))
        }
        mine = {
            "applicationName": self.name,
            "streamName": f"{self.name}-events",
            "s3Bucket": self.name,
        }
        if base is STAGE_TWO:
            mine |= {
                "redshiftDataTable": f"{self.name}_rows",
                "redshiftFileTable": f"{self.name}_f",
            }
        else:
            mine["kinesisOutputStream"] = f"{self.name}-manifests"
        (folder / self.name).mkdir()
        self.changes = {**of_stack, **mine, **changes}
        self.path = properties(folder / self.name, self.changes, base)
        self.stream = self.changes["streamName"]

    def make(self, shards=1):
        """Make stream and bucket, and KCL's tables without a lease; return the shards' ids."""
        if self.stream not in self.kinesis.list_streams()["StreamNames"]:
            self.kinesis.create_stream(StreamName=self.stream, ShardCount=shards)
        self.s3.create_bucket(Bucket=self.name)
        for name, key in ((self.name, "leaseKey"), (f"{self.name}-WorkerMetricStats", "wid")):
            self.dynamodb.create_table(
                TableName=name,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
                KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
            )
        found = self.kinesis.list_shards(StreamName=self.stream)["Shards"]
        return [shard["ShardId"] for shard in found]

    def put(self, data=b"x", **how):
        """Put a record; return its sequence number."""
        about = {"StreamName": self.stream, "PartitionKey": "k", **how}
        return self.kinesis.put_record(Data=data, **about)["SequenceNumber"]

    def lease(self, shard, checkpoint, sub=0, owner="host-a", counter=1, parents=(), has_file=True):
        """Write a lease; and a file of the shard, as without one all of a day is looked through."""
        if has_file:
            self.file(shard, 1)
        item = {
            "leaseKey": {"S": shard},
            "leaseCounter": {"N": str(counter)},
            "checkpoint": {"S": checkpoint},
            "checkpointSubSequenceNumber": {"N": str(sub)},
            "ownerSwitchesSinceCheckpoint": {"N": "0"},
            **({"leaseOwner": {"S": owner}} if owner else {}),
            **({"parentShardId": {"SS": list(parents)}} if parents else {}),
        }
        self.dynamodb.put_item(TableName=self.name, Item=item)

    def hear_of(self, worker, ago):
        reported = int((datetime.now(timezone.utc) - timedelta(seconds=ago)).timestamp())
        item = {"wid": {"S": worker}, "lut": {"N": str(reported)}, "sts": {"M": {}}}
        self.dynamodb.put_item(TableName=f"{self.name}-WorkerMetricStats", Item=item)

    def file(self, shard, sequence, hours=0, layout=LAYOUTS["date"], body=b"rows"):
        """Write a file of rows whose first record arrived so many hours ago; return its key."""
        folders = hour_folders(layout, datetime.now(timezone.utc) - timedelta(hours=hours))
        key = f"{self.name}/{folders}/{shard}-{sequence}-0.json.gz"
        self.s3.put_object(Bucket=self.name, Key=key, Body=body)
        return key

    def letter(self, name, mark=False):
        for key in [name, f"{name}.redriven"][: 1 + mark]:
            self.s3.put_object(Bucket=self.name, Key=f"errors/{self.name}/{key}", Body=b"{}\n")

    def page(self, *options, others=()):
        """Return the exit code, and the page."""
        code = cli.main(["status", self.path, *others, *options])
        out, err = self.capsys.readouterr()
        assert err == ""
        return code, out

    def status(self, *options, others=()):
        """Return the exit code, and the pipelines of the JSON."""
        code, out = self.page("--json", *options, others=others)
        return code, json.loads(out)["pipelines"]

    def shards(self, *options):
        """Return the shards by their ids."""
        _, (pipeline,) = self.status(*options)
        return {shard["shard"]: shard for shard in pipeline["shards"]}

    def reasons(self, *options):
        """Return why it needs a person, by kind."""
        code, (pipeline,) = self.status(*options)
        found = {reason["kind"]: reason["sentence"] for reason in pipeline["attention"]}
        assert code == bool(found)
        return found


@pytest.fixture
def place(stack, tmp_path, capsys):
    """Return what makes a pipeline of its own."""
    return lambda base=STAGE_ONE, **changes: Place(stack, tmp_path, capsys, base, changes)


@pytest.fixture
def cloud(waits):
    """Let the pipelines have a bucket and a stream of moto's."""
    with moto.mock_aws():
        boto3.client("s3").create_bucket(Bucket="bucket")
        boto3.client("kinesis").create_stream(StreamName="manifests", ShardCount=1)
        yield Cloud()


@pytest.fixture
def memory(waits, monkeypatch):
    """Let the pipelines have a bucket and a stream of this process, which is quick."""
    aws = MemoryAws()
    monkeypatch.setattr(bucket, "_shared_client", lambda *_: aws)
    monkeypatch.setattr(s3_manifest, "client", lambda *_: aws)
    return Memory(aws)


@pytest.fixture
def pipeline(tmp_path):
    """Return a function that writes the pipeline's file with changes."""
    return lambda **changes: load(properties(tmp_path, changes))
