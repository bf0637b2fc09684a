"""Records come by enhanced fan-out, through real daemons, from an emulator that nobody here wrote.

Kinesis is npm's kinesis-local; leases and files are on the stand-ins. It does not tell the children
of a shard that has ended, without which KCL never ends it: that, and no more, is put into its
events (``support/kinesis_local.js``).
"""

import gzip
import json
import os
import time
from pathlib import Path

import boto3
import pytest

from record_processors.commands.create import create, remove_consumer
from record_processors.config.properties import load
from record_processors.kcl.policy import policy_of
from record_processors.kcl.resources import resources
from record_processors.kcl.tables import KclTable
from record_processors.local.children import Child
from record_processors.local.demo.pipelines import write_pipeline
from support.clock import next_second
from support.kinesis_local import kinesis_local
from support.two_stages import PATIENCE, PROGRAM

STREAM = "events"
BEGINS = "initialPositionInStream = TRIM_HORIZON"  # as the shipped file has it
# When a shard that has ended is cleaned up after, minutes later.
SELDOM = {"kinesis:GetShardIterator", "kinesis:GetRecords"}
OF_THE_TEST = {"kinesis:PutRecords", "kinesis:SplitShard"}


@pytest.fixture(scope="module")
def emulator(tmp_path_factory):
    with kinesis_local(tmp_path_factory.mktemp("kinesis-local")) as running:
        yield running


class Listener:
    """A pipeline from the stream into S3 by fan-out, under a name of its own, and its daemon.

    ``begins`` is the line of its file that says where.
    """

    def __init__(self, emulator, stack, folder, name, begins):
        self.emulator, self.name = emulator, name
        self.kinesis = boto3.client("kinesis", endpoint_url=emulator.endpoint)
        self.s3 = boto3.client("s3")
        self.settings = write_pipeline(
            "s3",
            folder / name,
            {
                "applicationName": name,
                "streamName": STREAM,
                "kinesisInputStreamShardCount": "2",
                "retrievalMode": "FANOUT",
                "kinesisEndpoint": emulator.endpoint,
                "s3Bucket": "heard",
                "bufferMillisecondsLimit": "1000",
                "bufferRecordCountLimit": "50",
            },
            stack.properties,
        )
        self.change(BEGINS, begins)
        self.log = folder / name / "log"
        self.daemon = None

    def change(self, line, other):
        """Write another line into the file in the place of one that is there."""
        path = Path(self.settings.path)
        before, after = path.read_text().split(f"\n{line}\n")
        path.write_text(f"{before}\n{other}\n{after}")
        self.settings = load(str(path))

    def make_tables(self):
        """Make KCL's tables alone, which takes a daemon its time; the consumer is left to it."""
        for thing in resources(self.settings):
            if isinstance(thing, KclTable):
                thing.create()

    def start(self):
        self.log.unlink(missing_ok=True)
        command = [PROGRAM, "run", self.settings.path]
        self.daemon = Child.start(self.name, command, os.environ, self.log, grace=PATIENCE)

    def stop(self):
        return self.daemon.stop()

    def kill(self):
        self.daemon.process.kill()
        self.daemon.process.wait()

    def until(self, condition, what):
        end = time.monotonic() + PATIENCE
        while not (found := condition()):
            self.daemon.check()
            assert time.monotonic() < end, f"still waiting until {what}\n{self.daemon.tail(60)}"
            time.sleep(0.2)
        return found

    def put(self, numbers):
        lines = [{"Data": json.dumps({"id": n}), "PartitionKey": str(n)} for n in numbers]
        for first in range(0, len(lines), 500):
            answer = self.kinesis.put_records(StreamName=STREAM, Records=lines[first : first + 500])
            assert answer["FailedRecordCount"] == 0

    def rows(self):
        """Return the numbers in all files, sorted."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(
            Bucket="heard", Prefix=f"{self.name}/"
        )
        keys = [one["Key"] for page in pages for one in page.get("Contents", ())]
        bodies = [self.s3.get_object(Bucket="heard", Key=key)["Body"].read() for key in keys]
        lines = b"".join(map(gzip.decompress, bodies)).splitlines()
        return sorted(json.loads(line)["id"] for line in lines)

    def split(self):
        """Split a shard, and let listeners hear of its children."""
        parent, _ = self.shards()
        middle = (int(parent["HashKeyRange"]["EndingHashKey"]) + 1) // 2
        self.kinesis.split_shard(
            StreamName=STREAM, ShardToSplit=parent["ShardId"], NewStartingHashKey=str(middle)
        )
        self.until(lambda: len(self.shards()) == 4, "the shard is split")
        self.emulator.tell_children(self.shards())

    def shards(self):
        return self.kinesis.list_shards(StreamName=STREAM)["Shards"]


@pytest.fixture
def listener(emulator, stack, tmp_path):
    made = []

    def build(name, begins=BEGINS):
        made.append(Listener(emulator, stack, tmp_path, name, begins))
        return made[-1]

    yield build
    for one in made:
        if one.daemon:
            one.daemon.stop()


def test_each_record_is_a_row_from_where_the_file_says(listener, emulator):
    """TRIM_HORIZON has all; AT_TIMESTAMP what came since; LATEST what came once it listened.

    And the first goes on through the split of a shard, whose children it is told, through a
    SIGKILL of its daemon, a stop, and the way back to polling: no row is missing, and none is
    there twice.
    """
    whole = listener("whole")
    list(create(whole.settings))  # its consumer too; the others' are made by their daemons
    whole.put(range(1000))
    second = next_second()
    whole.put(range(1000, 2000))
    later = listener("later", f"initialPositionInStreamExtended = {second}")
    latest = listener("latest", "initialPositionInStream = LATEST")
    for one in (later, latest):
        one.make_tables()
    before = emulator.calls()
    for one in (whole, later, latest):
        one.start()
    latest.until(lambda: emulator.calls()["SubscribeToShard"] >= 6, "all listen to both shards")
    latest.put(range(2000, 3000))
    for one in (whole, later, latest):
        one.until(lambda one=one: 2999 in one.rows(), "the last record is there")
    assert (later.stop(), latest.stop()) == (0, 0)
    assert later.rows() == list(range(1000, 3000))
    assert latest.rows() == list(range(2000, 3000))

    whole.split()
    whole.put(range(3000, 4000))
    whole.until(lambda: 3999 in whole.rows(), "the children are read")
    whole.put(range(4000, 5000))
    whole.until(lambda: len(whole.rows()) > 4000, "it is at work on the last ones")
    whole.kill()
    whole.put(range(5000, 6000))
    whole.start()
    whole.until(lambda: len(whole.rows()) >= 6000, "it has gone on")
    assert whole.stop() == 0
    assert whole.rows() == list(range(6000))

    # What is allowed is what the daemons were seen to call.
    called = {f"kinesis:{action}" for action in emulator.calls() - before}
    statements = policy_of(latest.settings)["Statement"]
    allowed = {one for each in statements for one in each["Action"] if one.startswith("kinesis:")}
    assert called - OF_THE_TEST <= allowed
    assert allowed - SELDOM <= called

    whole.change("retrievalMode = FANOUT", "retrievalMode = POLLING")
    assert remove_consumer(whole.settings).outcome == "removed"
    whole.put(range(6000, 7000))
    whole.start()
    whole.until(lambda: len(whole.rows()) >= 7000, "it polls")
    assert whole.stop() == 0
    assert whole.rows() == list(range(7000))
