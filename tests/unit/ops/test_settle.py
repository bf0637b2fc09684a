"""Letters that are never to be put back are settled: open for nobody, and listed with why."""

import itertools
import json
from contextlib import suppress

import botocore.exceptions
import pytest

from record_processors.commands import main as cli
from record_processors.ops.batches import Wanted
from record_processors.ops.letter_files import Settled
from record_processors.ops.settle import Settle
from support.fakes import STAGE_ONE, properties
from support.letters import HALF, MENDED, Killed, live, redrive
from support.lives import Lives

NO_BAD_ROWS = {"redshiftMaxBadRows": "0"}
WHY = "mended by hand, and put again"


def settle(settings, which="", **wanted):
    decision = Settled(why=WHY, by="me@here")
    return Settle(settings, Wanted(**wanted), which, decision, dry=False).run()


def letters_command(path, *words):
    return cli.main(["letters", path, *words])


def listing(path, capsys):
    assert letters_command(path, "--json") == 0
    return json.loads(capsys.readouterr().out)


def test_a_settled_letter_is_listed_with_its_why_and_not_put_back(
    cloud, pipeline, tmp_path, capsys
):
    """It is marked, counted as settled, shown with why, by whom and when; redrive lets it be."""
    live(pipeline(), "one", "once", "|", "[3]")
    path = properties(tmp_path, {"transformer": MENDED})
    assert letters_command(path, "--settle", "--reason", "malformed", "--why", WHY) == 0
    assert capsys.readouterr().out == "        2  settled\n"

    told = listing(path, capsys)
    assert (told["open"], told["redriven"], told["settled"]) == (1, 0, 2)
    assert [one["settled"] for one in told["groups"]] == [None, WHY]
    assert letters_command(path) == 0
    out = capsys.readouterr().out
    assert out.startswith("flights: 1 dead letter, and 2 settled\n")
    assert f"\n  settled: {WHY}\n" in out
    assert letters_command(path, "--show", "1-1") == 0
    shown = capsys.readouterr().out
    assert f"settled        {WHY}\nsettled by     " in shown
    assert "redriven       no" in shown

    assert redrive(pipeline(transformer=MENDED)).kept == 1
    assert set(cloud.texts()) == {"[3]"}
    assert {"1-1", "2-1"}.isdisjoint(cloud.letters())


def test_settled_twice_is_settled_once(cloud, pipeline):
    """A second time there is nothing to do, and nothing is written."""
    live(pipeline(), "one")
    assert settle(pipeline()).settled == 1
    before = cloud.objects()
    again = settle(pipeline())

    assert (again.settled, again.before) == (0, 1)
    assert cloud.objects() == before


def test_what_is_not_there_is_not_settled(cloud, pipeline, tmp_path, capsys):
    """Neither a position that no letter has, even among those of a file, nor a file, mistyped."""
    live(pipeline(), "one", "[2]", "three")
    path = properties(tmp_path, {})
    for _ in range(2):
        for which in ("9-1", "2-2", "s3://bucket/errors/flights/one.jsonl"):
            assert letters_command(path, "--settle", which, "--why", WHY) == 1
            told = capsys.readouterr()
            assert (told.out, told.err) == (
                "",
                f"kinesis-connectors: {which}: no letter is there\n",
            )
        assert letters_command(path, "--settle", "--all", "--why", WHY) == 0
        capsys.readouterr()
    assert letters_command(path, "--settle", "1-1", "--why", WHY) == 0


def test_a_dry_run_settles_nothing(cloud, pipeline, tmp_path, capsys):
    """It says how many it would settle."""
    live(pipeline(), "one", "two")
    before = cloud.objects()
    path = properties(tmp_path, {})
    assert letters_command(path, "--settle", "--all", "--why", WHY, "--dry-run") == 0
    assert capsys.readouterr().out == "        2  would be settled\n"
    assert cloud.objects() == before


