"""Makes what a pipeline needs and does not make itself: streams, bucket, load ledger."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from botocore.exceptions import BotoCoreError, ClientError, WaiterError

from .aws import Client, classify, client
from .errors import Fatal
from .ledger import Ledger
from .settings import (
    DESTINATION,
    INPUT_SHARDS,
    OUTPUT_SHARDS,
    OUTPUT_STREAM,
    S3_BUCKET,
    STREAM_NAME,
    Settings,
)
from .warehouse import LoadFailed, Warehouse

HOME_REGION = "us-east-1"  # the one where CreateBucket takes no LocationConstraint


def create(settings: Settings) -> Iterator[str]:
    """Make each thing that is missing and wait until it is active; yield a line about each.

    Safe to repeat: what is there is left as it is, a ledger brought up to date. Raises Fatal,
    Transient.
    """
    try:
        kinesis = client("kinesis", settings)
        yield _stream(kinesis, settings[STREAM_NAME], settings[INPUT_SHARDS])
        if OUTPUT_STREAM in settings:
            yield _stream(kinesis, settings[OUTPUT_STREAM], settings[OUTPUT_SHARDS])
        yield _bucket(client("s3", settings), settings[S3_BUCKET])
    except (ClientError, BotoCoreError) as error:
        raise classify(error, "create") from error
    if settings[DESTINATION] == "redshift-manifest":
        ledger, warehouse = Ledger.from_settings(settings), Warehouse.from_settings(settings)
        try:
            with warehouse.transaction() as cursor:
                ledger.create(cursor)
            with warehouse.transaction() as cursor:
                ledger.lock(cursor)
                ledger.upgrade(cursor)
        except LoadFailed as error:
            raise Fatal(f"the ledger cannot be made: {error}") from error
        yield f"ledger {ledger.table}"


def _stream(kinesis: Client, name: str, shards: int) -> str:
    with suppress(kinesis.exceptions.ResourceInUseException):
        kinesis.create_stream(StreamName=name, ShardCount=shards)
    try:
        kinesis.get_waiter("stream_exists").wait(StreamName=name)
    except WaiterError as error:
        raise Fatal(f"stream {name} does not become active: {error}") from error
    found = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
    return f"stream {name} ({_count(found['OpenShardCount'], 'shard')})"


def _bucket(s3: Client, name: str) -> str:
    try:
        s3.head_bucket(Bucket=name)
    except ClientError as error:
        if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") != 404:
            raise
        region = s3.meta.region_name
        where = {"LocationConstraint": region}
        place = {} if region == HOME_REGION else {"CreateBucketConfiguration": where}
        s3.create_bucket(Bucket=name, **place)
    return f"bucket {name}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
