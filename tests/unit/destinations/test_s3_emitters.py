"""Objects are named by their source, written once, and announced after they exist."""

import gzip
import json
import time
from types import SimpleNamespace

import boto3
import botocore.exceptions
import moto
import pytest
import zstandard

from record_processors import Batch, Fatal, Kept, Position
from record_processors.config.properties import load
from record_processors.kcl.assembly import assemble
from support.fakes import SHARD, properties, record

ARRIVAL = 1704164645678  # 2024-01-02T03:04:05.678Z
KEY = f"flights/2024/01/02/03/{SHARD}-10-0"


@pytest.fixture
def cloud(waits):
    """Return S3 and Kinesis of a fresh AWS, with the bucket and the manifest stream."""
    with moto.mock_aws():
        s3, kinesis = boto3.client("s3"), boto3.client("kinesis")
        s3.create_bucket(Bucket="bucket")
        kinesis.create_stream(StreamName="manifests", ShardCount=4)
        yield SimpleNamespace(s3=s3, kinesis=kinesis)


@pytest.fixture
def emitter(cloud, tmp_path):
    """Return a function that makes the emitter of a file with changes, and starts it."""
    return lambda **changes: started(tmp_path, changes)


def started(folder, changes):
    pipeline = assemble(load(properties(folder, changes)))
    pipeline.start(SHARD)
    return pipeline.emitter


def batch(*rows, first=10, last=None, arrival=ARRIVAL):
    kept = [
        Kept(record(row, sequence, arrival=arrival + sequence), [row])
        for sequence, row in enumerate(rows, first)
    ]
    return Batch(kept, last or Position(first + len(rows) - 1))


def keys(cloud):
    return [one["Key"] for one in cloud.s3.list_objects_v2(Bucket="bucket").get("Contents", [])]


def get(cloud, key):
    found = cloud.s3.get_object(Bucket="bucket", Key=key)
    return found["Body"].read(), found["Metadata"]


