"""The log says what became of the records: at once, once a minute, and at the end."""

import logging

import pytest

from record_processors import Position
from support.fakes import Flow


@pytest.fixture
def lines(caplog):
    """Return a function that gives the lines that were told since it was called last."""
    caplog.set_level(logging.INFO)

    def told():
        found = [r.message for r in caplog.records if r.name.endswith(("tally", "pipeline"))]
        caplog.clear()
        return found

    return told


def test_the_first_records_are_told_at_once(lines):
    """Who starts it sees what was read, and what is held until when."""
    flow = Flow(records=10, milliseconds=5000)
    flow.take("a", "bb", "none", "bad")
    assert lines() == [
        "read 4 records: kept 2, filtered out 1, refused 1; 2 are held (3 bytes), until "
        "there are 10 or 1,000,000 bytes, or for 5 s more"
    ]


def test_then_once_a_minute(lines):
    """No line comes sooner, and none if nothing was read."""
    flow = Flow(records=2)
    flow.take("a", "b")
    assert lines() == ["read 2 records: kept 2, filtered out 0, refused 0"]
    flow.clock.pass_milliseconds(59_000)
    flow.take("c", "none", start=3)
    flow.take()
    assert lines() == []
    flow.clock.pass_milliseconds(1_000)
    flow.take()
    (line,) = lines()
    assert line.startswith("read 4 records: kept 3, filtered out 1, refused 0; 1 is held")
    flow.clock.pass_milliseconds(3_600_000)
    flow.take()
    assert lines() == []


def test_at_the_end(lines):
    """A stop says it once more, if there is something new to say."""
    flow = Flow()
    flow.take("a")
    flow.take("b", "c", start=2)
    lines()
    flow.flush()
    flow.pipeline.close()
    assert lines() == ["read 3 records: kept 3, filtered out 0, refused 0"]
    flow.pipeline.close()
    assert lines() == []


def test_what_is_skipped(lines):
    """Records that an earlier life delivered are neither kept nor filtered out."""
    flow = Flow(written={1: Position(3)})
    flow.take("a", "b", "none", "d")
    (_, line) = lines()
    assert line.startswith(
        "read 4 records: kept 1, filtered out 0, refused 0, skipped 3 (durable already)"
    )


def test_what_the_destination_refuses(lines):
    """It is counted with what the transformer refused."""
    flow = Flow(records=2)
    flow.emitter.refuses = {b"x"}
    flow.take("a", "x")
    assert lines() == ["read 2 records: kept 1, filtered out 0, refused 1"]


@pytest.mark.parametrize(("words", "warns"), [(["none"] * 1000, True), (["none"] * 999, False)])
def test_a_filter_that_keeps_nothing(words, warns, lines):
    """If the first thousand records are all filtered out, it is said at once."""
    flow = Flow()
    flow.take("none")
    lines()
    flow.take(*words[1:], start=2)
    told = [line for line in lines() if line.startswith("all of the first")]
    assert bool(told) is warns
    flow.take(*["none"] * 1000, start=2000)
    assert bool([line for line in lines() if line.startswith("all of the")]) is not warns


def test_a_filter_that_keeps_something_is_not_suspicious(lines):
    """One record kept among the first thousand is enough."""
    flow = Flow()
    flow.take("kept", *["none"] * 5000)
    assert not [line for line in lines() if line.startswith("all of the first")]
