"""`replay`: files once more on their stream, or on another, in the order of each shard."""

import json

import boto3
import pytest

from record_processors.commands.main import main
from record_processors.kcl.assembly import assemble
from record_processors.kcl.leases import TRIM_HORIZON
from record_processors.local.demo.pipelines import write_pipeline
from record_processors.ops.records_again import unpacked
from support.lives import Lives


@pytest.fixture(scope="module")
def lives(stack, tmp_path_factory):
    """Make two stages, whose files are loaded."""
    world = Lives(
        stack,
        tmp_path_factory.mktemp("replay"),
        "replay",
        {"kinesisInputStreamShardCount": "2", "bufferRecordCountLimit": "2"},
    )
    world.work(range(1, 13))
    world.kinesis.create_stream(StreamName="elsewhere", ShardCount=1)
    yield world
    world.close()


def messages(lives, stream):
    """Return what was announced on a stream of one shard."""
    iterator = lives.kinesis.get_shard_iterator(
        StreamName=stream, ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    found = lives.kinesis.get_records(ShardIterator=iterator)["Records"]
    return [json.loads(one["Data"]) for one in found]


def test_files_of_all_hours_are_announced_again_and_loaded_once(lives, capsys):
    """Each shard's files come in their order, and the ledger keeps what is loaded once."""
    stream = lives.two.texts["streamName"]
    before = messages(lives, stream)
    assert main(["replay", lives.one.path, "--from", "2013-01-01"]) == 0

    again = messages(lives, stream)[len(before) :]
    assert "replay" in capsys.readouterr().err
    for shard in {one["shard"] for one in before}:
        first, second = ([one for one in part if one["shard"] == shard] for part in (before, again))
        assert [one["key"] for one in first] == [one["key"] for one in second]
        assert [one["last"] for one in first] == [one["last"] for one in second]
    lives.live("two")
    assert lives.ids() == list(range(1, 13))


def test_files_are_announced_to_another_pipeline(lives):
    """With a stream, its messages are there, and none where the pipeline announces."""
    before = messages(lives, lives.two.texts["streamName"])
    url = f"s3://{lives.bucket}/{lives.files()[0]}"
    assert main(["replay", lives.one.path, "--file", url, "--stream", "elsewhere"]) == 0

    (message,) = messages(lives, "elsewhere")
    assert (message["key"], message["rows"]) == (lives.files()[0], 2)
    assert messages(lives, lives.two.texts["streamName"]) == before


def test_a_dry_run_announces_nothing(lives, capsys):
    """It says how many files there are."""
    before = messages(lives, lives.two.texts["streamName"])
    assert main(["replay", lives.one.path, "--to", "2999-01-01", "--dry-run"]) == 0

    assert capsys.readouterr().out == f"{len(lives.files())} files would be delivered again\n"
    assert messages(lives, lives.two.texts["streamName"]) == before


def test_records_that_the_stream_does_not_hold_are_not_guessed(lives, capsys):
    """Where the record before is gone, nobody knows what came after it: nothing is written."""
    words = ["--shard", "shardId-000000000000", "--after", "1-0", "--through", "2-0"]
    assert main(["replay", lives.one.path, *words]) == 70
    assert "does not hold 1-0 of shardId-000000000000 any more" in capsys.readouterr().err


def test_of_several_destinations_only_the_chain_gets_records_again(stack, tmp_path):
    """A file that is gone is made again as it was, and another stream has each row once."""
    kinesis, s3 = boto3.client("kinesis"), boto3.client("s3")
    name, shard = "replayed-to-several", "shardId-000000000000"
    s3.create_bucket(Bucket=name)
    for stream in (name, f"{name}-rows"):
        kinesis.create_stream(StreamName=stream, ShardCount=1)
    names = {"applicationName": name, "streamName": name, "s3Bucket": name}
    changes = {"connectorDestination": "kinesis, s3", "kinesisOutputStream": f"{name}-rows"}
    settings = write_pipeline("kinesis", tmp_path, {**names, **changes}, stack.properties)

    def on(stream):
        where = {"StreamName": stream, "ShardId": shard, "ShardIteratorType": TRIM_HORIZON}
        iterator = kinesis.get_shard_iterator(**where)["ShardIterator"]
        return kinesis.get_records(ShardIterator=iterator)["Records"]

    for number in (1, 2):
        kinesis.put_record(StreamName=name, PartitionKey="k", Data=b'{"id": %d}' % number)
    life = assemble(settings)
    life.start(shard)
    last = [record for raw in on(name) for record in unpacked(raw)]
    life.process(last, lambda _: None)
    life.flush(lambda _: None)
    life.close()
    (key,) = (one["Key"] for one in s3.list_objects_v2(Bucket=name)["Contents"])
    s3.delete_object(Bucket=name, Key=key)

    through = str(last[-1].position)
    words = ["--shard", shard, "--after", TRIM_HORIZON, "--through", through]
    assert main(["replay", settings.path, *words]) == 0
    assert s3.head_object(Bucket=name, Key=key)["Metadata"]["last-position"] == through
    assert [json.loads(one["Data"])["id"] for one in on(f"{name}-rows")] == [1, 2]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "say what to replay in one way"),
        (["--from", "2013-01-01", "--file", "s3://b/k"], "say what to replay in one way"),
        (["--shard", "shardId-0"], "belong together"),
        (["--from", "yesterday"], "yesterday is not a day or an hour"),
        (["--from", "2013-02-30"], "is no day or hour of the calendar"),
        (["--from", "2013-01-02", "--to", "2013-01-01"], "is not after"),
    ],
)
def test_what_is_not_clear_is_refused(lives, capsys, words, said):
    """A clear sentence, and 2."""
    assert main(["replay", lives.one.path, *words]) == 2
    assert said in capsys.readouterr().err


def test_a_pipeline_without_files_has_none_to_replay(lives, capsys):
    """Stage two writes no chain."""
    assert main(["replay", lives.two.path, "--from", "2013-01-01"]) == 2
    assert "this pipeline writes no files" in capsys.readouterr().err


def test_files_that_do_not_go_together_are_refused(lives, capsys):
    """An audit of a table without its files is none."""
    assert main(["audit", lives.two.path]) == 2
    assert "give the file of its first stage too" in capsys.readouterr().err


def test_an_audit_in_words(lives, capsys, tmp_path):
    """A person reads it in 80 columns; the picture has a row for each shard."""
    picture = tmp_path / "audit.html"
    words = ["audit", lives.one.path, lives.two.path, "--html", str(picture)]
    assert main(words) == 0

    told = capsys.readouterr().out.splitlines()
    assert told[-1] == "nothing is missing"
    assert all(len(line) <= 80 for line in told)
    page = picture.read_text()
    assert page.count('<text x="0"') == 2
    assert page.count('class="s1"') == len(lives.files())
    assert "src=" not in page
    assert "href=" not in page


def test_a_picture_that_cannot_be_written(lives, capsys, tmp_path):
    """A clear sentence, and 2."""
    where = str(tmp_path / "nowhere" / "audit.html")
    assert main(["audit", lives.one.path, "--html", where]) == 2
    assert "No such file or directory" in capsys.readouterr().err