def test_a_letter_among_others_is_settled_with_its_file_or_not_at_all(
    cloud, pipeline, tmp_path, capsys
):
    """A mark is of a file: what was not meant must not be given up, unless the file is named."""
    live(pipeline(), "one", "[2]", "|", "three")
    path = properties(tmp_path, {})
    assert letters_command(path, "--settle", "1-1", "--why", WHY) == 1
    out = capsys.readouterr().out
    assert "0  settled" in out
    assert "1 letter more: name the file, to settle all of it" in out
    assert len(cloud.letters()) == 3

    url = out.split()[-1]
    assert letters_command(path, "--settle", url, "--why", WHY) == 0
    assert list(cloud.letters()) == ["3-1"]
    assert letters_command(path, "--settle", "3-1", "--why", WHY) == 0
    assert cloud.letters() == {}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--settle", "--why", WHY], "--settle needs what it settles"),
        (["--settle", "--all"], "--settle needs --why"),
        (["--settle", "--all", "--why", " "], "--settle needs --why"),
        (["--settle", "--all", "--since", "1h", "--why", WHY], "--all does not go with"),
        (["--settle", "1-1", "--show", "1-1", "--why", WHY], "--show does not go with --settle"),
        (["--why", WHY], "--why goes with --settle alone"),
    ],
)
def test_what_is_not_said_clearly_settles_nothing(cloud, pipeline, tmp_path, capsys, words, said):
    """Neither all letters without a word, nor any without a reason."""
    live(pipeline(), "one")
    assert letters_command(properties(tmp_path, {}), *words) == 2
    assert said in capsys.readouterr().err
    assert list(cloud.letters()) == ["1-1"]


def test_what_redrive_has_begun_is_left_to_it(memory, pipeline):
    """A letter of a batch that was cut short is not settled, as it may be put back; others are."""
    live(pipeline(), "word 1", "|", "[2]")
    memory.strike_at(3)  # the batch is written, its file is not
    with pytest.raises(Killed):
        redrive(pipeline(transformer=MENDED), reason="malformed")
    memory.strike_at(0)
    summary = settle(pipeline())

    assert summary.settled == 1
    (group,) = summary.left.groups
    assert group.reason.startswith("redrive has begun batch 1 with it")
    redrive(pipeline(transformer=MENDED))
    assert set(memory.texts()) == {"word 1"}
    assert memory.letters() == {}


def test_letters_are_counted_though_an_answer_was_lost(memory, pipeline):
    """The batch is written, nobody hears of it, and the next try finds it there: it is ours."""
    live(pipeline(), "one", "two")
    writes = itertools.count(1)

    def lose():
        if next(writes) == 2:  # just after the batch is there
            raise botocore.exceptions.ConnectionClosedError(endpoint_url="memory://")

    memory.aws.strike = lose
    assert settle(pipeline()).settled == 2
    assert memory.letters() == {}
    assert [key for key in memory.objects("errors/") if key.endswith(".batch")] == [
        "errors/flights/redriven/0000001.batch"
    ]


@pytest.mark.parametrize("moment", range(1, 9))
@pytest.mark.parametrize("ended_by", [settle, redrive])
def test_killed_at_any_moment_it_is_ended_by_whoever_comes_next(
    memory, pipeline, monkeypatch, moment, ended_by
):
    """Each letter is settled, or put back, and never both."""
    monkeypatch.setattr("record_processors.ops.settle.MOST_FILES", 2)
    live(pipeline(), *[word for n in (1, 2, 3) for word in (f"word {n}", "|")])
    memory.strike_at(moment)
    with suppress(Killed):
        settle(pipeline())
    memory.strike_at(0)
    ended_by(pipeline(transformer=MENDED))

    assert memory.letters() == {}
    settled = [json.loads(memory.objects()[key]).get("settled") for key in memory.marks()]
    assert len(settled) == 3
    assert sum(memory.texts().values()) == settled.count(None)


