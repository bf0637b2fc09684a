"""Stage two on the stand-ins, for the tests: what is put into it, and where what comes out lies."""

import base64
import gzip
import itertools
import json
import os
from typing import ClassVar

import boto3
import psycopg2
import psycopg2.extensions
import pytest
import zstandard

from record_processors import Record
from record_processors.aws.bucket import Bucket
from record_processors.config.setting import Settings
from record_processors.destinations.redshift.connection import Connection
from record_processors.destinations.redshift.ledger import Ledger
from record_processors.kcl.assembly import assemble
from record_processors.local.demo.pipelines import write_pipeline

BUCKET = "files"
SHARD = "shardId-000000000000"
BAD_ROW = b'{"id": 1, "text": "fine"}\n{"id": "seven", "text": "a word"}\n'
PACK = {"gzip": gzip.compress, "zstd": zstandard.compress, "none": bytes}
numbers = itertools.count(1)


@pytest.fixture(scope="module")
def redshift(stack):
    connection = psycopg2.connect(
        "postgresql://{redshiftUsername}@{redshiftURL}".format(**stack.properties),
        password=os.environ["REDSHIFT_PASSWORD"],
    )
    connection.autocommit = True
    yield connection
    connection.close()


@pytest.fixture(scope="module")
def files(stack):
    client = boto3.client("s3")
    client.create_bucket(Bucket=BUCKET)
    return client


@pytest.fixture
def stage_two(stack, redshift, files, tmp_path):
    """Make a pipeline with a table and a ledger of its own."""
    return lambda **changes: StageTwo(stack, redshift, files, tmp_path, changes)


class StageTwo:
    """One pipeline of stage two: what is put into it, and where what comes out of it lies."""

    shipped = "redshift_manifest"

    def __init__(self, stack, db, s3, folder, changes, columns="id BIGINT, text VARCHAR(200)"):
        self.db, self.s3 = db, s3
        self.name = f"load{next(numbers)}"
        form = changes.pop("redshiftDataFormat", "json")
        self.columns = changes.pop("columns", columns)
        self.settings = write_pipeline(
            self.shipped,
            folder / self.name,
            {
                "applicationName": self.name,
                "streamName": "manifests",
                "s3Bucket": BUCKET,
                "s3Prefix": "data/",
                "redshiftDataTable": f"{self.name}_rows",
                "redshiftFileTable": f"{self.name}_files",
                "redshiftIamRole": "default",
                "retryLimit": "3",
                "outagePatience": "0",
                "backoffInterval": "1",
                **changes,
            },
            stack.properties,
        )
        if form != "json":  # the shipped file has a key that belongs to JSON only
            texts = {**self.settings.texts, "redshiftDataFormat": form}
            texts.pop("redshiftJsonPaths", None)
            self.settings = Settings(self.settings.path, texts)
        self.table = self.settings.texts["redshiftDataTable"]
        self.ledger = self.settings.texts["redshiftFileTable"]
        self.checkpoints = []
        self.query(f"CREATE TABLE {self.table} ({self.columns})")
        with db.cursor() as cursor:
            Ledger.from_settings(self.settings).create(cursor)

    def query(self, sql):
        with self.db.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def file(
        self, key, *ids, first=None, last=None, compression="gzip", body=None, tier=None, **said
    ):
        """Put a file of rows with these ids and return its message, with ``said`` changed."""
        lines = b"".join(b'{"id": %d, "text": "row %d"}\n' % (one, one) for one in ids)
        data = PACK[compression](lines if body is None else body)
        put = {"StorageClass": tier} if tier else {}
        self.s3.put_object(Bucket=BUCKET, Key=f"{self.name}/{key}", Body=data, **put)
        rows = len(ids) if body is None else None  # whatever it holds, nobody has counted
        about = {"bytes": len(data), "rows": rows, "compression": compression, **said}
        return self.message(key, first, last, **about)

    def message(self, key, first=None, last=None, **said):
        message = {
            "version": 1,
            "application": "flights",
            "bucket": BUCKET,
            "key": f"{self.name}/{key}",
            "bytes": 10,
            "rows": 1,
            "stream": "events",
            "shard": "shardId-000000000007",
            "first": first,
            "last": last or first,
            "format": "json",
            "compression": "gzip",
            **said,
        }
        return json.dumps({name: value for name, value in message.items() if value is not None})

    def url(self, key):
        return f"s3://{BUCKET}/{self.name}/{key}"

    def life(self, settings=None):
        """Begin the life of a process: a pipeline with a connection of its own."""
        pipeline = assemble(settings or self.settings)
        pipeline.start(SHARD)
        return pipeline

    def load(self, *messages, life=None, settings=None):
        """Hand messages to a pipeline as one batch; return the pipeline."""
        life = life or self.life(settings)
        records = [
            Record(message if isinstance(message, bytes) else message.encode(), str(number))
            for message, number in zip(messages, numbers, strict=False)
        ]
        try:
            life.process(records, self.checkpoints.append)
            life.flush(self.checkpoints.append)
        finally:
            life.close()
        assert self.checkpoints[-1] == records[-1].position
        return life

    def on_s3(self, action):
        """Call ``action(request)`` before S3 is asked by any life.

        What it returns, if anything, is S3's answer instead.
        """
        s3 = Bucket.from_settings(self.settings).s3
        s3.meta.events.register("before-send.s3", lambda request, **_: action(request))

    def ids(self):
        return sorted(row[0] for row in self.query(f"SELECT id FROM {self.table}"))

    def entered(self):
        """Return the ledger's files, without their common beginning."""
        files = self.query(f"SELECT file FROM {self.ledger} ORDER BY file")
        return [url.removeprefix(self.url("")) for (url,) in files]

    def objects(self, prefix):
        found = self.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", ())
        return {
            one["Key"]: self.s3.get_object(Bucket=BUCKET, Key=one["Key"])["Body"].read()
            for one in found
        }

    def manifests(self):
        found = self.objects(f"data/{self.name}/manifests/")
        return {k: json.loads(body) for k, body in found.items() if k.endswith(".manifest")}

    def letters(self):
        """Return the dead letters' reasons by the message; all must be of stage two."""
        lines = b"".join(self.objects(f"errors/{self.name}/").values()).splitlines()
        letters = [json.loads(line) for line in lines]
        assert all(letter["stage"] == "load" for letter in letters)
        assert all(letter["shard"] == SHARD for letter in letters)
        return {base64.b64decode(one["data"]).decode(): one["reason"] for one in letters}


class Journal(psycopg2.extensions.cursor):
    """A cursor that notes the first words of its statements."""

    statements: ClassVar[list[str]] = []

    def execute(self, query, values=None):
        self.statements.append(" ".join(str(query).split()))
        return super().execute(query, values)


@pytest.fixture
def journal(monkeypatch):
    """Return the statements of every connection that is made from now on."""
    connect = psycopg2.connect
    monkeypatch.setattr(Journal, "statements", [])
    monkeypatch.setattr(psycopg2, "connect", lambda **how: connect(**how, cursor_factory=Journal))
    return Journal.statements


@pytest.fixture
def nameless(monkeypatch):
    """Let the error table say nothing of a load that failed."""
    monkeypatch.setattr(Connection, "load_errors", lambda self: self.close() or [])
