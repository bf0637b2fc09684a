"""Makes what a pipeline needs and does not make itself: streams, bucket, ledger, table.

KCL makes its own tables in DynamoDB, with the keys and indexes of its release, when a daemon starts
for the first time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from botocore.exceptions import BotoCoreError, ClientError, WaiterError

from .aws import Client, client, sentence
from .errors import Fatal
from .ledger import Ledger
from .new_bucket import furnish, make_bucket
from .redshift_settings import DATA_TABLE
from .settings import (
    DESTINATION,
    INPUT_SHARDS,
    KMS_KEY,
    OUTPUT_SHARDS,
    OUTPUT_STREAM,
    S3_BUCKET,
    STREAM_NAME,
    Setting,
    Settings,
    counts,
)
from .sql import quoted
from .tables import ABSENT, columns_of, is_there
from .warehouse import Warehouse


class Thing(NamedTuple):
    """One thing that the pipeline needs, and what became of it."""

    what: str
    outcome: str

    def __str__(self) -> str:
        return f"{self.what}: {self.outcome}"


class TableError(Exception):
    """The file with the table's SQL is of no use here, and why, in one sentence."""


MADE, WAS_THERE = "made", "was there"
WOULD_BE_MADE, IS_THERE = "would be made", "is there"


def read_table(settings: Settings, path: str) -> str:
    """Return the SQL that makes the data table. Raises TableError."""
    if settings[DESTINATION] != "redshift-manifest":
        raise TableError(
            f"--table {path}: connectorDestination = {settings[DESTINATION]} has no table; it "
            "belongs to the stage that has redshiftDataTable"
        )
    try:
        sql = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise TableError(f"--table {path}: cannot be read: {said}") from error
    if not sql.strip():
        raise TableError(f"--table {path}: there is no SQL in it")
    return sql


def create(settings: Settings, table: str | None = None, *, dry: bool = False) -> Iterator[Thing]:
    """Make each thing that is missing and wait until it is active; yield what became of it.

    ``table`` is the SQL that makes the data table. With ``dry`` nothing is made. Safe to repeat:
    what is there is left as it is, a ledger brought up to date. Raises Fatal, Transient.
    """
    kinesis = client("kinesis", settings)
    with _naming(STREAM_NAME, settings):
        yield _stream(kinesis, settings[STREAM_NAME], settings[INPUT_SHARDS], dry=dry)
    if counts(settings, OUTPUT_STREAM):
        with _naming(OUTPUT_STREAM, settings):
            yield _stream(kinesis, settings[OUTPUT_STREAM], settings[OUTPUT_SHARDS], dry=dry)
    with _naming(S3_BUCKET, settings):
        yield _bucket(client("s3", settings), settings, dry=dry)
    if settings[DESTINATION] == "redshift-manifest":
        warehouse = Warehouse.from_settings(settings)
        try:
            yield _ledger(warehouse, Ledger.from_settings(settings), dry=dry)
            if table is not None:
                yield _table(warehouse, settings[DATA_TABLE], table, dry=dry)
        finally:
            warehouse.close()


@contextmanager
def _naming(setting: Setting[str], settings: Settings) -> Iterator[None]:
    """Turn an error of AWS into one of ours that names the setting."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise Fatal(f"{setting.key} = {settings[setting]}: {sentence(error)}") from error


def _stream(kinesis: Client, name: str, shards: int, *, dry: bool) -> Thing:
    try:
        kinesis.describe_stream_summary(StreamName=name)
        outcome = IS_THERE if dry else WAS_THERE
    except kinesis.exceptions.ResourceNotFoundException:
        if dry:
            return Thing(f"stream {name} ({_count(shards, 'shard')})", WOULD_BE_MADE)
        with suppress(kinesis.exceptions.ResourceInUseException):  # the other stage's `create`
            kinesis.create_stream(StreamName=name, ShardCount=shards)
        outcome = MADE
    if not dry:
        try:
            kinesis.get_waiter("stream_exists").wait(StreamName=name)
        except WaiterError as error:
            raise Fatal(f"stream {name} does not become active: {error}") from error
    found = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
    return Thing(f"stream {name} ({_count(found['OpenShardCount'], 'shard')})", outcome)


def _bucket(s3: Client, settings: Settings, *, dry: bool) -> Thing:
    name = settings[S3_BUCKET]
    what = f"bucket {name}"
    try:
        s3.head_bucket(Bucket=name)
        return Thing(what, IS_THERE if dry else WAS_THERE)
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        if status == 403:
            raise Fatal(
                f"s3Bucket = {name}: the bucket is somebody else's, or s3:ListBucket is missing"
            ) from error
        if status != 404:
            raise
    if dry:
        return Thing(what, WOULD_BE_MADE)
    make_bucket(s3, name)
    refused = [f"{aspect} ({said})" for aspect, said in furnish(s3, name, settings[KMS_KEY])]
    return Thing(what, f"made, but without {', '.join(refused)}" if refused else MADE)


def _ledger(warehouse: Warehouse, ledger: Ledger, *, dry: bool) -> Thing:
    what = f"ledger {ledger.table}"
    there = is_there(warehouse, ledger.table)
    if dry:
        return Thing(what, IS_THERE if there else WOULD_BE_MADE)
    try:
        with warehouse.transaction() as cursor:
            ledger.create(cursor)
        with warehouse.transaction() as cursor:
            ledger.lock(cursor)
            ledger.upgrade(cursor)
    except Fatal as error:
        raise Fatal(f"the ledger cannot be made: {error}") from error
    return Thing(what, WAS_THERE if there else MADE)


def _table(warehouse: Warehouse, name: str, sql: str, *, dry: bool) -> Thing:
    """Run ``sql`` if the data table is not there. It must make that one, or all is undone."""
    what = f"table {name}"
    if is_there(warehouse, quoted(name)):
        return Thing(what, IS_THERE if dry else WAS_THERE)
    if dry:
        return Thing(what, WOULD_BE_MADE)
    ran = False
    try:
        with warehouse.transaction() as cursor:
            cursor.execute(sql)
            ran = True
            columns_of(cursor, quoted(name))
    except Fatal as error:
        if ran and isinstance(error.__cause__, ABSENT):
            raise Fatal(
                f"the SQL makes another table than {name} (redshiftDataTable): it is undone"
            ) from error
        raise Fatal(f"the table {name} cannot be made: {error}") from error
    return Thing(what, MADE)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
