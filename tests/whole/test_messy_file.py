"""A messy file through real daemons: what can be is there, and the rest is in the dead letters."""

import base64
import gzip
import json
import os
import re
import time
from typing import NamedTuple

import boto3
import psycopg2
import pytest

from record_processors.aws.put_records import OutgoingRecord, batches, put_records
from record_processors.commands.create import create
from record_processors.flow.retry import Retry
from record_processors.local.children import Child
from record_processors.local.demo.pipelines import write_pipeline
from support.opensearch_server import ask, opensearch
from support.two_stages import PATIENCE, PROGRAM

pytestmark = pytest.mark.usefixtures("class_archive")

NAME = "messy"
BUCKET = f"{NAME}-bucket"
SHARD = "shardId-000000000000"
COLUMNS = "id VARCHAR(200), amount INTEGER, note VARCHAR(65535), nested VARCHAR(1000)"
MAPPING = {"id": "keyword", "amount": "integer", "note": "text"}
ALL = ("dynamodb", "kinesis", "opensearch", "redshift-basic")


class Messy(NamedTuple):
    """A record, and the destinations that refuse it, each for a reason that says this."""

    data: bytes
    refused: dict = {}  # noqa: RUF012 - never written to


def row(one, **fields):
    return json.dumps({"id": one, "amount": 1, **fields}, ensure_ascii=False).encode()


def field(text):
    return {"opensearch": f"failed to parse field [{text}]", "redshift-basic": f"column {text}"}


PLAIN = [Messy(row(f"row {n}", amount=n, note=f"note {n}")) for n in range(980)]
GOOD = [
    Messy(row("nulls", note=None, nested=None)),
    Messy(b'{"id": "absent"}'),
    Messy(row("ünïcödé ☃ 💧", note="日本 \u2028 é")),
    Messy(row("quo\"te's", note="\"a\", 'b', \\, | \n\t,")),
    Messy(row("nested", nested={"l": [{"x": [None, "é"], "y": {"z": True}}]})),
    Messy(row("empty text", note="")),
]
BAD = [
    Messy(row("wrong type", amount="twelve"), field("amount")),
    Messy(row("mixed", more=[1, {"x": 1}]), {"opensearch": "can't merge a non object mapping"}),
    Messy(row("", note="empty key"), {"dynamodb": "id is empty", "kinesis": "key is empty"}),
    Messy(b'{"amount": 2}', {"dynamodb": "id is missing", "kinesis": "no field id"}),
    Messy(row(7), {"dynamodb": "id is of type N"}),
    Messy(row("400,001 bytes", note="x" * 400_001), {"redshift-basic": "column note"}),
    Messy(
        row("409,600 bytes", note="x" * 409_600),
        {"dynamodb": "DynamoDB takes 409,600", "redshift-basic": "column note"},
    ),
    Messy(row("zero", note="a\0b"), {"redshift-basic": "U+0000"}),
]
MALFORMED = [b"this is no JSON", b'{"id": "cut', b"[1, 2]", b'{"id": "\xff"}', b'"a text"']
FILTERED = [row("filtered", note=str(n)) for n in range(3)]
KEPT = [*PLAIN[:500], *GOOD, *BAD, *PLAIN[500:]]
READ = [one.data for one in KEPT[:700]] + MALFORMED + FILTERED + [one.data for one in KEPT[700:]]


def destinations():
    """Return those that can be had here: OpenSearch's jars are not everywhere."""
    try:
        opensearch()
    except pytest.skip.Exception:
        return [one for one in ALL if one != "opensearch"]
    return list(ALL)


