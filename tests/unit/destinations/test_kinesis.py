"""Rows go on to another stream: all of them, under their keys, in the order of each key."""

import inspect
import json
import textwrap
from types import SimpleNamespace

import boto3
import moto
import pytest
from hypothesis import given
from hypothesis import strategies as st

from record_processors import Batch, Fatal, Kept, Position, Retry
from record_processors.aws import put_records as calls
from record_processors.config.properties import load
from record_processors.destinations import kinesis as destination
from record_processors.kcl.assembly import assemble
from support.broken import Broken, broken_source
from support.fakes import SHARD, properties, record

MIB = 1024 * 1024


class Stream:
    """Takes what it is given, but what it is told to refuse: for each call, some of its places."""

    def __init__(self, *refusals, limit=None):
        self.refusals = list(refusals)
        self.summary = {"MaxRecordSizeInKiB": limit} if limit else {}
        self.asked = 0
        self.calls = []
        self.taken = []

    def put_records(self, StreamName, Records):  # noqa: N803 - boto3's names
        refused = self.refusals.pop(0) if self.refusals else ()
        self.calls.append([each["Data"] for each in Records])
        results = []
        for place, each in enumerate(Records):
            if place in refused:
                results.append({"ErrorCode": "ProvisionedThroughputExceededException"})
            else:
                self.taken.append((each["PartitionKey"], each["Data"]))
                results.append({"SequenceNumber": "1", "ShardId": SHARD})
        return {"Records": results}

    def describe_stream_summary(self, StreamName):  # noqa: N803 - boto3's names
        self.asked += 1
        return {"StreamDescriptionSummary": self.summary}


def emitter(stream, key="keep", limit=5):
    one = destination.KinesisEmitter(
        stream, "out", destination.PARTITION_KEY.parse(key), Retry(limit, 1)
    )
    one.start(SHARD, "json", None)
    return one


def batch(*kept):
    records = [
        Kept(record(b"", number, key=key), [rows] if isinstance(rows, bytes) else rows)
        for number, (key, rows) in enumerate(kept, 10)
    ]
    return Batch(records, Position(10 + len(kept)))


def refusals(given):
    return [(one.record.position.sequence, one.reason) for one in given.rejected]


# ---- the keys


def test_a_key_is_kept():
    """All rows of a record go, as they are, under its key; a row may be empty."""
    stream = Stream()
    emitter(stream).emit(batch(("a", [b"1", b""]), ("b", b"\xff\x00")))
    assert stream.taken == [("a", b"1"), ("a", b""), ("b", b"\xff\x00")]


def test_a_key_of_chance_is_the_same_again():
    """Each row has a key of its own, by which a reader knows it when it comes again."""
    first, again = Stream(), Stream()
    for stream in (first, again):
        emitter(stream, "random").emit(batch(("a", [b"1", b"1"]), ("a", b"1")))
    assert first.taken == again.taken
    assert [key for key, _ in first.taken] == [
        f"{SHARD}-10-0-0",
        f"{SHARD}-10-0-1",
        f"{SHARD}-11-0-0",
    ]


