"""The whole order of effects: dead letters, then the destination, then the checkpoint."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from record_processors import Fatal, Position
from support.fakes import SHARD, Flow, record


def emitted(sequences, last):
    return ("emit", list(sequences), str(Position(last)))


def letters(*sequences):
    return ("letters", *(str(Position(sequence)) for sequence in sequences))


def checkpoint(sequence, sub_sequence=0):
    return ("checkpoint", str(Position(sequence, sub_sequence)))


def test_a_batch_is_emitted_before_the_checkpoint():
    """A full buffer is emitted, then the checkpoint is made at its last record."""
    assert Flow(records=2).take("a", "b", "c") == [emitted([1, 2], 2), checkpoint(2)]


def test_threshold_is_looked_at_after_every_record():
    """25 records with a limit of 10 give batches of 10 and 10, and 5 wait for the flush."""
    flow = Flow(records=10)
    assert flow.take(*["x"] * 25) == [
        emitted(range(1, 11), 10),
        checkpoint(10),
        emitted(range(11, 21), 20),
        checkpoint(20),
    ]
    assert flow.flush() == [emitted(range(21, 26), 25), checkpoint(25)]


def test_threshold_spans_calls():
    """Records of several calls wait together until the threshold."""
    flow = Flow(records=3)
    assert flow.take("a", "b") == []
    assert flow.take("c", "d", start=3) == [emitted([1, 2, 3], 3), checkpoint(3)]


def test_many_records_in_one_call():
    """However many come at once, each is taken once and in order, bad and filtered ones too."""
    words = ["bad" if n % 700 == 0 else "none" if n % 3 == 0 else "x" for n in range(1, 2401)]
    flow = Flow(records=900)
    flow.take(*words)
    flow.flush()
    batches = [event[1] for event in flow.journal if event[0] == "emit"]
    assert [len(batch) for batch in batches] == [900, 698]
    kept = [n for n, word in enumerate(words, 1) if word == "x"]
    assert [n for batch in batches for n in batch] == kept
    bad = [position for event in flow.journal if event[0] == "letters" for position in event[1:]]
    assert bad == [str(Position(700 * n)) for n in (1, 2, 3)]


def test_byte_threshold():
    """The batch is emitted with the record that reaches the byte limit."""
    assert Flow(size=5).take("aaa", "bbb", "c") == [emitted([1, 2], 2), checkpoint(2)]


def test_time_threshold_without_records():
    """What has waited long enough is emitted by a call without records, and not before."""
    flow = Flow(milliseconds=1000)
    flow.take("a", "none")
    flow.clock.pass_milliseconds(999)
    assert flow.take() == []
    flow.clock.pass_milliseconds(1)
    assert flow.take() == [emitted([1], 2), checkpoint(2)]
    flow.clock.pass_milliseconds(10_000)
    assert flow.take() == []


def test_filtered_records_alone_are_checkpointed_on_time():
    """A shard of which every record is filtered out moves its checkpoint, and emits nothing."""
    flow = Flow(records=1, milliseconds=1000)
    assert flow.take("none", "none") == []
    flow.clock.pass_milliseconds(1000)
    assert flow.take("none", start=3) == [checkpoint(3)]
    assert flow.flush() == []


def test_filtered_records_do_not_count():
    """The count limit is about kept records; the checkpoint covers those that were passed over."""
    flow = Flow(records=2)
    assert flow.take("none", "a", "none", "b", "none") == [emitted([2, 4], 4), checkpoint(4)]
    assert flow.flush() == [checkpoint(5)]


def test_a_rejected_record_is_written_before_the_object_that_covers_it():
    """Dead letters come first, then the batch around them, then the checkpoint."""
    flow = Flow(records=2)
    assert flow.take("a", "bad", "b", "bad") == [letters(2), emitted([1, 3], 3), checkpoint(3)]
    assert flow.flush() == [letters(4), checkpoint(4)]


def test_a_rejected_record_says_why():
    """The dead letter names shard, stage and reason, in the transformer's own words."""
    flow = Flow()
    flow.take("bad")
    flow.flush()
    (letter,) = [json.loads(body) for body in flow.bucket.bodies.values()]
    assert (letter["shard"], letter["stage"], letter["reason"]) == (
        SHARD,
        "transform",
        "a bad word",
    )


