"""What a pipeline counts of its work, and what it says fails."""

import pytest

from record_processors import Position
from record_processors.config.metric import MOST_VALUES, Metric, Timer
from record_processors.errors import Fatal, TakenInPart, Transient
from record_processors.flow import trouble
from record_processors.flow.metrics import BUFFER_AGE
from record_processors.flow.retry import Retry
from support.fakes import Flow


@pytest.fixture(autouse=True)
def nothing_yet():
    """Forget what others counted."""
    new()


def new():
    """Return the sums of what was counted since this was called last."""
    return {
        " ".join(filter(None, [metric.name, sample.tag])): sum(sample.values)
        for metric in list(Metric.declared.values())
        for sample in metric.take()
        if metric.kind == "counter" and metric.unit != "milliseconds"
    }


def test_what_becomes_of_records():
    """Each record read is kept, filtered out, refused or skipped, and counted once."""
    flow = Flow(written={1: Position(2)})
    flow.take("a", "b", "c", "none", "bad")
    counted = {"records.read": 5, "records.kept": 1, "records.filtered": 1}
    assert new() == {**counted, "records.refused": 1, "records.skipped": 2}
    flow.take()
    assert new() == {}


def test_what_the_destination_refuses():
    """It had been kept, and is refused too; nothing is counted backwards."""
    flow = Flow(records=10)
    flow.emitter.refuses = {b"x"}
    flow.take("a", "x")
    assert new() == {"records.read": 2, "records.kept": 2}
    flow.flush()
    flow.pipeline.close()
    assert new() == {"batches stop": 1, "batches.bytes": 2, "records.refused": 1}


def test_what_makes_a_batch():
    """Batches are told apart by the threshold that made them one, or the stop."""
    flow = Flow(records=3, size=10, milliseconds=1000)
    flow.take("a", "b", "c", "d" * 10, "e", start=1)
    flow.clock.pass_milliseconds(1000)
    flow.take()
    flow.take("f", start=6)
    flow.flush()
    counted = new()
    assert {name: counted[name] for name in counted if name.startswith("batches ")} == {
        "batches count": 1,
        "batches bytes": 1,
        "batches time": 1,
        "batches stop": 1,
    }
    assert counted["batches.bytes"] == 15


def test_how_long_the_oldest_record_waits():
    """It grows while a record waits, also within a call, and is nothing when all is durable."""
    flow = Flow(records=10)
    assert BUFFER_AGE.read() == 0
    flow.take("a")
    flow.clock.pass_milliseconds(1500)
    flow.take("b", start=2)
    assert BUFFER_AGE.read() == 1500
    flow.flush()
    assert BUFFER_AGE.read() == 0


def test_times_of_which_there_are_many():
    """So many are kept as an agent takes, and which part of all they are is told."""
    timer = Timer("test.time", "A time.")
    for _ in range(4 * MOST_VALUES):
        with timer:
            pass
    (sample,) = timer.take()
    assert (len(sample.values), sample.rate) == (MOST_VALUES, 0.25)
    assert list(timer.take()) == []
    del Metric.declared["test.time"]


def test_a_time_of_what_fails():
    """What ends with an error took its time, too."""
    timer = Timer("test.time", "A time.")
    with pytest.raises(Fatal), timer:
        raise Fatal("gone")
    assert len(list(timer.take())) == 1
    del Metric.declared["test.time"]


def outcomes(*each):
    """Return an action that has these outcomes, and notes what was failing at each call."""
    left, seen = list(each), []

    def action():
        failing = trouble.oldest()
        seen.append(failing and failing.why)
        outcome = left.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return action, seen


def test_retries_are_counted_by_service(waits):
    """Each failure that is followed by another try counts for the service that was called."""
    action, _ = outcomes(Transient("busy"), TakenInPart("some"), "done")
    Retry(5, 100, service="s3")("writing", action)
    assert new() == {"retries s3": 2}
    with pytest.raises(Fatal):
        Retry(2, 100)("writing", outcomes(Transient("busy"), Transient("busy"))[0])
    assert new() == {"retries other": 1}


def test_what_fails_is_known_while_it_fails(waits):
    """It is failing since its first failure, until it succeeds, moves, or is given up."""
    action, seen = outcomes(Transient("one"), Transient("two"), TakenInPart("moved"), "done")
    Retry(5, 100)("writing", action)
    assert seen == [None, "one", "two", None]
    assert trouble.oldest() is None
    with pytest.raises(ValueError, match="other"):
        Retry(5, 100)("writing", outcomes(Transient("one"), ValueError("other"))[0])
    assert trouble.oldest() is None


def test_what_succeeds_inside_does_not_hide_what_fails(waits):
    """A part that works, of an action that fails, leaves it failing since the beginning."""

    def inner():
        Retry(5, 100)("looking", lambda: None)
        since.append(trouble.oldest() and trouble.oldest().since)
        if len(since) < 3:
            raise Transient("busy")

    since = []
    Retry(5, 100)("loading", inner)
    assert since[0] is None
    assert since[1] == since[2] is not None