class Pipelines:
    """One daemon for all that go together, and one for plain files, on the same stream."""

    def __init__(self, stack, folder):
        self.names = destinations()
        common = {
            "streamName": f"{NAME}-events",
            "s3Bucket": BUCKET,
            "kinesisInputStreamShardCount": "1",
            "filter": "jmespath",
            "filterExpression": "id != 'filtered'",
            "bufferRecordCountLimit": "400",
            "bufferByteSizeLimit": "16777216",
            "bufferMillisecondsLimit": "1000",
            "idleTimeBetweenReadsInMillis": "250",
        }
        of_all = {
            "connectorDestination": ", ".join(self.names),
            "dynamoDBDataTableName": f"{NAME}-items",
            "dynamoDBKey": "id",
            "kinesisOutputStream": f"{NAME}-out",
            "kinesisPartitionKey": "id",
            "redshiftDataTable": NAME,
            "redshiftFileTable": f"{NAME}_files",
            "redshiftIamRole": "default",
        }
        if "opensearch" in self.names:
            of_all |= {"openSearchURL": opensearch(), "openSearchIndex": NAME}
            types = {field: {"type": kind} for field, kind in MAPPING.items()}
            ask("PUT", f"/{NAME}", {"mappings": {"properties": types}})
        files = {"applicationName": f"{NAME}-files", "s3Layout": "hive", **common}
        self.settings = {
            NAME: write_pipeline(
                "redshift_basic",
                folder,
                {"applicationName": NAME, **common, **of_all},
                stack.properties,
            ),
            f"{NAME}-files": write_pipeline("s3", folder, files, stack.properties),
        }
        for settings in self.settings.values():
            list(create(settings))
        self.connection = psycopg2.connect(
            "postgresql://{redshiftUsername}@{redshiftURL}".format(**stack.properties),
            password=os.environ["REDSHIFT_PASSWORD"],
        )
        self.connection.autocommit = True
        self.query(f"CREATE TABLE {NAME} ({COLUMNS})")
        self.daemons = {}
        for name, settings in self.settings.items():
            log = folder / f"{name}.log"
            command = [PROGRAM, "run", settings.path]
            self.daemons[name] = Child.start(name, command, os.environ, log, grace=PATIENCE)

    def close(self):
        for daemon in self.daemons.values():
            daemon.stop()
        self.connection.close()

    def carry(self, records):
        """Put them, wait until the last file of each daemon is there, and stop both."""
        outgoing = [OutgoingRecord(data, "one key") for data in records]
        for batch in batches(outgoing):
            put_records(boto3.client("kinesis"), f"{NAME}-events", batch, Retry(3, 100))
        end = time.monotonic() + PATIENCE
        while not all(map(self.is_through, self.daemons)):
            for daemon in self.daemons.values():
                daemon.check()
                assert time.monotonic() < end, daemon.tail()
            time.sleep(0.2)
        assert [daemon.stop() for daemon in self.daemons.values()] == [0, 0]

    def is_through(self, name):
        """Whether its files have the last record, as all who come before them have it then."""
        bodies = self.objects(f"{name}/{'year=' if 'files' in name else '20'}")
        return any(KEPT[-1].data in gzip.decompress(body) for body in bodies)

    def tally(self, name):
        """Return how many records a child says it has read, kept, filtered out, and refused."""
        line = r"read ([\d,]+) records: kept ([\d,]+), filtered out ([\d,]+), refused ([\d,]+)"
        found = re.findall(line, self.daemons[name].log.read_text())
        return [int(number.replace(",", "")) for number in found[-1]] if found else [0] * 4

    def query(self, sql):
        with self.connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def objects(self, prefix):
        s3 = boto3.client("s3")
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        keys = [item["Key"] for page in pages for item in page.get("Contents", ())]
        return [s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys]

    def letters(self, name):
        """Return the reason of each dead letter, by who refused and by the record."""
        lines = b"".join(self.objects(f"errors/{name}/")).splitlines()
        return {
            (by(one), base64.b64decode(one["data"])): one["reason"]
            for one in map(json.loads, lines)
        }

    def there(self, destination):
        """Return what a destination holds, by the ids, in order."""
        return sorted(map(str, getattr(self, f"in_{destination.replace('-', '_')}")()))

    def in_dynamodb(self):
        pages = (
            boto3.client("dynamodb")
            .get_paginator("scan")
            .paginate(TableName=f"{NAME}-items", ProjectionExpression="id")
        )
        return [item["id"]["S"] for page in pages for item in page["Items"]]

    def in_kinesis(self):
        kinesis, stream = boto3.client("kinesis"), f"{NAME}-out"
        iterator = kinesis.get_shard_iterator(
            StreamName=stream, ShardId=SHARD, ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        records = kinesis.get_records(ShardIterator=iterator)["Records"]
        return [json.loads(record["Data"])["id"] for record in records]

    def in_opensearch(self):
        ask("POST", f"/{NAME}/_refresh")
        found = ask("POST", f"/{NAME}/_search", {"size": 10_000, "_source": ["id"]})
        return [one["_source"].get("id") for one in found["hits"]["hits"]]

    def in_redshift_basic(self):
        return [one for (one,) in self.query(f"SELECT id FROM {NAME}")]


def by(letter):
    if letter["stage"] == "transform":
        return "transform"
    return "redshift-basic" if letter.get("file") else letter["reason"].partition(":")[0]


@pytest.fixture(scope="module")
def here(stack, tmp_path_factory):
    """Carry the messy file everywhere."""
    pipelines = Pipelines(stack, tmp_path_factory.mktemp(NAME))
    try:
        pipelines.carry(READ)
        yield pipelines
    finally:
        pipelines.close()


def id_of(data):
    return str(json.loads(data).get("id"))


@pytest.mark.parametrize("destination", ALL)
def test_what_can_be_is_there_and_the_rest_is_a_letter(here, destination):
    """A destination holds what it takes, and each record that it refuses is a letter that says why.

    What was read is there, filtered out, or a letter, and no record is two of these.
    """
    if destination not in here.names:
        opensearch()  # skips
    letters = here.letters(NAME)
    of_it = {data: reason for (who, data), reason in letters.items() if who == destination}
    refused = {one.data: one.refused[destination] for one in BAD if destination in one.refused}
    there = here.there(destination)

    assert of_it.keys() == refused.keys()
    assert [one for one, why in refused.items() if why not in of_it[one]] == []
    assert there == sorted(id_of(one.data) for one in KEPT if one.data not in refused)
    read, _, filtered, _ = here.tally(NAME)
    malformed = sum(who == "transform" for who, _ in letters)
    assert (read, filtered, malformed) == (len(READ), len(FILTERED), len(MALFORMED))
    assert read == len(there) + filtered + malformed + len(of_it)


def test_files_have_each_byte(here):
    """Files hold all that is JSON, whatever is in it; what is malformed is a letter."""
    lines = b"".join(map(gzip.decompress, here.objects(f"{NAME}-files/year="))).splitlines()
    letters = here.letters(f"{NAME}-files")
    read, kept, filtered, refused = here.tally(f"{NAME}-files")

    assert lines == [one.data for one in KEPT]
    assert letters.keys() == {("transform", data) for data in MALFORMED}
    assert (read, kept, filtered, refused) == (len(READ), len(lines), len(FILTERED), len(letters))
    assert read == len(lines) + filtered + len(letters)


def test_values_are_what_they_were(here):
    """Nulls, unicode, quotes and what is nested come out as they went in."""
    items = boto3.client("dynamodb")
    found = {one[0]: one[1:] for one in here.query(f"SELECT id, note, nested FROM {NAME}")}
    for one in map(json.loads, (good.data for good in GOOD)):
        note, nested = one.get("note"), one.get("nested")
        item = items.get_item(TableName=f"{NAME}-items", Key={"id": {"S": one["id"]}})["Item"]
        if "note" in one:
            assert item["note"] == ({"NULL": True} if note is None else {"S": note})
        loaded, text = found[one["id"]]
        assert loaded == note
        assert (None if text is None else json.loads(text)) == nested
