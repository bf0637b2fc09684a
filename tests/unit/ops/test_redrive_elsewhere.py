"""Letters put back on another stream come at least once, and into OpenSearch once."""

import itertools
import json
import re
from collections import Counter
from contextlib import suppress
from pathlib import Path

import boto3
import pytest

from record_processors.aws.bucket import Bucket
from record_processors.config.properties import load
from record_processors.destinations import kinesis
from record_processors.destinations.opensearch.client import Client
from record_processors.kcl.assembly import assemble
from record_processors.local.demo.pipelines import write_pipeline
from record_processors.ops.batches import Wanted
from record_processors.ops.redrive import Redrive
from support.bulk_index import BulkIndex
from support.fakes import SHARD, record
from support.letters import Killed

NUMBERS = itertools.count(1)
MOMENTS = range(1, 9)  # more than there are writes, so that the last of them kill nobody


class Place:
    """A pipeline with a bucket of its own, whose transformer takes numbers in brackets later."""

    def __init__(self, stack, folder, monkeypatch, shipped, changes):
        self.name, self.patch = f"elsewhere{next(NUMBERS)}", monkeypatch
        self.s3 = boto3.client("s3")
        self.s3.create_bucket(Bucket=self.name)
        own = {
            "applicationName": self.name,
            "s3Bucket": self.name,
            "retryLimit": "3",
            "outagePatience": "0",
            "backoffInterval": "1",
        }
        text = {key: one for key, one in stack.properties.items() if "openSearch" not in key}
        self.settings = write_pipeline(shipped, folder / self.name, {**own, **changes}, text)

    def refuse(self, *records):
        """Let a life of the pipeline take records; what it refuses is a letter."""
        life = assemble(self.settings)
        life.start(SHARD)
        life.process(list(records), lambda _: None)
        life.flush(lambda _: None)
        life.close()

    def mend(self):
        path = Path(self.settings.path)
        boxed = "transformer = support.menders:Boxed"
        path.write_text(re.sub("^transformer = json$", boxed, path.read_text(), flags=re.MULTILINE))
        self.settings = load(str(path))

    def redrive(self):
        return Redrive(self.settings, Wanted()).run()

    def killed(self, moment, owner, name):
        """Redrive, and die when it is about to write at this moment, to S3 or by ``name``."""
        left = moment

        def strike(*_, **__):
            nonlocal left
            left -= 1
            if left == 0:
                raise Killed

        write = getattr(owner, name)

        def struck(*arguments):
            strike()
            answer = write(*arguments)
            strike()
            return answer

        on_s3 = Bucket.from_settings(self.settings).s3.meta.events
        on_s3.register("before-call.s3.PutObject", strike, unique_id="strike")
        with self.patch.context() as patch:
            patch.setattr(owner, name, struck)
            with suppress(Killed):
                self.redrive()
        on_s3.unregister("before-call.s3.PutObject", unique_id="strike")
        return left <= 0

    def letters(self):
        """Return how many files of letters are not put back."""
        found = self.s3.list_objects_v2(Bucket=self.name).get("Contents", [])
        keys = {one["Key"] for one in found}
        return [k for k in keys if k.endswith(".jsonl") and f"{k}.redriven" not in keys]


@pytest.fixture
def stream(stack, tmp_path, monkeypatch, waits):
    """Return a pipeline to another stream, whose rows have the place of their record as a key."""
    name = f"target{next(NUMBERS)}"
    boto3.client("kinesis").create_stream(StreamName=name, ShardCount=1)
    changes = {"kinesisOutputStream": name, "kinesisPartitionKey": "random"}
    return Place(stack, tmp_path, monkeypatch, "kinesis", changes)


