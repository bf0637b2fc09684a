"""Lines of files become records, each once, within the limits of PutRecords."""

import itertools

import boto3
import moto
import pytest
from hypothesis import given
from hypothesis import strategies as st

from record_processors import Fatal, Retry
from record_processors.aws.put_records import OutgoingRecord, batches
from record_processors.commands import main as cli
from record_processors.commands.put import put_lines

MIB = 1024 * 1024


class Kinesis:
    """Refuses entries as told; a success otherwise. An answer per call, in turn."""

    def __init__(self, *refusals):
        self.refusals = list(refusals)
        self.calls = []

    def put_records(self, StreamName, Records):  # noqa: N803 - boto3's names
        data = [each["Data"] for each in Records]
        self.calls.append(data)
        refused = self.refusals.pop(0) if self.refusals else set()
        results = [
            {"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "slow"}
            if each in refused
            else {"SequenceNumber": "1", "ShardId": "shardId-000000000000"}
            for each in data
        ]
        failed = sum("ErrorCode" in result for result in results)
        return {"FailedRecordCount": failed, "Records": results}


sizes = st.one_of(st.integers(1, 300), st.integers(MIB - 2000, MIB - 10))


@given(st.lists(sizes, max_size=30), st.integers(0, 1200))
def test_batches_keep_the_limits(some, small):
    """No batch has over 500 records or 10 MiB with keys; the entries are all there, in order."""
    pool = bytes(MIB)
    entries = [OutgoingRecord(memoryview(pool)[:size], f"{n}") for n, size in enumerate(some)]
    entries += [OutgoingRecord(b"x", "é" * 3)] * small
    cut = list(batches(entries))
    assert [entry for batch in cut for entry in batch] == entries
    for batch in cut:
        assert 1 <= len(batch) <= 500
        assert sum(len(entry.data) + len(entry.key.encode()) for entry in batch) <= 10 * MIB
    for one, following in itertools.pairwise(cut):
        assert len(one) == 500 or sum(e.size for e in one) + following[0].size > 10 * MIB


def test_batch_sizes():
    """1,200 small records go in calls of 500, 500 and 200."""
    assert [len(batch) for batch in batches([OutgoingRecord(b"x", "k")] * 1200)] == [500, 500, 200]


def put(kinesis, lines, limit=5):
    shown = []
    return put_lines(kinesis, "events", lines, Retry(limit, 1), shown.append), shown


def test_only_the_refused_go_again(waits):
    """What PutRecords refuses with HTTP 200 is put again, and only that."""
    kinesis = Kinesis({b"b", b"d"}, {b"d"})
    summary, shown = put(kinesis, [b"a\n", b"b\n", b"c\n", b"d\n"])
    assert kinesis.calls == [[b"a", b"b", b"c", b"d"], [b"b", b"d"], [b"d"]]
    assert (summary, shown) == ((4, 0, 0), [4])
    assert len(waits) == 2


def test_gives_up_when_all_is_refused(waits):
    """Records that stay refused end the command with a sentence, not with a silent loss."""
    kinesis = Kinesis(*[{b"a", b"b"}] * 9)
    with pytest.raises(Fatal, match="2 of 2 refused with ProvisionedThroughputExceeded"):
        put(kinesis, [b"a", b"b"], limit=3)
    assert len(kinesis.calls) == 3


def test_gives_up_when_nothing_moves_any_more(waits):
    """What was taken before does not count among the tries in vain."""
    kinesis = Kinesis(*[{b"a"}] * 9)
    with pytest.raises(Fatal, match="1 of 2 refused with ProvisionedThroughputExceeded"):
        put(kinesis, [b"a", b"b"], limit=3)
    assert kinesis.calls == [[b"a", b"b"], [b"a"], [b"a"], [b"a"]]


def test_lines():
    """Line ends are taken off, empty lines counted and left out, all other bytes kept."""
    kinesis = Kinesis()
    summary, _ = put(kinesis, [b"one\r\n", b"\n", b" two \n", b"\r\n", b"\xff\x00\n", b"last"])
    assert kinesis.calls == [[b"one", b" two ", b"\xff\x00", b"last"]]
    assert summary == (4, 2, 0)


def test_one_line_end_is_taken_off():
    """Only the line end goes: a carriage return before it is the line's own."""
    kinesis = Kinesis()
    put(kinesis, [b"one\r\r\n", b"two\r"])
    assert kinesis.calls == [[b"one\r", b"two\r"]]


def test_too_long_lines(caplog):
    """A line over 1 MiB with its key is left out, counted, and named by its number."""
    kinesis = Kinesis()
    summary, _ = put(kinesis, [b"x" * (MIB - 1), b"x" * MIB, b"y"])
    assert [len(data) for data in kinesis.calls[0]] == [MIB - 1, 1]
    assert summary == (2, 0, 1)
    assert "line 2 is left out" in caplog.text


def found_in(kinesis):
    """Return of each shard of the stream what is in it: data and keys."""
    found = []
    for shard in kinesis.list_shards(StreamName="events")["Shards"]:
        iterator = kinesis.get_shard_iterator(
            StreamName="events", ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        records = kinesis.get_records(ShardIterator=iterator)["Records"]
        found.append([(record["Data"], record["PartitionKey"]) for record in records])
    return found


def test_keys_spread_the_records():
    """Records get different partition keys, so that they go to all shards."""
    with moto.mock_aws():
        kinesis = boto3.client("kinesis")
        kinesis.create_stream(StreamName="events", ShardCount=4)
        put(kinesis, [b"%d\n" % number for number in range(200)])
        found = found_in(kinesis)
    assert all(len(part) > 20 for part in found)
    assert sorted(int(data) for part in found for data, _ in part) == list(range(200))


@moto.mock_aws
def test_command(tmp_path, capsys):
    """`put` reads several files one after the other, and says what it left out."""
    boto3.client("kinesis").create_stream(StreamName="events", ShardCount=1)
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"a\n\nb")
    two.write_bytes(b"c\n")
    assert cli.main(["put", "events", str(one), str(two)]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "3 records" in captured.err
    assert "empty lines left out: 1" in captured.err


@moto.mock_aws
def test_command_with_a_partition_key(tmp_path, capsys):
    """With a key all lines are under it, and so in order with what a producer put under it."""
    kinesis = boto3.client("kinesis")
    kinesis.create_stream(StreamName="events", ShardCount=4)
    path = tmp_path / "lines"
    path.write_bytes(b"a\nb\n")
    assert cli.main(["put", "events", str(path), "--partition-key", "id 7"]) == 0
    assert sorted(found_in(kinesis)) == [[], [], [], [(b"a", "id 7"), (b"b", "id 7")]]

    with pytest.raises(SystemExit) as refused:
        cli.main(["put", "events", str(path), "--partition-key", ""])
    assert refused.value.code == 2
    assert "a partition key has 1 to 256 characters" in capsys.readouterr().err


@moto.mock_aws
def test_command_says_that_a_line_was_too_long(tmp_path):
    """`put` puts the others, and exits with 1 if a line was too long."""
    boto3.client("kinesis").create_stream(StreamName="events", ShardCount=1)
    path = tmp_path / "lines"
    path.write_bytes(b"x" * 2 * MIB + b"\na\n")
    assert cli.main(["put", "events", str(path)]) == 1


@moto.mock_aws
def test_command_fails_with_a_sentence(tmp_path, capsys):
    """A file or a stream that is not there is exit code 2 and a sentence."""
    assert cli.main(["put", "events", str(tmp_path / "none")]) == 2
    assert "none" in capsys.readouterr().err
    (tmp_path / "one").write_text("a\n")
    assert cli.main(["put", "nostream", str(tmp_path / "one")]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("kinesis-connectors: there is no stream nostream at https://kinesis.")
    assert "AWS_REGION" in error


@moto.mock_aws
@pytest.mark.parametrize(("name", "mark"), [("UTF-8", b"\xef\xbb\xbf"), ("none", b"")])
def test_a_byte_order_mark_is_none_of_a_record(name, mark, tmp_path):
    """What some editors put before a text does not reach the stream, of whichever file."""
    kinesis = boto3.client("kinesis")
    kinesis.create_stream(StreamName="events", ShardCount=1)
    paths = [tmp_path / "one", tmp_path / "two"]
    for path in paths:
        path.write_bytes(mark + b'{"a": 1}\n\xef\xbb\xbf\n')
    assert cli.main(["put", "events", *map(str, paths)]) == 0
    iterator = kinesis.get_shard_iterator(
        StreamName="events", ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    records = kinesis.get_records(ShardIterator=iterator)["Records"]
    assert [one["Data"] for one in records] == [b'{"a": 1}', b"\xef\xbb\xbf"] * 2


@moto.mock_aws
def test_utf_16_is_refused(tmp_path, capsys):
    """A file whose lines are no lines of bytes is named, and nothing of it is put."""
    boto3.client("kinesis").create_stream(StreamName="events", ShardCount=1)
    path = tmp_path / "one"
    path.write_bytes('{"a": 1}\n'.encode("utf-16"))
    assert cli.main(["put", "events", str(path)]) == 2
    assert "one: it is UTF-16; save it as UTF-8" in capsys.readouterr().err


@moto.mock_aws
@pytest.mark.parametrize("bad", ["none", "."])
def test_command_reads_no_file_if_one_cannot_be_read(tmp_path, capsys, bad):
    """A file that cannot be read is found before the records of the others are put."""
    kinesis = boto3.client("kinesis")
    kinesis.create_stream(StreamName="events", ShardCount=1)
    (tmp_path / "one").write_text("a\n")
    assert cli.main(["put", "events", str(tmp_path / "one"), str(tmp_path / bad)]) == 2
    assert "records" not in capsys.readouterr().err
    (shard,) = kinesis.list_shards(StreamName="events")["Shards"]
    iterator = kinesis.get_shard_iterator(
        StreamName="events", ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    assert not kinesis.get_records(ShardIterator=iterator)["Records"]


def test_command_says_what_was_put_before_it_failed(tmp_path, capsys, monkeypatch, waits):
    """Records of the calls before the one that failed are there; how many, the sentence says."""
    kinesis = Kinesis(set(), *[{b"x"}] * 20)
    monkeypatch.setattr("record_processors.aws.clients.client", lambda *_: kinesis)
    (tmp_path / "one").write_bytes(b"a\n" * 500 + b"x\n")
    assert cli.main(["put", "events", str(tmp_path / "one")]) == 70
    assert "put before: 500 records" in capsys.readouterr().err


def test_command_that_is_interrupted_says_how_far_it_came(tmp_path, capsys, monkeypatch):
    """After Ctrl-C the last line of the progress tells what is on the stream."""

    class Interrupted(Kinesis):
        def put_records(self, **arguments):
            if self.calls:
                raise KeyboardInterrupt
            return super().put_records(**arguments)

    monkeypatch.setattr("record_processors.aws.clients.client", lambda *_: Interrupted())
    (tmp_path / "one").write_bytes(b"a\n" * 501)
    assert cli.main(["put", "events", str(tmp_path / "one")]) == 130
    assert "500 records" in capsys.readouterr().err