@pytest.mark.parametrize(
    ("row", "key"),
    [
        ('{"at": "JFK", "n": 1}', "JFK"),
        ('{"at": "\\u00e9\\n"}', "é\n"),
        ('{"at": 1.50}', "1.50"),
        ('{"at": -12345678901234567890123}', "-12345678901234567890123"),
        ('{"at": true}', "true"),
        ('{"at": "x", "at": "y"}', "y"),
        ('{"at": "' + "k" * 256 + '"}', "k" * 256),
    ],
)
def test_a_key_is_the_value_of_a_field(row, key):
    """A text counts as it is; a number, true and false as they are written."""
    stream = Stream()
    emitter(stream, "at").emit(batch(("a", row.encode())))
    assert stream.taken == [(key, row.encode())]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("{}", "no field at"),
        ('{"At": 1}', "no field at"),
        ('{"at": null}', "at is null, an object or an array"),
        ('{"at": {"x": 1}}', "at is null, an object or an array"),
        ('{"at": []}', "at is null, an object or an array"),
        ('{"at": ""}', "its partition key is empty; Kinesis takes 1 to 256"),
        ('{"at": "' + "k" * 257 + '"}', "its partition key is 257 characters; Kinesis takes 1"),
        ('{"at": "' + "😀" * 129 + '"}', "its partition key is 129 characters"),
        ('{"at": "\\ud800"}', "no partition key can be made of at"),
        ("[1]", "no partition key can be made of at"),
        ("at", "no partition key can be made of at"),
        ("[" * 100_000, "no partition key can be made of at"),
    ],
)
def test_a_row_without_a_key_is_refused(row, reason):
    """A record is refused, with the reason, if one of its rows can have no key; the rest goes."""
    stream = Stream()
    given = batch(("a", b'{"at": 1}'), ("a", [b'{"at": 2}', row.encode()]), ("a", b'{"at": 3}'))
    emitter(stream, "at").emit(given)
    ((sequence, said),) = refusals(given)
    assert sequence == 11
    assert reason in said
    assert [key for key, _ in stream.taken] == ["1", "3"]


def test_an_empty_key_is_not_kept():
    """A record that came without a partition key is refused where keys are kept."""
    given = batch(("", b"x"))
    emitter(Stream()).emit(given)
    assert refusals(given) == [(10, "its partition key is empty; Kinesis takes 1 to 256")]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("keep", "keep"),
        ("random", "random"),
        ("carrier", destination.Field("carrier")),
        ('"keep"', destination.Field("keep")),
        (r'"a \"b\" é"', destination.Field('a "b" é')),
    ],
)
def test_how_a_key_is_spelt(text, key):
    """A field that is called as one of the words is told from it by its quotes."""
    assert destination.PARTITION_KEY.parse(text) == key


@pytest.mark.parametrize("text", ['"', '"a', '"a" b'])
def test_a_quote_that_does_not_end(text):
    """What begins with a quote is one text, as in JSON."""
    with pytest.raises(ValueError, match="not one text in double quotes"):
        destination.PARTITION_KEY.parse(text)


# ---- the limits


def test_a_row_that_is_too_long_is_refused():
    """1 MiB with the key is taken, and a byte more is not; the stream is asked once."""
    stream = Stream()
    given = batch(("k", b"x" * (MIB - 1)), ("k", b"x" * MIB), ("é", b"x" * (MIB - 1)))
    emitter(stream).emit(given)
    assert [(sequence, reason.split(" with ")[0]) for sequence, reason in refusals(given)] == [
        (11, "a row of 1,048,577 bytes"),
        (12, "a row of 1,048,577 bytes"),
    ]
    assert [len(data) for _, data in stream.taken] == [MIB - 1]
    assert stream.asked == 1


def test_a_stream_may_take_longer_rows():
    """Where the stream allows up to 10 MiB, so do we, one call for each that fills it."""
    stream = Stream(limit=10240)
    given = batch(("k", b"x" * (10 * MIB - 1)), ("k", b"x"), ("k", b"x" * 10 * MIB))
    emitter(stream).emit(given)
    assert [sequence for sequence, _ in refusals(given)] == [12]
    assert [[len(data) for data in call] for call in stream.calls] == [[10 * MIB - 1], [1]]


def test_nobody_is_asked_for_what_is_short():
    """The permission to ask is used only by a pipeline that has long rows."""
    stream = Stream()
    emitter(stream).emit(batch(("k", b"x" * (MIB - 1))))
    assert stream.asked == 0


# ---- the order


def order_holds(taken):
    """Whether, of each key, each row's last time is after that of the row before it."""
    for key in {key for key, _ in taken}:
        rows = [int(data) for one, data in taken if one == key]
        last = {row: place for place, row in enumerate(rows)}
        if [last[row] for row in sorted(last)] != sorted(last.values()):
            return False
    return True