@pytest.mark.parametrize(
    "error", [ValueError("v"), KeyError("k"), IndexError("i"), RecursionError()]
)
def test_bad_data_is_what_ordinary_python_raises_about_it(error):
    """ValueError, LookupError and RecursionError of a filter make a dead letter of stage filter."""
    flow = Flow(records=2)

    def keep(one):
        if one.data == b"b":
            raise error
        return True

    flow.pipeline.filter.keep = keep
    assert flow.take("a", "b", "c") == [letters(2), emitted([1, 3], 3), checkpoint(3)]
    (letter,) = [json.loads(body) for body in flow.bucket.bodies.values()]
    assert letter["stage"] == "filter"
    assert type(error).__name__ in letter["reason"]


def test_the_filter_is_not_asked_about_a_record_without_rows():
    """A record of which the transformer makes no row counts as filtered in any case."""
    flow = Flow()
    asked = []
    flow.pipeline.filter.keep = lambda one: asked.append(one.data) or True
    flow.take("none", "a")
    assert asked == [b"a"]


def test_a_bug_is_not_bad_data():
    """An exception that is not about data leaves the pipeline, and nothing is checkpointed."""
    flow = Flow(records=2)
    with pytest.raises(TypeError):
        flow.take("a", "bug", "c")
    assert flow.journal == []


def test_a_bug_while_the_transformer_iterates_is_seen_at_once():
    """Rows are taken from a generator before the next record, so that its errors are in place."""
    flow = Flow()

    def transform(one):
        yield one.data
        if one.data == b"b":
            raise ValueError("in the middle")

    flow.pipeline.transformer.transform = transform
    flow.take("a", "b", "c")
    assert flow.flush() == [letters(2), emitted([1, 3], 3), checkpoint(3)]


def test_no_checkpoint_after_a_failed_emit():
    """An emitter's error leaves the pipeline before any checkpoint."""
    flow = Flow(records=1)

    def emit(batch):
        raise Fatal("no such bucket")

    flow.emitter.emit = emit
    with pytest.raises(Fatal):
        flow.take("a", "b")
    assert flow.journal == []


def test_no_checkpoint_and_no_emit_after_failed_dead_letters():
    """If dead letters cannot be written, the object that covers them is not written either."""
    flow = Flow(records=1)

    def put(key, body):
        raise Fatal("no such bucket")

    flow.bucket.put = put
    with pytest.raises(Fatal):
        flow.take("bad", "a")
    assert flow.journal == []


def test_refused_by_the_destination():
    """A record that the emitter hands back is a dead letter before the checkpoint."""
    flow = Flow(records=3)
    flow.emitter.refuses = {b"b"}
    assert flow.take("a", "b", "c") == [emitted([1, 2, 3], 3), letters(2), checkpoint(3)]
    (letter,) = [json.loads(body) for body in flow.bucket.bodies.values()]
    assert (letter["stage"], letter["reason"]) == ("emit", "the destination refuses it")


def test_an_emitter_may_make_its_refusals_durable_before_its_file():
    """What it writes out itself is a dead letter at once, and not written again afterwards."""
    flow = Flow(records=3)

    def emit(batch):
        batch.reject(batch.kept[1].record, "not to my taste")
        batch.write_letters()
        flow.journal.append("the file")
        batch.reject(batch.kept[2].record, "nor this")

    flow.emitter.emit = emit
    assert flow.take("a", "b", "c") == [letters(2), "the file", letters(3), checkpoint(3)]


def test_two_reasons_to_refuse_a_record():
    """They are two lines of one file of dead letters, which is written once."""
    flow = Flow(records=2)

    def emit(batch):
        for reason in ("too long", "too loud"):
            batch.reject(batch.first, reason)

    flow.emitter.emit = emit
    assert flow.take("a", "b") == [letters(1, 1), checkpoint(2)]
    (body,) = flow.bucket.bodies.values()
    assert [json.loads(line)["reason"] for line in body.splitlines()] == ["too long", "too loud"]