def rows(place):
    """Return the rows that are on the target stream, with their partition keys, in order."""
    client, name = boto3.client("kinesis"), place.settings.texts["kinesisOutputStream"]
    iterator = client.get_shard_iterator(
        StreamName=name, ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    found = client.get_records(ShardIterator=iterator)["Records"]
    return [(one["PartitionKey"], json.loads(one["Data"])["id"]) for one in found]


def test_rows_come_at_the_end_of_another_stream(stream):
    """Each once if nothing happens, in the order of their records, by the keys of their places."""
    stream.refuse(record(b"[7]", 1), record(b'{"id": 1}', 2), record(b"[8]", 3))
    stream.mend()
    assert (stream.redrive().kept, stream.redrive().kept) == (2, 0)

    assert rows(stream) == [(f"{SHARD}-{n}-0-0", one) for n, one in ((2, 1), (1, 7), (3, 8))]
    assert stream.letters() == []


def test_rows_come_at_least_once_to_another_stream_whenever_it_is_killed(stream):
    """None is lost; a double has the key of the first, and they keep the order of the shard."""
    killed = 0
    for moment in MOMENTS:
        first = 10 * moment
        stream.refuse(record(b"[%d]" % first, first), record(b"[%d]" % (first + 1), first + 1))
        stream.mend()
        killed += stream.killed(moment, kinesis, "put_records")
        stream.redrive()
        came = [(key, one) for key, one in rows(stream) if one // 10 == moment]
        once = [(f"{SHARD}-{n}-0-0", n) for n in (first, first + 1)]
        assert came in (once, once * 2), moment
        unmend(stream)

    assert 5 <= killed < len(MOMENTS)
    assert max(Counter(rows(stream)).values()) == 2, "no moment was between the rows and the mark"
    assert stream.letters() == []


def unmend(place):
    path = Path(place.settings.path)
    path.write_text(path.read_text().replace("support.menders:Boxed", "json"))
    place.settings = load(str(path))


@pytest.fixture
def index(stack, tmp_path, monkeypatch, waits):
    """Return a function that makes a pipeline to an index of documents."""
    server = BulkIndex()

    def make(**changes):
        where = {"openSearchURL": server.url, "openSearchIndex": "documents"}
        made = Place(stack, tmp_path, monkeypatch, "opensearch", {**where, **changes})
        made.server = server
        return made

    yield make
    server.close()


def name_of(place, number):
    return f"{place.settings.texts['streamName']}-{SHARD}-{number}-0"


def test_documents_are_there_once_whenever_it_is_killed(index):
    """Each has the name of its record's old position, so that a second writing adds nothing."""
    here = index()
    killed, expected = 0, {}
    for moment in MOMENTS:
        here.refuse(record(b"[%d]" % moment, moment))
        here.mend()
        killed += here.killed(moment, Client, "request")
        here.redrive()
        unmend(here)
        expected[name_of(here, moment)] = {"id": moment, "text": "boxed"}

        assert here.server.documents == expected
    assert 5 <= killed < len(MOMENTS)
    assert here.letters() == []


def test_what_the_index_has_refused_is_put_back_when_its_mapping_is_mended(index):
    """A letter of the destination itself is a document under its old name, beside the others."""
    here = index()
    here.refuse(record(b'{"id": "no number"}', 1), record(b'{"id": 2}', 2))
    assert here.redrive().all_refused == 1
    assert list(here.server.documents) == [name_of(here, 2)]
    here.server.strict = False
    assert (here.redrive().kept, here.redrive().kept) == (1, 0)

    assert here.server.documents[name_of(here, 1)] == {"id": "no number"}
    assert len(here.server.documents) == 2
    assert here.letters() == []


def test_a_redriven_record_moves_no_newer_document_back(index):
    """By a field, the position is the version: an old record does not take a newer one's place."""
    here = index(openSearchIdField="id")
    here.refuse(record(b"[7]", 1), record(b'{"id": 7, "text": "newer"}', 2), record(b"[8]", 3))
    here.mend()
    assert here.redrive().kept == 2

    texts = {name: one["text"] for name, one in here.server.documents.items()}
    assert texts == {"7": "newer", "8": "boxed"}