def test_what_came_after_a_refused_row_comes_after_it_again(waits):
    """A refused row takes along what followed it under its key, and nothing else."""
    stream = Stream({1}, {0})
    emitter(stream).emit(batch(("a", b"1"), ("a", b"2"), ("b", b"3"), ("a", b"4")))
    assert stream.calls == [[b"1", b"2", b"3", b"4"], [b"2", b"4"], [b"2", b"4"]]
    assert [data for key, data in stream.taken if key == "b"] == [b"3"]
    assert order_holds(stream.taken)


@given(
    st.lists(st.sampled_from("abc"), min_size=1, max_size=12),
    st.lists(st.sets(st.integers(0, 11)), max_size=4),
)
def test_each_key_has_its_order(keys, refused):
    """Whatever is refused, all rows arrive, and the last to be seen of a key is its last."""
    stream = Stream(*refused)
    one = emitter(stream, limit=9)
    one.retry.interval = 0
    given = batch(*((key, b"%d" % number) for number, key in enumerate(keys)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tenacity.nap.time", SimpleNamespace(sleep=lambda _: None))
        one.emit(given)
    assert {(key, int(data)) for key, data in stream.taken} == {
        (key, number) for number, key in enumerate(keys)
    }
    assert order_holds(stream.taken)


def test_rows_of_other_keys_do_not_come_again(waits):
    """Where each row has a key of its own, only what was refused is put again."""
    stream = Stream({1, 2}, {0})
    emitter(stream, "random").emit(batch(*[("a", b"%d" % n) for n in range(4)]))
    assert stream.calls == [[b"0", b"1", b"2", b"3"], [b"1", b"2"], [b"1"]]
    assert sorted(data for _, data in stream.taken) == [b"0", b"1", b"2", b"3"]


def test_the_next_call_waits_for_the_one_before(waits):
    """A call goes out when every row of the call before it is taken."""
    stream = Stream({499})
    emitter(stream).emit(batch(*[(f"{n}", b"%d" % n) for n in range(501)]))
    assert [len(call) for call in stream.calls] == [500, 1, 1]
    assert stream.calls[1:] == [[b"499"], [b"500"]]


def test_a_stream_that_takes_nothing_more_ends_the_life(waits):
    """A row that is refused as often as retryLimit says is an error, and no silent loss."""
    stream = Stream(*[{0}] * 3)
    with pytest.raises(Fatal, match="given up after 3 tries"):
        emitter(stream, limit=3).emit(batch(("a", b"1"), ("a", b"2")))


# ---- the whole


@pytest.fixture
def cloud(waits):
    with moto.mock_aws():
        s3, kinesis = boto3.client("s3"), boto3.client("kinesis")
        s3.create_bucket(Bucket="bucket")
        kinesis.create_stream(StreamName="manifests", ShardCount=4)
        yield SimpleNamespace(s3=s3, kinesis=kinesis)


def test_a_pipeline_of_real_parts(cloud, tmp_path):
    """Of a messy input, each record is on the stream, filtered out, or a letter; none is lost."""
    changes = {"connectorDestination": "kinesis", "kinesisPartitionKey": "id"}
    changes |= {"filter": "jmespath", "filterExpression": "keep != `false`"}
    pipeline = assemble(load(properties(tmp_path, changes)))
    pipeline.start(SHARD)
    words = ['{"id":1}', "no json", '{"keep":false}', '{"id":null}', '{"id":"é","t":"\\u0000"}']
    words += ['{"id":2,"t":"' + "x" * MIB + '"}', '{"id":[1]}', '{"id":3.0}']
    checkpoints = []
    pipeline.process([record(w, n) for n, w in enumerate(words, 10)], checkpoints.append)
    pipeline.flush(checkpoints.append)

    found = {}
    for shard in cloud.kinesis.list_shards(StreamName="manifests")["Shards"]:
        iterator = cloud.kinesis.get_shard_iterator(
            StreamName="manifests", ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        records = cloud.kinesis.get_records(ShardIterator=iterator)["Records"]
        found |= {one["PartitionKey"]: one["Data"].decode() for one in records}
    assert found == {"1": words[0], "é": words[4], "3.0": words[7]}
    letters = []
    for item in cloud.s3.list_objects_v2(Bucket="bucket")["Contents"]:
        body = cloud.s3.get_object(Bucket="bucket", Key=item["Key"])["Body"].read()
        letters += [json.loads(line)["position"] for line in body.splitlines()]
    assert sorted(letters) == ["11-0", "13-0", "15-0", "16-0"]
    assert checkpoints[-1] == Position(17)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"kinesisOutputStream": "events"}, "kinesisOutputStream is the stream that is read"),
        (
            {"kinesisPartitionKey": "at", "transformer": "text"},
            "kinesisPartitionKey = at is a field of JSON rows, which transformer = text does not",
        ),
        ({"kinesisPartitionKey": '"at'}, "not one text in double quotes"),
    ],
)
def test_what_may_not_be_set(changes, sentence, tmp_path):
    """A file that contradicts itself is refused with the key at fault."""
    path = properties(tmp_path, {"connectorDestination": "kinesis", **changes})
    with pytest.raises(Exception, match="kinesis") as refused:
        load(path)
    assert sentence in str(refused.value)