@pytest.mark.parametrize("at", range(1, 16, 2))
@pytest.mark.parametrize(("one", "other"), [(settle, redrive), (redrive, settle)])
def test_beside_redrive_each_letter_is_settled_or_put_back(memory, pipeline, at, one, other):
    """At any step of one, the other may begin and end: no letter goes both ways."""
    words = [f"word {number}" for number in range(1, 5)]
    live(pipeline(), *words[:2], "|", *words[2:])
    settings = pipeline(transformer=MENDED, bufferRecordCountLimit="2")
    steps = 0

    def another():
        nonlocal steps
        steps += 1
        if steps == at:
            other(settings)

    memory.aws.strike = another
    one(settings)
    memory.strike_at(0)
    redrive(settings)
    went_one_way_each(memory)


@pytest.mark.parametrize("moment", range(2, 9))
def test_a_batch_that_redrive_began_meanwhile_is_not_settled(memory, pipeline, moment):
    """Cut short just when the letters were to be settled, redrive has them: it ends its batch."""
    live(pipeline(), *[f"word {number}" for number in range(1, 5)])

    def another():
        memory.strike_at(moment)
        with suppress(Killed):
            redrive(pipeline(transformer=MENDED))
        memory.strike_at(0)

    memory.aws.strike = another
    settle(pipeline())
    redrive(pipeline(transformer=MENDED))
    went_one_way_each(memory)


def went_one_way_each(memory):
    """Compare rows with marks, of four letters none of which is open."""
    assert memory.letters() == {}
    marks = {key: json.loads(memory.objects()[key]) for key in memory.marks()}
    lines = {key: memory.objects()[key.removesuffix(".redriven")].count(b"\n") for key in marks}
    back = sum(lines[key] for key, mark in marks.items() if not mark.get("settled"))
    assert sum(lines.values()) == 4
    assert set(memory.texts().values()) <= {1}
    assert len(memory.texts()) == back


def test_a_letter_again_is_settled_like_any_other(memory, pipeline):
    """What was put back in vain lies under the number of its batch, and is settled there."""
    live(pipeline(), "one", "two")
    redrive(pipeline(transformer=HALF))
    assert settle(pipeline(), reason="an odd one").settled == 1

    assert memory.letters() == {}
    assert redrive(pipeline(transformer=MENDED)).kept == 0


def test_for_audit_it_is_open_no_more(stack, tmp_path, capsys):
    """Records that are settled need nobody, nor does a file that is settled and in no table."""
    here = Lives(stack, tmp_path, "settled", {"bufferRecordCountLimit": "2"}, NO_BAD_ROWS)
    try:
        here.put([b"not json"])
        here.put([b'{"id": 1, "text": "%s"}' % (b"x" * 300), b'{"id": 2}'])
        here.work([3, 4])
        found = here.found(capsys)
        assert [one["kind"] for one in found] == ["letter", "letter"]
        for settings in (here.one, here.two):
            assert letters_command(settings.path, "--settle", "--all", "--why", WHY) == 0
        code, report = here.audit(capsys)

        assert (code, report["found"]) == (0, [])
        assert report["states"] == {"loaded": 1, "waiting": 0, "kept out": 1, "lost": 0}
    finally:
        here.close()


def test_for_status_it_is_open_no_more(place, capsys):
    """A settled letter needs nobody."""
    here = place(STAGE_ONE)
    (shard,) = here.make()
    here.lease(shard, "TRIM_HORIZON")
    key = f"errors/{here.name}/{shard}-1-0-1-0.jsonl"
    about = {"stream": "s", "shard": shard, "position": "1-0", "data": "", "stage": "transform"}
    line = json.dumps({**about, "reason": "bad"}).encode()
    here.s3.put_object(Bucket=here.name, Key=key, Body=line)
    assert "letters" in here.reasons()
    assert letters_command(here.path, "--settle", key, "--why", WHY) == 0
    capsys.readouterr()
    assert "letters" not in here.reasons()