def announced(cloud):
    """Return the messages on the manifest stream, with the partition key of each."""
    messages = []
    for shard in cloud.kinesis.list_shards(StreamName="manifests")["Shards"]:
        iterator = cloud.kinesis.get_shard_iterator(
            StreamName="manifests", ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        for found in cloud.kinesis.get_records(ShardIterator=iterator)["Records"]:
            messages.append((found["PartitionKey"], json.loads(found["Data"])))
    return messages


def metadata(**changes):
    return {
        "first-position": "10-0",
        "last-position": "15-2",
        "rows": "3",
        "format": "json",
        "application": "flights",
        "stream": "events",
        "shard": SHARD,
        **changes,
    }


def test_an_object(emitter, cloud):
    """Key, metadata and body are what the contract says; the emitter returns the last position."""
    given = batch(b'{"a":1}', b'{"a":2}', last=Position(15, 2))
    assert emitter().emit(given) == Position(15, 2)
    assert keys(cloud) == [f"{KEY}.json.gz"]
    body, found = get(cloud, f"{KEY}.json.gz")
    assert gzip.decompress(body) == b'{"a":1}\n{"a":2}\n'
    made_by = {"made-by": emitter().chain.made_by}
    assert found == {**metadata(rows="2"), **made_by}


@pytest.mark.parametrize(
    ("changes", "extension", "expand"),
    [
        ({}, ".json.gz", gzip.decompress),
        ({"s3Compression": "zstd"}, ".json.zst", zstandard.decompress),
        ({"s3Compression": "none"}, ".json", bytes),
        ({"transformer": "csv", "transformerColumns": "a"}, ".csv.gz", gzip.decompress),
        ({"transformer": "text", "s3Compression": "none"}, ".txt", bytes),
        ({"transformer": "delimited", "transformerColumns": "a"}, ".txt.gz", gzip.decompress),
    ],
)
def test_formats_and_compressions(changes, extension, expand, emitter, cloud):
    """The extension tells format and compression; the rows are ended by a newline, the last too."""
    emitter(**changes).emit(batch(b"one", b"", b"three"))
    body, found = get(cloud, KEY + extension)
    assert expand(body) == b"one\n\nthree\n"
    assert found["format"] == changes.get("transformer", "json")


def test_several_rows_of_a_record(emitter, cloud):
    """All rows of all records are in the object, and counted."""
    kept = [Kept(record("x", 10), [b"1", b"2"]), Kept(record("y", 11), [b"3"])]
    given = Batch(kept, Position(12))
    emitter(connectorDestination="s3").emit(given)
    (key,) = keys(cloud)
    body, found = get(cloud, key)
    assert (gzip.decompress(body), found["rows"]) == (b"1\n2\n3\n", "3")
    assert "/1970/01/01/00/" in key


@pytest.fixture
def in_tokyo():
    """Let the host have another time zone than UTC."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()


def test_prefix_and_date(emitter, cloud, in_tokyo):
    """The key begins with the prefix as it is; its date is the arrival of the first record, UTC."""
    leap_day = 1709251199999 - 10  # 2024-02-29T23:59:59.989Z
    emitter(s3Prefix=r"a b@c:d?e#f%20/\u00e9-").emit(batch(b"x", arrival=leap_day))
    assert keys(cloud) == [f"a b@c:d?e#f%20/é-flights/2024/02/29/23/{SHARD}-10-0.json.gz"]


@pytest.mark.parametrize("compression", ["gzip", "zstd", "none"])
def test_the_same_batch_is_the_same_object(compression, tmp_path, waits):
    """Two lives write the same records under the same key with the same bytes."""
    written = []
    for life in "12":
        with moto.mock_aws():
            s3 = boto3.client("s3")
            s3.create_bucket(Bucket="bucket")
            (tmp_path / life).mkdir()
            changes = {"connectorDestination": "s3", "s3Compression": compression}
            started(tmp_path / life, changes).emit(batch(*[b"row %d" % n for n in range(1000)]))
            (key,) = keys(SimpleNamespace(s3=s3))
            written.append((key, *get(SimpleNamespace(s3=s3), key)))
    assert written[0] == written[1]
    if compression == "gzip":
        assert written[0][1][4:8] == bytes(4), "the time of writing stands in the header"


def test_encryption(emitter, cloud):
    """The object is encrypted as the file says."""
    emitter(s3ServerSideEncryption="aws:kms", s3KmsKeyId="alias/mine").emit(batch(b"x"))
    head = cloud.s3.head_object(Bucket="bucket", Key=f"{KEY}.json.gz")
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", "alias/mine")


# ---- an object is there already


def test_an_object_of_another_life_is_adopted(emitter, cloud):
    """What exists stands: it is not overwritten, and its own last position is returned."""
    cloud.s3.put_object(Bucket="bucket", Key=f"{KEY}.json.gz", Body=b"theirs", Metadata=metadata())
    assert emitter().emit(batch(b"ours")) == Position(15, 2)
    assert get(cloud, f"{KEY}.json.gz") == (b"theirs", metadata())
    assert keys(cloud) == [f"{KEY}.json.gz"]


def test_an_adopted_object_is_announced_as_what_it_is(emitter, cloud):
    """The message of an adopted object tells its rows, bytes and last position, not ours."""
    cloud.s3.put_object(Bucket="bucket", Key=f"{KEY}.json.gz", Body=b"theirs", Metadata=metadata())
    emitter().emit(batch(b"ours", b"more", b"and", b"more", b"still", b"yes", b"on", b"end"))
    ((key, message),) = announced(cloud)
    assert key == SHARD
    assert (message["rows"], message["bytes"], message["last"]) == (3, 6, "15-2")
    assert (message["first"], message["key"]) == ("10-0", f"{KEY}.json.gz")
    assert set(message) == CONTRACT_FIELDS


def test_what_an_earlier_life_wrote_is_found_and_announced(emitter, cloud):
    """By the first record alone: its end is returned, its message put; nothing is written."""
    cloud.s3.put_object(Bucket="bucket", Key=f"{KEY}.json.gz", Body=b"theirs", Metadata=metadata())
    first = batch(b"ours").first
    assert emitter().adopt(first) == Position(15, 2)
    ((key, message),) = announced(cloud)
    assert (key, message["key"], message["last"]) == (SHARD, f"{KEY}.json.gz", "15-2")
    assert (message["rows"], message["bytes"]) == (3, 6)
    assert emitter(connectorDestination="s3").adopt(first) == Position(15, 2)
    assert keys(cloud) == [f"{KEY}.json.gz"]
    assert len(announced(cloud)) == 1


def test_nothing_is_found_where_nothing_was_written(emitter, cloud):
    """A position at which no object begins is none that an earlier life wrote from."""
    cloud.s3.put_object(Bucket="bucket", Key=f"{KEY}.json.gz", Body=b"theirs", Metadata=metadata())
    assert emitter().adopt(batch(b"ours", first=11).first) is None
    assert announced(cloud) == []


def test_who_may_not_list_the_bucket_finds_out_by_writing(emitter, cloud):
    """Without s3:ListBucket S3 answers 403 about what is not there: that stops nothing."""
    one = emitter(connectorDestination="s3")

    def head_object(**arguments):
        answer = {"Error": {"Code": "403"}, "ResponseMetadata": {"HTTPStatusCode": 403}}
        raise botocore.exceptions.ClientError(answer, "HeadObject")

    one.chain.bucket.s3 = SimpleNamespace(head_object=head_object, put_object=cloud.s3.put_object)
    assert one.adopt(batch(b"a").first) is None
    assert one.emit(batch(b"a")) == Position(10)
    with pytest.raises(Fatal, match=rf"s3://bucket/{KEY}.*it is there, .* s3:GetObject"):
        one.emit(batch(b"a", b"b"))


CONTRACT_FIELDS = set(
    "version application bucket key bytes rows stream shard first last format compression".split()
)


def test_writing_twice_is_harmless(emitter, cloud):
    """The same batch again finds its own object, and announces the same message again."""
    one = emitter()
    assert one.emit(batch(b"a", b"b")) == one.emit(batch(b"a", b"b")) == Position(11)
    first, second = announced(cloud)
    assert first == second


@pytest.mark.parametrize(
    "foreign",
    [
        {},
        {"last-position": "15-2"},
        metadata(**{"first-position": "9-0"}),
        metadata(**{"last-position": "9-0"}),
        metadata(**{"last-position": "later"}),
        metadata(application="another"),
    ],
    ids=["no metadata", "no first", "other first", "upside down", "junk", "other application"],
)
def test_a_foreign_object_stops_the_pipeline(foreign, emitter, cloud):
    """An object that this application cannot have written is left alone, named, and fatal."""
    cloud.s3.put_object(Bucket="bucket", Key=f"{KEY}.json.gz", Body=b"theirs", Metadata=foreign)
    with pytest.raises(Fatal, match=f"s3://bucket/{KEY}.json.gz"):
        emitter().emit(batch(b"ours"))
    with pytest.raises(Fatal, match=f"s3://bucket/{KEY}.json.gz"):
        emitter().adopt(batch(b"ours").first)
    assert get(cloud, f"{KEY}.json.gz")[0] == b"theirs"
    assert announced(cloud) == []


class Wrapped:
    """A client of S3 whose calls can be made to fail before or after they had their effect."""

    def __init__(self, s3, before=(), after=()):
        self.s3 = s3
        self.before = list(before)
        self.after = list(after)
        self.puts = 0

    def __getattr__(self, name):
        return getattr(self.s3, name)

    def put_object(self, **arguments):
        """Fail as told, before or after the object is written."""
        self.puts += 1
        if self.before and (error := self.before.pop(0)):
            raise error
        answer = self.s3.put_object(**arguments)
        if self.after and (error := self.after.pop(0)):
            raise error
        return answer


CUT = botocore.exceptions.ConnectionClosedError(endpoint_url="https://s3")


def throttled(code="SlowDown", status=503):
    answer = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return botocore.exceptions.ClientError(answer, "PutObject")


def test_a_lost_answer_is_ones_own_write(emitter, cloud, caplog):
    """A put whose answer is lost is tried again, finds its own object, and goes on as ever."""
    one = emitter()
    client = one.chain.bucket.s3 = Wrapped(cloud.s3, after=[CUT])
    assert one.emit(batch(b"a", b"b", last=Position(14))) == Position(14)
    assert client.puts == 2
    assert len(keys(cloud)) == 1
    ((_, message),) = announced(cloud)
    assert (message["rows"], message["last"]) == (2, "14-0")
    assert "taken as it is" not in caplog.text


def test_a_throttled_write_is_tried_again(emitter, cloud, waits):
    """Throttling and cut connections before the write cost only time."""
    one = emitter()
    client = one.chain.bucket.s3 = Wrapped(
        cloud.s3, before=[throttled(), CUT, throttled("ConditionalRequestConflict", 409)]
    )
    one.emit(batch(b"a"))
    assert (client.puts, len(waits)) == (4, 3)
    assert len(keys(cloud)) == 1


def test_the_write_gives_up(emitter, cloud):
    """A bucket that stays away is fatal after the limit, with the object's name and the setting."""
    one = emitter(retryLimit="3", outagePatience="0")
    client = one.chain.bucket.s3 = Wrapped(cloud.s3, before=[CUT] * 9)
    with pytest.raises(
        Fatal, match=rf"writing s3://bucket/{KEY}.*given up after 3 tries \(retryLi"
    ):
        one.emit(batch(b"a"))
    assert client.puts == 3
    assert announced(cloud) == []


def test_no_such_bucket(emitter, cloud):
    """A bucket that is not there is one sentence that names it, at the first try."""
    one = emitter(s3Bucket="nobucket")
    client = one.chain.bucket.s3 = Wrapped(cloud.s3)
    with pytest.raises(Fatal, match=r"s3://nobucket/.*NoSuchBucket"):
        one.emit(batch(b"a"))
    assert client.puts == 1


# ---- the message


def test_the_message(emitter, cloud):
    """After the object is written, its message is put with the shard as partition key."""
    emitter(s3Prefix="events/").emit(batch(b"{}", b"{}", last=Position(15, 2)))
    body, _ = get(cloud, f"events/{KEY}.json.gz")
    assert announced(cloud) == [
        (
            SHARD,
            {
                "version": 1,
                "application": "flights",
                "bucket": "bucket",
                "key": f"events/{KEY}.json.gz",
                "bytes": len(body),
                "rows": 2,
                "stream": "events",
                "shard": SHARD,
                "first": "10-0",
                "last": "15-2",
                "format": "json",
                "compression": "gzip",
                "fields": [],
            },
        )
    ]


def test_the_message_names_the_fields_of_the_first_row(emitter, cloud):
    """Stage two learns from it which keys the rows have, unless they are too many to carry."""
    emitter().emit(batch(b'{"id": 1, "Title": "x", "id": 2}', b'{"other": 1}', last=Position(15)))
    ((_, message),) = announced(cloud)
    assert message["fields"] == ["id", "Title"]

    many = json.dumps({f"key {number}": 1 for number in range(1000)}).encode()
    emitter(applicationName="many").emit(batch(many, last=Position(15)))
    assert "fields" not in announced(cloud)[1][1]


@pytest.mark.parametrize("null", ["", "a b", "é", "<nul l>"])
def test_a_null_string_of_ones_own_that_copy_may_not_read(emitter, null):
    """A transformer that names one is refused before it writes anything."""
    one = emitter()
    with pytest.raises(Fatal, match="cannot stand for null"):
        one.start(SHARD, "csv", null)


@pytest.mark.parametrize(("null", "said"), [(r"\\N", None), ("NULL", "NULL")])
def test_the_message_names_the_null_string(emitter, cloud, null, said):
    """Stage two learns from it, or from the file, what stands for null, if it is not COPY's."""
    rows = emitter(transformer="csv", transformerColumns="a", transformerNull=null)
    rows.emit(batch(b"1", last=Position(15)))
    ((_, message),) = announced(cloud)
    assert message.get("null") == said
    metadata = cloud.s3.head_object(Bucket="bucket", Key=message["key"])["Metadata"]
    assert metadata.get("null") == said


class Announcing:
    """A client of Kinesis that notes what is in the bucket when a message is put."""

    def __init__(self, cloud, *errors):
        self.cloud = cloud
        self.errors = list(errors)
        self.seen = []

    def put_record(self, **arguments):
        """Fail as told, else put the message."""
        self.seen.append(keys(self.cloud))
        if self.errors:
            raise self.errors.pop(0)
        return self.cloud.kinesis.put_record(**arguments)


def test_the_object_exists_before_it_is_announced(emitter, cloud):
    """When the message is put, throttled or not, the object is there already."""
    one = emitter()
    one.kinesis = Announcing(cloud, throttled("ProvisionedThroughputExceededException", 400), CUT)
    one.emit(batch(b"a"))
    assert one.kinesis.seen == [[f"{KEY}.json.gz"]] * 3
    assert len(announced(cloud)) == 1


def test_no_checkpoint_without_the_message(cloud, tmp_path):
    """If the message cannot be put, no checkpoint is made; the next life announces the object."""
    checkpoints = []
    for life, changes in (("1", {"kinesisOutputStream": "nostream"}), ("2", {})):
        (tmp_path / life).mkdir()
        pipeline = assemble(load(properties(tmp_path / life, changes)))
        pipeline.start(SHARD)
        pipeline.process([record('{"a":1}', 10, arrival=ARRIVAL)], checkpoints.append)
        if life == "1":
            with pytest.raises(Fatal, match="nostream"):
                pipeline.flush(checkpoints.append)
            assert checkpoints == []
        else:
            pipeline.flush(checkpoints.append)
    assert keys(cloud) == [f"{KEY}.json.gz"]
    assert [message["key"] for _, message in announced(cloud)] == [f"{KEY}.json.gz"]
    assert checkpoints == [Position(10)]


def test_s3_alone_announces_nothing(emitter, cloud):
    """The destination `s3` writes objects and puts no message."""
    emitter(connectorDestination="s3").emit(batch(b"a"))
    assert len(keys(cloud)) == 1
    assert announced(cloud) == []


def test_a_pipeline_of_real_parts(cloud, tmp_path):
    """Records, good, bad and filtered, end in one object and one dead letter, then a checkpoint."""
    changes = {"filter": "jmespath", "filterExpression": "keep"}
    pipeline = assemble(load(properties(tmp_path, changes)))
    pipeline.start(SHARD)
    checkpoints = []
    words = ['{"keep":true}', "not json", '{"keep":false}', '{"keep":1}']
    given = [record(word, 10 + n, arrival=ARRIVAL) for n, word in enumerate(words)]
    pipeline.process(given, checkpoints.append)
    assert (keys(cloud), checkpoints) == ([], [])
    pipeline.flush(checkpoints.append)
    assert keys(cloud) == [f"errors/flights/{SHARD}-11-0-11-0.jsonl", f"{KEY}.json.gz"]
    body, found = get(cloud, f"{KEY}.json.gz")
    assert gzip.decompress(body) == b'{"keep":true}\n{"keep":1}\n'
    assert (found["rows"], found["last-position"]) == ("2", "13-0")
    assert checkpoints == [Position(13)]


OWN = """
from record_processors import Emitter

class Nowhere(Emitter):
    def emit(self, batch):
        batch.kept[0]
"""


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """Return the name of a destination of one's own that keeps nothing."""
    (tmp_path / "of_ones_own.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    return "of_ones_own:Nowhere"


def test_a_file_says_who_else_has_its_records(emitter, nowhere, cloud):
    """Behind others, a file says in its metadata that they had its records before."""
    both = emitter(connectorDestination=f"{nowhere}, s3", kinesisOutputStream=None)
    both.emit(batch(b'{"a":1}'))
    (key,) = keys(cloud)

    assert get(cloud, key)[1]["also-in"] == nowhere
    again = emitter(connectorDestination=f"{nowhere}, s3", kinesisOutputStream=None)
    assert again.adopt(record(b"", 10, arrival=ARRIVAL)) == Position(10)


def test_records_are_not_skipped_that_another_destination_may_lack(emitter, nowhere, cloud):
    """A file of the time before a destination was named stops the process, with what to do."""
    emitter(connectorDestination="s3", kinesisOutputStream=None).emit(batch(b'{"a":1}'))
    both = emitter(connectorDestination=f"{nowhere}, s3", kinesisOutputStream=None)
    said = f"did not name {nowhere}, so that its records may be missing there: start with the"

    with pytest.raises(Fatal, match=said):
        both.adopt(record(b"", 10, arrival=ARRIVAL))
    with pytest.raises(Fatal, match=said):
        both.emit(batch(b'{"a":1}'))
    alone = emitter(connectorDestination="s3", kinesisOutputStream=None)
    assert alone.adopt(record(b"", 10, arrival=ARRIVAL)) == Position(10)
