"""Letters of records are put back, each once: whenever it is killed, and however many do it."""

import json
from collections import Counter
from contextlib import suppress
from random import Random

import pytest

from record_processors import Fatal
from record_processors.commands import main as cli
from support.fakes import SHARD, properties
from support.letters import HALF, MENDED, Killed, live, redrive

ODD_ONES = [f"word {number}" for number in range(1, 10)]


def test_a_mended_transformer_takes_what_was_refused(cloud, pipeline):
    """The rows are in one file of a chain of its own, announced, and the letters are marked."""
    live(pipeline(), "one", "two", "|", "three")
    summary = redrive(pipeline(transformer=MENDED))

    assert (summary.kept, summary.all_refused) == (3, 0)
    assert cloud.texts() == Counter(["one", "two", "three"])
    (message,) = cloud.announced()
    assert message["application"] == "flights/redriven/0000001"
    assert message["key"].startswith("flights/redriven/0000001/1970/01/01/00/")
    assert (message["stream"], message["shard"]) == ("events", SHARD)
    assert (message["first"], message["last"], message["rows"]) == ("1-1", "3-1", 3)
    assert cloud.letters() == {}
    assert len(cloud.marks()) == 2


def test_what_is_put_back_is_put_back_once(cloud, pipeline):
    """A second time, there is nothing to do."""
    live(pipeline(), "one", "two")
    redrive(pipeline(transformer=MENDED))
    before = cloud.objects()
    summary = redrive(pipeline(transformer=MENDED))

    assert (summary.kept, summary.rest.files_before) == (0, 1)
    assert cloud.objects() == before
    assert len(cloud.announced()) == 1


def test_a_letter_stays_as_it_is_while_nothing_has_changed(cloud, pipeline):
    """What is refused for the same reason is no new letter, however often it is tried."""
    live(pipeline(), "one", "two")
    before = cloud.objects()
    summary = redrive(pipeline())

    assert (summary.kept, summary.refused, summary.all_refused) == (0, 0, 2)
    assert cloud.objects() == before


def test_what_fails_again_is_a_letter_that_knows_its_first(cloud, pipeline):
    """It has its old position and bytes, the new reason, and the place of its first letter."""
    live(pipeline(), "one", "two")
    (first,) = cloud.objects("errors/")
    summary = redrive(pipeline(transformer=HALF))

    assert (summary.kept, summary.refused) == (1, 1)
    assert cloud.texts() == Counter(["two"])
    (letter,) = cloud.letters().values()
    assert letter["reason"] == "an odd one"
    assert (letter["position"], letter["shard"], letter["data"]) == ("1-1", SHARD, "b25l")
    assert letter["first"] == f"s3://bucket/{first}"

    assert redrive(pipeline(transformer=MENDED)).kept == 1
    assert cloud.texts() == Counter(["one", "two"])
    assert cloud.letters() == {}
    assert {one["application"] for one in cloud.announced()} == {
        "flights/redriven/0000001",
        "flights/redriven/0000002",
    }


def test_what_is_filtered_out_now_is_put_back_too(cloud, pipeline):
    """No row of it is wanted any more: it is marked, and there is no file."""
    live(pipeline(), "nothing", "two")
    summary = redrive(pipeline(transformer=MENDED))

    assert (summary.kept, summary.filtered) == (1, 1)
    assert cloud.texts() == Counter(["two"])
    assert cloud.letters() == {}


def test_letters_that_lives_have_cut_differently_are_put_back_once(cloud, pipeline):
    """A record that is in several files of letters has its rows once."""
    live(pipeline(), *ODD_ONES[:6])
    live(pipeline(), *ODD_ONES[2:4], "|", *ODD_ONES[4:], start=3)
    live(pipeline(), *ODD_ONES[:2], "|", ODD_ONES[2])
    summary = redrive(pipeline(transformer=MENDED))

    assert cloud.texts() == Counter(ODD_ONES)
    assert (summary.kept, summary.doubles) == (9, 7)
    live(pipeline(), *ODD_ONES[1:], start=2)  # by a life that was paused meanwhile
    assert redrive(pipeline(transformer=MENDED)).doubles == 8
    assert cloud.texts() == Counter(ODD_ONES)


