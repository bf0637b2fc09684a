"""Several destinations: what each gets, what is refused, and in which order it becomes durable."""

import pytest

from record_processors import Emitter, Fatal, Position, Rejected, Setting
from record_processors.errors import Rejection
from record_processors.flow.pipeline import Pipeline
from record_processors.flow.several import Several, several
from support.fakes import Flow, JournalEmitter


class First(Emitter):
    """Notes in the journal what it gets; refuses what it is told to, by rows or by record."""

    def __init__(self, journal, name="first"):
        self.journal, self.name = journal, name
        self.refuses, self.bad_rows = set(), set()

    def loadable(self, rows_of):
        return [
            Rejection(Rejected("no such row")) if set(rows) & self.bad_rows else rows
            for rows in rows_of
        ]

    def emit(self, batch):
        self.journal.append((self.name, [kept.record.position.sequence for kept in batch.kept]))
        for kept in batch.kept:
            if kept.record.data in self.refuses:
                batch.reject(kept.record, "I refuse it")


class Chain(JournalEmitter):
    """As one with a chain: what was refused is durable before it writes."""

    def emit(self, batch):
        batch.write_letters()
        return super().emit(batch)


def flow(**changes):
    """Return a flow whose batches go to ``first``, ``second``, and one with a chain."""
    made = Flow(**changes)
    last = Chain(made.journal, made.emitter.answers, made.emitter.written)
    made.first, made.second = First(made.journal), First(made.journal, "second")
    emitters = {"first": made.first, "second": made.second, "chain": last}
    made.pipeline.emitter = Several(emitters)
    return made


def test_each_batch_goes_to_all_in_their_order():
    """Each destination has the batch before the next, and the checkpoint follows the last."""
    assert flow(records=2).take("a", "b") == [
        ("first", [1, 2]),
        ("second", [1, 2]),
        ("emit", [1, 2], "2-0"),
        ("checkpoint", "2-0"),
    ]


def test_what_one_refuses_goes_to_the_others():
    """A refusal is a letter before the file of the last one; the others have the record."""
    made = flow(records=2)
    made.first.refuses.add(b"b")

    assert made.take("a", "b") == [
        ("first", [1, 2]),
        ("second", [1, 2]),
        ("letters", "2-0"),
        ("emit", [1, 2], "2-0"),
        ("checkpoint", "2-0"),
    ]


def test_a_row_that_one_cannot_take_goes_to_the_others():
    """What one refuses by rows alone never reaches it, is a letter, and reaches the others."""
    made = flow(records=2)
    made.second.bad_rows.add(b"a")

    assert made.take("a", "b") == [
        ("first", [1, 2]),
        ("second", [2]),
        ("letters", "1-0"),
        ("emit", [1, 2], "2-0"),
        ("checkpoint", "2-0"),
    ]


def test_one_that_takes_no_record_of_a_batch_is_passed_over():
    """A batch without a record for one of them goes to the others alone."""
    made = flow(records=1)
    made.second.bad_rows.add(b"a")

    assert made.take("a") == [
        ("first", [1]),
        ("letters", "1-0"),
        ("emit", [1], "1-0"),
        ("checkpoint", "1-0"),
    ]


def test_refusals_of_two_are_one_letter_that_names_both():
    """A record that two of them refuse is one file of letters, with a line of each."""
    made = flow(records=1)
    made.first.refuses.add(b"a")
    made.second.bad_rows.add(b"a")
    made.take("a")
    ((_, body),) = made.bucket.bodies.items()

    assert sorted(line.partition(b'"reason":')[2] for line in body.splitlines()) == [
        b'"first: I refuse it"}',
        b'"second: no such row"}',
    ]


def test_what_the_last_one_wrote_is_skipped_by_all():
    """An object of an earlier life implies that the others have its records: none gets them."""
    made = flow(written={1: Position(2)})

    assert made.take("a", "b", "c") == [("adopt", "1-0", "2-0"), ("checkpoint", "2-0")]
    assert made.flush() == [
        ("first", [3]),
        ("second", [3]),
        ("emit", [3], "3-0"),
        ("checkpoint", "3-0"),
    ]


def test_where_the_last_ones_chain_is_shorter_the_rest_comes_again():
    """Of another's shorter object the rest is emitted to all, and nothing is passed over."""
    made = flow(answers={1: Position(1)})
    made.take("a", "b")

    assert made.flush() == [
        ("first", [1, 2]),
        ("second", [1, 2]),
        ("emit", [1, 2], "2-0"),
        ("checkpoint", "1-0"),
        ("first", [2]),
        ("second", [2]),
        ("emit", [2], "2-0"),
        ("checkpoint", "2-0"),
    ]


def test_only_the_last_one_may_say_how_far_it_covers():
    """One that returns a position and is not the last ends the process before the checkpoint."""
    made = flow(records=1)
    first, *_, last = made.pipeline.emitter.emitters.values()
    made.pipeline.emitter = Several({"chain": last, "first": first})
    last.answers[1] = Position(1)

    with pytest.raises(Fatal, match="first comes after a destination with a chain"):
        made.take("a")


class Needy(First):
    declares = (Setting("place", str, "Where.", required=True),)


class Whole(Pipeline):
    pass


class OwnTransformer(First):
    own_transformer = object


@pytest.mark.parametrize(
    ("members", "sentence"),
    [
        (
            {"chain": Chain, "first": First},
            "chain writes a chain of files, and must come last: fir",
        ),
        ({"one": Chain, "two": Chain}, "one and two each write a chain of files, of which a shard"),
        ({"own": OwnTransformer, "first": First}, "own has a transformer of its own, and goes alo"),
        ({"first": First, "whole": Whole}, "whole is a whole pipeline, and goes alone; let an app"),
        ({"one": Needy, "two": Needy}, "one and two both need place, which is one; let an applica"),
    ],
)
def test_what_cannot_go_together_is_refused(members, sentence):
    """Destinations that cannot go together are refused with why, and what to do."""
    with pytest.raises(ValueError, match=f"^{sentence}"):
        several(members)


def test_they_say_together_what_each_says():
    """Settings, formats, and the longest try are those of all."""
    together = several({"one": Needy, "two": type("Two", (First,), {"accepts": frozenset("a")})})

    assert together.declares == Needy.declares
    assert together.accepts == frozenset("a")
    assert together.longest_try == 2 * First.longest_try