def test_no_checkpoint_and_no_file_after_failed_dead_letters_of_the_emitter():
    """If what an emitter refuses cannot be kept, it writes no file, and nothing is passed."""
    flow = Flow(records=1)

    def put(key, body):
        raise Fatal("no such bucket")

    def emit(batch):
        batch.reject(batch.first, "not to my taste")
        batch.write_letters()
        flow.journal.append("the file")

    flow.bucket.put, flow.emitter.emit = put, emit
    with pytest.raises(Fatal):
        flow.take("a")
    assert flow.journal == []


def test_the_emitter_is_told_what_the_rows_are():
    """Format and null string are those of the pipeline's own transformer; all is told once."""
    flow = Flow()
    told = []
    flow.pipeline.transformer.format = "csv"
    flow.pipeline.transformer.null = "-"
    flow.emitter.start = lambda *what: told.append(what)
    flow.pipeline.start(SHARD)
    assert told == [(SHARD, "csv", "-")]


def test_close_ends_the_emitter():
    """What the emitter holds open is ended with the pipeline, and nothing is written by that."""
    flow = Flow()
    flow.take("a", "bad")
    flow.emitter.close = lambda: flow.journal.append("closed")
    flow.pipeline.close()
    assert flow.journal == ["closed"]


def test_the_batch_knows_its_shard_and_rows():
    """An emitter is given the shard, the first record and the rows in order."""
    flow = Flow()
    flow.take("none", "a", "b", "none")
    flow.flush()
    (batch,) = flow.emitter.batches
    assert (flow.emitter.shard, batch.first, list(batch.rows), batch.last) == (
        SHARD,
        record("a", 2),
        [b"a", b"b"],
        Position(4),
    )


# ---- another process has written the same records


def test_durable_through_the_end_of_the_batch():
    """An emitter that names the end of the batch is as one that names nothing."""
    flow = Flow(records=2, answers={1: Position(2)})
    assert flow.take("a", "b", "c") == [emitted([1, 2], 2), checkpoint(2)]


def test_durable_through_the_middle_of_the_batch():
    """What lies beyond is emitted as a batch of its own, after a checkpoint at what was durable."""
    flow = Flow(records=4, answers={1: Position(2)})
    assert flow.take("a", "b", "c", "d") == [
        emitted([1, 2, 3, 4], 4),
        checkpoint(2),
        emitted([3, 4], 4),
        checkpoint(4),
    ]


def test_durable_through_all_but_filtered_records():
    """If only filtered records lie beyond, they are checkpointed without an empty batch."""
    flow = Flow(answers={1: Position(2)})
    flow.take("a", "b", "none", "none")
    assert flow.flush() == [emitted([1, 2], 4), checkpoint(2), checkpoint(4)]


def test_durable_beyond_what_was_delivered():
    """Records through the object's end are skipped, however many calls that takes.

    The checkpoint is made when the record at the end is delivered, exactly there, and never inside.
    """
    flow = Flow(records=2, milliseconds=1000, answers={1: Position(6)})
    assert flow.take("a", "b", "c") == [emitted([1, 2], 2)]
    flow.clock.pass_milliseconds(5000)
    assert flow.take() == []
    assert flow.flush() == []
    assert flow.take("bad", "none", start=4) == []
    assert flow.flush() == []
    assert flow.take("f", "g", "h", start=6) == [
        checkpoint(6),
        emitted([7, 8], 8),
        checkpoint(8),
    ]


def test_checkpoint_at_the_end_comes_with_the_record_itself():
    """The record at the object's end is enough for the checkpoint; none after it is needed."""
    flow = Flow(records=1, answers={1: Position(2)})
    assert flow.take("a") == [emitted([1], 1)]
    assert flow.take("b", start=2) == [checkpoint(2)]
    assert flow.flush() == []


def test_nothing_is_buffered_twice_after_skipping():
    """After the skipped range the pipeline takes records as ever, bad ones included."""
    flow = Flow(records=1, answers={1: Position(2)})
    flow.take("a", "bad")
    assert flow.take("bad", "c", start=3) == [letters(3), emitted([4], 4), checkpoint(4)]