def pytest_generate_tests(metafunc):
    """Kill ten times for each seed: a hundred times, or as often as ``--kills`` says."""
    if "seed" in metafunc.fixturenames:
        kills = metafunc.config.getoption("--kills")
        metafunc.parametrize("seed", range(max(10, kills // 10)))


def test_however_often_it_is_killed_each_letter_is_put_back_once(memory, pipeline, seed):
    """Killed before or after any write, ten times over, rows are there once, and letters too."""
    chance = Random(seed)
    words = [chance.choice(["word", "hopeless", "nothing"]) + f" {n}" for n in range(1, 13)]
    live(pipeline(), *words[:5], "|", *words[5:])
    live(pipeline(), *words[3:7], "|", *words[7:], start=4)
    live(pipeline(), "elsewhere", shard="shardId-000000000001", start=50)
    settings = pipeline(transformer=MENDED, bufferRecordCountLimit="4")
    killed = 0
    for _ in range(10):
        memory.strike_at(chance.randrange(1, 30))
        with suppress(Killed):
            redrive(settings)
            continue
        killed += 1
        memory.strike_at(0)
        live(pipeline(), *words[7:], start=8)  # letters come while all goes on
    memory.strike_at(0)
    redrive(settings)

    assert killed
    kept = [word for word in words if word.startswith("word")]
    assert memory.texts() == Counter([*kept, "elsewhere"])
    hopeless = {f"{n}-1" for n, word in enumerate(words, 1) if word.startswith("hopeless")}
    assert set(memory.letters()) == hopeless
    assert {one["key"] for one in memory.announced()} == set(memory.files())


@pytest.mark.parametrize("reason", ["", "array"])
@pytest.mark.parametrize("at", range(1, 27, 2))
def test_two_at_once_put_each_letter_back_once(memory, pipeline, at, reason):
    """At any step of one, another may begin and end, which wants all or other letters."""
    words = [*ODD_ONES[:8], "[9]"]
    live(pipeline(), *words[:5], "|", *words[5:])
    live(pipeline(), *words[3:], start=4)
    settings = pipeline(transformer=MENDED, bufferRecordCountLimit="4")
    steps = 0

    def another():
        nonlocal steps
        steps += 1
        if steps == at:
            redrive(settings, reason=reason)

    memory.aws.strike = another
    redrive(settings)

    assert steps >= at
    assert memory.texts() == Counter(words)
    assert memory.letters() == {}


@pytest.mark.parametrize("moment", range(1, 12))
def test_mended_once_more_while_a_batch_is_unfinished(memory, pipeline, moment):
    """What a batch has begun it ends, whatever the transformer is by then: no row is doubled."""
    live(pipeline(), *ODD_ONES)
    memory.strike_at(moment)
    with suppress(Killed):
        redrive(pipeline(transformer=HALF))
    memory.strike_at(0)
    redrive(pipeline(transformer=MENDED))
    redrive(pipeline(transformer=MENDED))

    assert memory.texts() == Counter(ODD_ONES)
    assert memory.letters() == {}


def test_a_worse_transformer_does_not_end_a_batch(memory, pipeline):
    """What was to be kept and cannot be any more is a clear sentence, and nothing is lost."""
    live(pipeline(), *ODD_ONES)
    memory.strike_at(3)  # the batch is written, its file is not
    with pytest.raises(Killed):
        redrive(pipeline(transformer=MENDED))
    memory.strike_at(0)
    with pytest.raises(Fatal, match=r"1-1 of shardId-000000000000 was to be kept .*an odd one"):
        redrive(pipeline(transformer=HALF))
    redrive(pipeline(transformer=MENDED))
    assert memory.texts() == Counter(ODD_ONES)


def test_only_what_is_wanted_goes_and_what_lies_with_it(cloud, pipeline, tmp_path, capsys):
    """A file of letters goes as a whole if one of its letters is meant; others stay."""
    live(pipeline(), "[1]", "|", "two", "[3]")
    path = properties(tmp_path, {"transformer": MENDED})
    assert cli.main(["redrive", path, "--reason", "truncated", "--stage", "transform"]) == 0
    out = capsys.readouterr().out
    assert "2  put back" in out
    assert "1  of these were not meant" in out
    assert cloud.texts() == Counter(["two", "[3]"])
    assert list(cloud.letters()) == ["1-1"]
    assert cli.main(["redrive", path, "--since", "2099-01-01"]) == 0
    assert list(cloud.letters()) == ["1-1"]


def test_a_dry_run_tells_and_does_nothing(cloud, pipeline, tmp_path, capsys):
    """It says of each letter what would become of it; the exit code is that of the real one."""
    live(pipeline(), "one", "hopeless", "nothing")
    before = cloud.objects()
    path = properties(tmp_path, {"transformer": MENDED})
    assert cli.main(["redrive", path, "--dry-run"]) == 1
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[:4] == [
        "1 would be put back",
        "1 would be filtered out",
        "1 would be refused again, and letters again",
        "1 transform: hopeless",
    ]
    assert cloud.objects() == before
    assert cloud.announced() == []


def test_what_one_of_several_has_refused_goes_to_that_one(cloud, pipeline, tmp_path):
    """The others have the record: a row of it more would be a double."""
    several = {"connectorDestination": "support.menders:Picky, s3", "kinesisOutputStream": None}
    live(pipeline(**several), '{"text": "a"}', '{"text": "picky"}', '{"text": "b"}')
    assert cloud.texts() == Counter(["a", "picky", "b"])
    (letter,) = cloud.letters().values()
    assert letter["reason"] == "support.menders:Picky: I am"

    from support.menders import Picky

    Picky.has, Picky.refuses = [], b"none"
    try:
        summary = redrive(pipeline(**several))
        assert summary.kept == 1
        assert [b"picky" in row for row in Picky.has] == [True]
    finally:
        Picky.has, Picky.refuses = [], b"picky"
    assert cloud.texts() == Counter(["a", "picky", "b"])
    assert cloud.letters() == {}


def test_an_item_without_a_guard_is_not_put_back(pipeline, tmp_path, capsys):
    """An old record would take the place of a newer item: that is refused, with the setting."""
    changes = {
        "connectorDestination": "dynamodb",
        "kinesisOutputStream": None,
        "dynamoDBDataTableName": "flights",
        "dynamoDBPositionAttribute": "none",
    }
    assert cli.main(["redrive", properties(tmp_path, changes)]) == 2
    assert "dynamoDBPositionAttribute = none: an old record" in capsys.readouterr().err


def test_letters_are_listed_by_reason_and_shown(cloud, pipeline, tmp_path, capsys):
    """Those that are put back are counted apart; one is shown with its data as text."""
    live(pipeline(), "one", "two\x1b[2J", "|", "[1]")
    live(pipeline(), "two\x1b[2J", start=2)
    path = properties(tmp_path, {})
    assert cli.main(["letters", path, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["application"], told["open"], told["redriven"]) == ("flights", 3, 0)
    assert [(one["stage"], one["open"]) for one in told["groups"]] == [
        ("transform", 2),
        ("transform", 1),
    ]
    redrive(pipeline(transformer=MENDED), reason="malformed")
    assert cli.main(["letters", path]) == 0
    out = capsys.readouterr().out
    assert out.startswith("flights: 1 dead letter, and 2 redriven\n\ntransform: 1 open, 2")
    assert "not one JSON object" in out
    assert all(len(line) <= 80 or "s3://" in line for line in out.splitlines())

    assert cli.main(["letters", path, "--show", "2-1"]) == 0
    shown = capsys.readouterr().out
    assert "two\\x1b[2J" in shown
    assert "\x1b" not in shown
    assert "redriven       yes" in shown
    assert cli.main(["letters", path, "--show", "77-1"]) == 1
    capsys.readouterr()
    assert cli.main(["letters", path, "--show", "--reason", "malformed", "--json"]) == 0
    malformed = json.loads(capsys.readouterr().out)
    assert [one["data"] for one in malformed] == ["one", "two\\x1b[2J"]
    assert cli.main(["letters", path, "--show", "--reason", "of no letter"]) == 1


def test_what_is_no_letter_is_named(cloud, pipeline, tmp_path, capsys):
    """A strange object among the letters is a sentence with its address."""
    cloud.s3.put_object(Bucket="bucket", Key="errors/flights/notes.jsonl", Body=b"buy milk")
    assert cli.main(["letters", properties(tmp_path, {})]) == 70
    assert "s3://bucket/errors/flights/notes.jsonl is no file of dead" in capsys.readouterr().err
