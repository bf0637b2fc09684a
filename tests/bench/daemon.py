"""The whole on one host: the daemon and its children, for four shards."""

import sys
import time

import boto3
import psutil

from bench.child import mebibytes
from record_processors.aws.put_records import OutgoingRecord, batches, put_records
from record_processors.config.keys import APPLICATION_NAME, S3_BUCKET, STREAM_NAME
from record_processors.flow.retry import Retry
from record_processors.local.children import Child
from record_processors.local.leases import create_leases

RECORDS = 400_000
SHARDS = 4
PATIENCE = 120.0  # seconds


def daemon(workbench):
    """Yield the peak memory of the daemon, and of its children together."""
    settings = workbench.pipeline(
        transformer="text",
        streamName="bench-daemon",
        kinesisInputStreamShardCount=str(SHARDS),
        maxRecords="10000",
    )
    count = workbench.some(RECORDS)
    _fill(workbench, settings, count)
    # The flags are those of `run`; only what moto needs is left.
    environment = {**workbench.environment, "JAVA_TOOL_OPTIONS": "-Daws.cborEnabled=false"}
    command = [sys.executable, "-m", "record_processors", "run", settings.path]
    log = workbench.folder / "daemon.log"
    with Child.start("the daemon", command, environment, log, grace=30) as running:
        _await_rows(settings, count, running)
        (java,) = psutil.Process(running.process.pid).children()
        own = mebibytes(java.pid, "VmHWM")
        children = [mebibytes(each.pid, "VmHWM") for each in java.children(recursive=True)]
        cpu = java.cpu_times()
    yield (
        f"{SHARDS} shards, {count:,} records",
        [f"{own:.0f}", f"{sum(children):.0f}", f"{(cpu.user + cpu.system) / count * 1e6:.1f}"],
    )


def _fill(workbench, settings, count):
    kinesis = boto3.client("kinesis")
    name, stream = settings[APPLICATION_NAME], settings[STREAM_NAME]
    create_leases(boto3.client("dynamodb"), kinesis, name, stream)
    entries = (
        OutgoingRecord(workbench.payloads[n % len(workbench.payloads)], str(n))
        for n in range(count)
    )
    for batch in batches(entries):
        put_records(kinesis, stream, batch, Retry(3, 100))


def _await_rows(settings, count, running):
    """Wait until all records are in files."""
    s3, prefix = boto3.client("s3"), f"{settings[APPLICATION_NAME]}/"
    end, seen = time.monotonic() + PATIENCE, {}
    while sum(seen.values()) < count:
        running.check()
        if time.monotonic() > end:
            raise SystemExit(f"{sum(seen.values()):,} of {count:,} rows came\n{running.tail()}")
        time.sleep(0.5)
        pages = s3.get_paginator("list_objects_v2").paginate(
            Bucket=settings[S3_BUCKET], Prefix=prefix
        )
        for key in [found["Key"] for page in pages for found in page.get("Contents", ())]:
            if key not in seen:
                head = s3.head_object(Bucket=settings[S3_BUCKET], Key=key)
                seen[key] = int(head["Metadata"]["rows"])