def test_two_objects_found_one_after_the_other():
    """An earlier life may have written several objects: each is skipped, and checkpointed at."""
    flow = Flow(records=1, answers={1: Position(3), 4: Position(5)})
    assert flow.take("a", "b", "c", "d", "e", "f") == [
        emitted([1], 1),
        checkpoint(3),
        emitted([4], 4),
        checkpoint(5),
        emitted([6], 6),
        checkpoint(6),
    ]


def test_dead_letters_of_the_batch_are_written_even_if_the_object_reaches_further():
    """What was rejected before the object was found is durable before it is skipped."""
    flow = Flow(records=2, answers={1: Position(9)})
    assert flow.take("a", "bad", "c") == [letters(2), emitted([1, 3], 3)]


# ---- an earlier life has written the first records already


def adopted(sequence, through):
    return ("adopt", str(Position(sequence)), str(Position(through)))


def test_what_an_earlier_life_wrote_is_skipped():
    """It is found by the first kept record, never buffered, and checkpointed at its end."""
    flow = Flow(records=2, milliseconds=1000, written={2: Position(5)})
    assert flow.take("none", "a", "b") == [adopted(2, 5)]
    flow.clock.pass_milliseconds(5000)
    assert flow.take() == []
    assert flow.flush() == []
    assert flow.take("c", "d", "e", "f", start=4) == [
        checkpoint(5),
        emitted([6, 7], 7),
        checkpoint(7),
    ]


def test_after_a_find_the_next_is_looked_for():
    """Each find is followed by a look at the next kept record; after none there is no look."""
    flow = Flow(records=3, written={1: Position(2), 4: Position(4), 6: Position(9)})
    assert flow.take("a", "b", "none", "c", "d", "e", "f") == [
        adopted(1, 2),
        checkpoint(2),
        adopted(4, 4),
        checkpoint(4),
        emitted([5, 6, 7], 7),
        checkpoint(7),
    ]


def test_after_skipping_another_processes_object_the_next_is_looked_for():
    """Who is behind another process finds its next object before buffering, too."""
    flow = Flow(records=2, answers={1: Position(3)}, written={4: Position(5)})
    assert flow.take("a", "b", "c", "d", "e", "f", "g") == [
        emitted([1, 2], 2),
        checkpoint(3),
        adopted(4, 5),
        checkpoint(5),
        emitted([6, 7], 7),
        checkpoint(7),
    ]


def test_dead_letters_before_a_find_are_written_before_its_end_is_passed():
    """What was rejected before the found object is durable before the checkpoint passes it."""
    flow = Flow(written={2: Position(3)})
    assert flow.take("bad", "a", "b") == [adopted(2, 3), letters(1), checkpoint(3)]


def test_what_a_life_with_another_filter_wrote_is_found_wherever_it_begins():
    """What is held ends before it, though it begins with a record that is not kept now."""
    flow = Flow(listed=True, written={3: Position(5), 7: Position(7)})
    assert flow.take("a", "b", "none", "c", "d", "e", "f", "g") == [
        emitted([1, 2], 2),
        checkpoint(2),
        adopted(3, 5),
        checkpoint(5),
        emitted([6], 6),
        checkpoint(6),
        adopted(7, 7),
        checkpoint(7),
    ]


def test_what_was_written_from_a_record_on_that_does_not_come_is_found_at_the_next():
    """KCL leaves records out of some aggregates, and not each time."""
    flow = Flow(listed=True, written={2: Position(4)})
    assert flow.take("a") == []
    assert flow.take("c", "d", "e", start=3) == [
        emitted([1], 1),
        checkpoint(1),
        adopted(3, 4),
        checkpoint(4),
    ]


