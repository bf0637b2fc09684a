"""Two pipelines on the stand-ins and their real daemons: what is put in, and what came out."""

import gzip
import itertools
import json
import os
import sys
import time
from pathlib import Path

import boto3
import psycopg2
from aws_kinesis_agg.aggregator import RecordAggregator

from record_processors.aws.put_records import OutgoingRecord, batches, put_records
from record_processors.commands.create import create
from record_processors.config.keys import STREAM_NAME
from record_processors.destinations.redshift.settings import DATA_TABLE
from record_processors.flow.retry import Retry
from record_processors.local.children import Child
from record_processors.local.demo.pipelines import write_pipeline

PROGRAM = str(Path(sys.executable).with_name("kinesis-connectors"))
# Seconds until what must happen has happened: on a busy machine three daemons start in 60 s and a
# lease runs out in 10 s, and the work itself may take as long again.
PATIENCE = 180.0
FAST = {"bufferMillisecondsLimit": "1000", "idleTimeBetweenReadsInMillis": "250"}


class TwoStages:
    """Two pipelines of their own names on the stand-ins, and their daemons."""

    def __init__(self, stack, folder, name, one=None, two=None):
        self.folder = folder
        self.kinesis, self.s3 = boto3.client("kinesis"), boto3.client("s3")
        self.bucket = f"{name}-bucket"
        common = {"s3Bucket": self.bucket, **FAST}
        self.one = write_pipeline(
            "s3_manifest",
            folder,
            {
                **common,
                "applicationName": f"{name}-one",
                "streamName": f"{name}-events",
                "kinesisOutputStream": f"{name}-manifests",
                "kinesisInputStreamShardCount": "2",
                "bufferRecordCountLimit": "50",
                **(one or {}),
            },
            stack.properties,
        )
        self.two = write_pipeline(
            "redshift_manifest",
            folder,
            {
                **common,
                "applicationName": f"{name}-two",
                "streamName": f"{name}-manifests",
                "redshiftDataTable": f"{name}_rows",
                "redshiftFileTable": f"{name}_files",
                "redshiftIamRole": "default",
                "bufferRecordCountLimit": "5",
                **(two or {}),
            },
            stack.properties,
        )
        for settings in (self.one, self.two):
            list(create(settings))
        self.connection = psycopg2.connect(
            "postgresql://{redshiftUsername}@{redshiftURL}".format(**stack.properties),
            password=os.environ["REDSHIFT_PASSWORD"],
        )
        self.connection.autocommit = True
        self.table = self.two[DATA_TABLE]
        self.query(f"CREATE TABLE {self.table} (id BIGINT, text VARCHAR(200))")
        self.daemons = {}

    def start(self, stage, command=None):
        settings = {"one": self.one, "two": self.two}[stage]
        log = self.folder / f"{stage}.log"
        log.unlink(missing_ok=True)  # each daemon's own, so that its lines can be awaited
        self.daemons[stage] = Child.start(
            stage,
            command or [PROGRAM, "run", settings.path],
            os.environ,
            log,
            grace=PATIENCE,  # a SIGKILL would be our doing
        )

    def kill(self, stage):
        self.daemons[stage].process.kill()
        self.daemons[stage].process.wait()

    def stop(self, stage):
        return self.daemons.pop(stage).stop()

    def query(self, sql):
        with self.connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def rows(self):
        return self.query(f"SELECT id, text FROM {self.table}")

    def until(self, condition, what):
        """Wait for what must happen; a daemon that dies meanwhile is an error."""
        end = time.monotonic() + PATIENCE
        while not (found := condition()):
            for daemon in self.daemons.values():
                daemon.check()
            tails = "\n\n".join(daemon.tail() for daemon in self.daemons.values())
            assert time.monotonic() < end, f"still waiting until {what}\n{tails}"
            time.sleep(0.2)
        return found

    def until_working(self, stage, shards=1):
        log = self.daemons[stage].log
        self.until(
            lambda: log.read_text().count("begins after") >= shards, f"{stage} works on {shards}"
        )

    def open_shards(self):
        shards = self.kinesis.list_shards(StreamName=self.one[STREAM_NAME])["Shards"]
        return [
            shard for shard in shards if "EndingSequenceNumber" not in shard["SequenceNumberRange"]
        ]

    def put(self, lines, stream=None):
        entries = [OutgoingRecord(line, str(number)) for number, line in enumerate(lines)]
        for batch in batches(entries):
            put_records(self.kinesis, stream or self.one[STREAM_NAME], batch, Retry(3, 100))

    def put_aggregated(self, lines, per_record=7):
        """Put lines as the Kinesis Producer Library does: several in one record."""
        lines = iter(lines)
        while chunk := list(itertools.islice(lines, per_record)):
            aggregator = RecordAggregator()
            for line in chunk:
                # One key: the KCL drops what does not hash into the shard, as left by a reshard.
                aggregator.add_user_record(f"chunk {json.loads(chunk[0])['id']}", line)
            key, _, data = aggregator.clear_and_get().get_contents()
            self.kinesis.put_record(StreamName=self.one[STREAM_NAME], PartitionKey=key, Data=data)

    def objects(self, prefix):
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        keys = [item["Key"] for page in pages for item in page.get("Contents", ())]
        return {key: self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read() for key in keys}

    def file_lines(self, prefix):
        return b"".join(map(gzip.decompress, self.objects(prefix).values())).splitlines()

    def dead_letters(self, application):
        """Read dead letters as a reader should: a position counts once, or a line of a file."""
        lines = b"".join(self.objects(f"errors/{application}/").values()).splitlines()
        names = ("shard", "position", "file", "line")
        letters = {tuple(map(one.get, names)): one for one in map(json.loads, lines)}
        return list(letters.values())

    def close(self):
        for stage in list(self.daemons):
            self.stop(stage)
        self.connection.close()
