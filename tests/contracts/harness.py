"""One of each destination, on the stand-ins: what is put into it, and what has come out of it.

A new destination has a harness here, and then runs every test of the suite.
"""

import gzip
import itertools
import json
import os
from functools import cached_property
from pathlib import Path

import boto3
import psycopg2

from record_processors import Record, Settings
from record_processors.commands.main import main
from record_processors.config.properties import load
from record_processors.destinations.dynamodb.settings import DATA_TABLE as DATA_TABLE_OF_ITEMS
from record_processors.destinations.redshift.copy import copy_statement
from record_processors.destinations.redshift.settings import DATA_FORMAT, DATA_TABLE
from record_processors.destinations.s3_manifest import OUTPUT_STREAM
from record_processors.kcl.assembly import assemble
from record_processors.local.demo.pipelines import write_pipeline
from support.fault_proxy import Proxy
from support.opensearch_server import ask, documents, opensearch

SHARD = "shardId-000000000003"
NUMBERS = itertools.count(1)
IMPATIENT = {"retryLimit": "4", "backoffInterval": "1", "outagePatience": "0"}


def read_all(kinesis, stream):
    """Return the records of a stream of one shard."""
    iterator = kinesis.get_shard_iterator(
        StreamName=stream, ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    return kinesis.get_records(ShardIterator=iterator)["Records"]


class Harness:
    """A pipeline with its destination, made by ``create``."""

    destination: str
    file: str  # the shipped file that it begins with
    refuses = False  # records for good
    at_least_once = False  # what comes again may be there again
    changes: dict = {}  # noqa: RUF012 - never written to
    # What an HTTP request of its begins with, by which the records become durable.
    write = "PUT /{bucket}/{name}/"

    def __init__(self, stack, folder, **changes):
        self.stack = stack
        self.name = f"contract-{next(NUMBERS)}"
        self.bucket = f"{self.name}-bucket"
        self.folder = folder / self.name
        self.sequence = itertools.count(1000)
        self.wire = Proxy(self.upstream, [])
        path = write_pipeline(
            self.file,
            self.folder,
            {
                "connectorDestination": self.destination,
                "applicationName": self.name,
                "streamName": f"{self.name}-in",
                "s3Bucket": self.bucket,
                **IMPATIENT,
                **self.own(),
                **changes,
            },
            {**stack.properties, **self.wired()},
        ).path
        self.path = path
        assert main(["create", path]) == 0
        self.set_up()

    @property
    def upstream(self):
        """What the wire leads to, on which faults happen."""
        return self.stack.properties["s3Endpoint"]

    def wired(self):
        """Return the settings that lead to the wire."""
        return {"s3Endpoint": self.wire.endpoint}

    def own(self):
        """Return settings that name things of its own."""
        return self.changes

    def set_up(self):
        """Do what is the user's to do."""

    def close(self):
        self.wire.close()

    @property
    def settings(self):
        return load(self.path)

    def life(self):
        """Begin the life of a child."""
        pipeline = assemble(self.settings)
        pipeline.start(SHARD)
        return pipeline

    def carry(self, records, checkpoint=lambda _: None):
        """Live once, with these records."""
        life = self.life()
        life.process(records, checkpoint)
        life.flush(checkpoint)
        life.close()

    def records(self, *ids):
        """Return records that become the rows with these ids."""
        return [self.record(self.data(one)) for one in ids]

    def record(self, data):
        return Record(data=data, sequence_number=str(next(self.sequence)), partition_key="k")

    def data(self, one):
        return json.dumps({"id": one}).encode()

    def refused(self, one):
        """Return the data of a record that it refuses for good."""
        raise NotImplementedError

    def read_the_rest(self):
        """Let it read settings that have a use only beside others."""

    @property
    def request(self):
        return self.write.format(bucket=self.bucket, name=self.name)

    def rejected(self):
        """Return the data of records that become dead letters, each in another way."""
        return [b"neither", *([self.refused(1000)] if self.refuses else [])]

    def delivered(self):
        """Return the ids of the rows that are there, in order, doubles too."""
        raise NotImplementedError

    @cached_property
    def s3(self):
        return boto3.client("s3")

    def objects(self, prefix):
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        keys = [item["Key"] for page in pages for item in page.get("Contents", ())]
        return {key: self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read() for key in keys}

    def letters(self):
        """Return the positions of which there is a dead letter."""
        lines = b"".join(self.objects(f"errors/{self.name}/").values()).splitlines()
        return sorted({json.loads(line)["position"] for line in lines})


class S3(Harness):
    destination, file = "s3", "s3"
    changes = {"s3Layout": "hive", "s3Tags": "team=data, env=prod", "s3StorageClass": "STANDARD_IA"}  # noqa: RUF012
    folder_of_1970 = "year=1970/month=01/day=01/hour=00"

    def delivered(self):
        bodies = self.objects(f"{self.name}/{self.folder_of_1970}/").values()
        lines = b"".join(map(gzip.decompress, bodies)).splitlines()
        return sorted(json.loads(line)["id"] for line in lines)


class S3Manifest(S3):
    destination, file = "s3-manifest", "s3_manifest"
    folder_of_1970 = "1970/01/01/00"

    def own(self):
        return {OUTPUT_STREAM.key: f"{self.name}-manifests"}

    def announced(self):
        """Return the keys of the files that were announced, as often as they were."""
        kinesis, stream = boto3.client("kinesis"), self.settings[OUTPUT_STREAM]
        return sorted(json.loads(record["Data"])["key"] for record in read_all(kinesis, stream))

    def delivered(self):
        """Count a file only if it is announced."""
        assert set(self.announced()) == set(self.objects(f"{self.name}/{self.folder_of_1970}/"))
        return super().delivered()


class Redshift(Harness):
    """Whatever ends in a table of its own."""

    refuses = True
    write = "PUT /{bucket}/{name}/manifests/"

    def own(self):
        table = self.name.replace("-", "_")
        return {
            "redshiftDataTable": table,
            "redshiftFileTable": f"{table}_files",
            "redshiftIamRole": "default",
        }

    def set_up(self):
        self.query(f"CREATE TABLE {self.settings[DATA_TABLE]} (id BIGINT)")

    def read_the_rest(self):
        delimited = {**self.settings.texts, DATA_FORMAT.key: "delimited"}
        copy_statement(Settings(self.path, delimited), "s3://bucket/manifest", "none")

    def query(self, sql):
        address = "postgresql://{redshiftUsername}@{redshiftURL}".format(**self.stack.properties)
        connection = psycopg2.connect(address, password=os.environ["REDSHIFT_PASSWORD"])
        with connection, connection.cursor() as cursor:
            cursor.execute(sql)
            found = cursor.fetchall() if cursor.description else []
        connection.close()
        return found

    def delivered(self):
        return [
            row[0] for row in self.query(f"SELECT id FROM {self.settings[DATA_TABLE]} ORDER BY 1")
        ]


class RedshiftManifest(Redshift):
    destination, file = "redshift-manifest", "redshift_manifest"

    def data(self, one):
        """Write a file of one row; return its message."""
        return self._file(one, json.dumps({"id": one}).encode())

    def refused(self, one):
        return self._file(one, b'{"id": "no number"}')

    def rejected(self):
        missing = f"s3://{self.bucket}/files/missing.json.gz"
        row_left_out = self._file(1001, b'{"id": "no number"}\n{"id": 1001}')
        return [b"\xff", missing.encode(), self.refused(1000), row_left_out]

    def _file(self, one, row):
        body = gzip.compress(row + b"\n", mtime=0)
        self.s3.put_object(Bucket=self.bucket, Key=f"files/{one}.json.gz", Body=body)
        return f"s3://{self.bucket}/files/{one}.json.gz".encode()


class RedshiftBasic(Redshift):
    destination, file = "redshift-basic", "redshift_basic"

    def refused(self, one):
        return json.dumps({"id": one, "text": "\0"}).encode()

    def rejected(self):
        return [*super().rejected(), b'{"id": "no number"}']


class Kinesis(Harness):
    destination, file = "kinesis", "kinesis"
    refuses = at_least_once = True
    write = "POST /PutRecords"

    def own(self):
        return {
            OUTPUT_STREAM.key: f"{self.name}-out",
            "kinesisOutputStreamShardCount": "1",
            "kinesisEndpoint": self.wire.endpoint,
        }

    def refused(self, one):
        return json.dumps({"id": one, "text": "x" * 1024 * 1024}).encode()

    def delivered(self):
        records = read_all(boto3.client("kinesis"), self.settings[OUTPUT_STREAM])
        return sorted(json.loads(record["Data"])["id"] for record in records)


class DynamoDB(Harness):
    destination, file = "dynamodb", "dynamodb"
    refuses = True
    write = "POST /PutItem"

    def own(self):
        return {
            "dynamoDBDataTableName": f"{self.name}-items",
            "dynamoDBKey": "id: N",
            "dynamoDBEndpoint": self.wire.endpoint,
        }

    def set_up(self):
        """Forget the leases, which `create` writes to the same service."""
        self.wire.requests.clear()

    def refused(self, one):
        return json.dumps({"id": str(one)}).encode()

    def items(self):
        """Return the items, numbers as Decimal, by their id."""
        table = boto3.resource("dynamodb").Table(self.settings[DATA_TABLE_OF_ITEMS])
        return {item["id"]: item for item in table.scan()["Items"]}

    def delivered(self):
        return sorted(map(int, self.items()))


class OpenSearch(Harness):
    destination, file = "opensearch", "opensearch"
    refuses = True
    write = "POST /{name}/_bulk"

    @property
    def upstream(self):
        return opensearch()

    def wired(self):
        return {"openSearchURL": self.wire.endpoint}

    def own(self):
        return {"openSearchIndex": self.name}

    def set_up(self):
        ask("PUT", f"/{self.name}/_mapping", {"properties": {"id": {"type": "long"}}})

    def refused(self, one):
        return json.dumps({"id": "no number", "one": one}).encode()

    def delivered(self):
        return sorted(document["id"] for document in documents(self.name).values())


class OnesOwn(Harness):
    """The destination that is no part of the package."""

    destination, file = "local_folder:LocalFolder", "s3"
    refuses = True
    write = "PUT /{bucket}/receipts/{name}/"

    def own(self):
        return {"localFolder": str(self.folder / "rows")}

    def set_up(self):
        """Take out of the shipped file what only its own destination heeds."""
        path = Path(self.path)
        path.write_text(path.read_text().replace("\ns3Compression = ", "\n#s3Compression = "))

    def refused(self, one):
        return json.dumps({"id": one, "why": "refuse me"}).encode()

    def delivered(self):
        rows = [path.read_text() for path in Path(self.own()["localFolder"]).iterdir()]
        return sorted(json.loads(line)["id"] for line in "".join(rows).splitlines())


class SeveralAtOnce(S3):
    """One's own, and behind it a chain of files."""

    destination = "local_folder:LocalFolder, s3"

    def own(self):
        return {**super().own(), "localFolder": str(self.folder / "rows")}

    def delivered(self):
        """Count what is in the files only if it is in the folder too."""
        rows = b"".join(path.read_bytes() for path in Path(self.own()["localFolder"]).iterdir())
        found = super().delivered()
        assert sorted(json.loads(line)["id"] for line in rows.splitlines()) == found
        return found


HARNESSES = {
    each.destination: each
    for each in (
        S3,
        S3Manifest,
        RedshiftManifest,
        RedshiftBasic,
        Kinesis,
        OnesOwn,
        SeveralAtOnce,
        DynamoDB,
        OpenSearch,
    )
}