def test_what_nobody_gets_any_more_holds_nothing_back():
    """Where none of its records come, a batch of an earlier life is passed at the next record."""
    flow = Flow(listed=True, written={2: Position(3), 4: Position(5)})
    assert flow.take("d", "e", "f", start=4) == [adopted(4, 5), checkpoint(5)]
    flow = Flow(listed=True, written={2: Position(3), 4: Position(5)})
    flow.take("a")
    assert flow.take("d", "e", "f", start=4) == [
        emitted([1], 1),
        checkpoint(1),
        adopted(4, 3),
        checkpoint(3),
        adopted(4, 5),
        checkpoint(5),
    ]


def test_what_another_process_wrote_meanwhile_comes_before_what_was_there():
    """Its object reaches over the one that was listed, which is looked for again behind it."""
    flow = Flow(listed=True, answers={1: Position(4)}, written={3: Position(6)})
    assert flow.take("a", "b", "c", "d", "e", "f") == [emitted([1, 2], 2), checkpoint(4)]
    assert flow.flush() == [emitted([5, 6], 6), checkpoint(6)]


def test_an_emitter_that_finds_what_lies_before_is_a_bug():
    """A position before the record that was asked about is refused, and nothing is skipped."""
    flow = Flow(written={2: Position(1)})
    with pytest.raises(Fatal, match="JournalEmitter returned 1-0"):
        flow.take("none", "a")


def test_the_shard_ends_inside_an_object():
    """A shard that ends before the object's end cannot have written it: nothing is checkpointed."""
    flow = Flow(records=1, answers={1: Position(9)})
    flow.take("a", "b")
    with pytest.raises(Fatal, match=r"ended before 9-0"):
        flow.finish()
    assert checkpoint(9) not in flow.journal


def test_finish_flushes():
    """The end of the shard flushes what waits; the end itself is the processor's to checkpoint."""
    flow = Flow()
    flow.take("a", "bad", "none")
    assert flow.finish() == [letters(2), emitted([1], 3), checkpoint(3)]


def test_sub_sequences():
    """User records of one Kinesis record are told apart, in batches, trims and checkpoints."""
    given = [record("x", 5, sub_sequence) for sub_sequence in range(5)]
    flow = Flow(records=2)
    flow.take_records(*given)
    assert flow.journal == [
        ("emit", [5, 5], "5-1"),
        checkpoint(5, 1),
        ("emit", [5, 5], "5-3"),
        checkpoint(5, 3),
    ]
    flow = Flow(records=2, answers={5: Position(5, 3)})
    flow.take_records(*given[:3])
    assert flow.journal == [("emit", [5, 5], "5-1")]
    flow.emitter.answers.clear()
    flow.take_records(*given[3:])
    assert flow.journal[1:] == [checkpoint(5, 3)]
    assert flow.flush() == [("emit", [5], "5-4"), checkpoint(5, 4)]


words = st.lists(st.sampled_from(["a", "bb", "none", "bad", "refused"]), max_size=40)


@given(
    words,
    st.integers(1, 6),
    st.integers(1, 8),
    st.dictionaries(st.integers(1, 40), st.integers(0, 8), max_size=6),
    st.lists(st.integers(1, 9), max_size=10),
)
def test_no_checkpoint_passes_a_record_that_is_not_durable(given_words, count, size, reach, cuts):
    """Whatever comes, in whatever calls, and whatever was written before: the one rule holds."""
    last = len(given_words)
    answers = {first: Position(min(first + more, last)) for first, more in reach.items()}
    flow = Flow(records=count, size=size, answers=answers)
    flow.emitter.refuses = {b"refused"}
    start = 1
    for cut in [*cuts, last]:
        call = given_words[start - 1 : start - 1 + cut]
        flow.take(*call, start=start)
        start += len(call)
    flow.flush()

    durable, at = set(), 0
    for event, *what in flow.journal:
        if event == "letters":
            durable |= {Position.parse(text).sequence for text in what}
        elif event == "emit":
            sequences, _ = what
            through = answers.get(sequences[0])
            durable |= set(range(sequences[0], through.sequence + 1)) if through else set(sequences)
        else:
            position = Position.parse(what[0]).sequence
            assert position > at, "checkpoints only go forward"
            passed = range(at + 1, position + 1)
            assert all(one in durable or given_words[one - 1] == "none" for one in passed)
            at = position
    assert at == last