# ---- the test of the tests


def breaking(patch, broken):
    """Break a line of this destination, or of PutRecords, in this process."""
    owner, _, name = broken.symbol.rpartition(".")
    module = calls if owner == "calls" else destination
    place = module if owner in {"", "calls"} else getattr(module, owner)
    source = textwrap.dedent(inspect.getsource(getattr(place, name)))
    found = {}
    exec(
        "from __future__ import annotations\n" + broken_source(source, broken),
        vars(module),
        found,
    )
    patch.setattr(place, name, found[name])


LINES = [
    Broken(
        "the refused row alone again",
        "calls._again",
        "if record.key in refused:",
        "if code:",
        test_what_came_after_a_refused_row_comes_after_it_again,
    ),
    Broken(
        "what is refused is taken for done",
        "calls._again",
        "if code:",
        "if code and place:",
        test_what_came_after_a_refused_row_comes_after_it_again,
    ),
    Broken(
        "the whole call again",
        "calls._again",
        "if record.key in refused:",
        "if refused:",
        test_rows_of_other_keys_do_not_come_again,
    ),
    Broken(
        "one key of chance for all rows of a record",
        "key_of_place",
        "-{number}",
        "",
        lambda _: test_a_key_of_chance_is_the_same_again(),
    ),
    Broken(
        "a record without its bad row",
        "KinesisEmitter.emit",
        "outgoing += self.outgoing(kept)",
        "for row in kept.rows:\n    outgoing += self.outgoing(Kept(kept.record, [row]))",
        lambda _: test_a_row_without_a_key_is_refused("{}", "no field at"),
    ),
    Broken(
        "a refused record is no letter",
        "KinesisEmitter.emit",
        "batch.reject(kept.record, str(error))",
        "pass",
        lambda _: test_an_empty_key_is_not_kept(),
    ),
    Broken(
        "the key is no part of the length",
        "KinesisEmitter._insist_on_fit",
        "if one.size > BYTES_A_RECORD and one.size > self.longest:",
        "if len(one.data) > self.longest:",
        lambda _: test_a_row_that_is_too_long_is_refused(),
    ),
]


@pytest.mark.parametrize("broken", LINES, ids=lambda broken: broken.name)
def test_a_broken_line_is_noticed(broken, monkeypatch, waits):
    """A test that holds of the destination fails when this line of it is broken."""
    breaking(monkeypatch, broken)
    with pytest.raises(AssertionError):
        broken.scenario(waits)
