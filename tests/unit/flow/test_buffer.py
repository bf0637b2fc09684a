"""The three thresholds, and what is left after a release."""

from hypothesis import given
from hypothesis import strategies as st

from record_processors import Buffer, Position
from support.fakes import Clock, record

NEVER = 10**12


def make(records=NEVER, size=NEVER, milliseconds=NEVER, clock=None):
    return Buffer(records, size, milliseconds, clock or Clock())


def test_count_threshold_is_looked_at_after_every_record():
    """25 records with a limit of 10 are released as 10 and 10, and 5 wait."""
    buffer = make(records=10)
    released = []
    for sequence in range(1, 26):
        if buffer.keep(record("x", sequence), [b"x"]):
            released.append(len(buffer.kept))
            buffer.release(buffer.last)
    assert released == [10, 10]
    assert len(buffer.kept) == 5


@given(st.integers(1, 50), st.lists(st.binary(max_size=60), max_size=40))
def test_byte_threshold_is_passed_by_one_record_at_most(limit, payloads):
    """The buffer is full as soon as the bytes of record data reach the limit, and not before."""
    buffer = make(size=limit)
    waiting = 0
    for sequence, data in enumerate(payloads):
        assert waiting < limit
        full = buffer.keep(record(data, sequence), [data * 3])
        waiting += len(data)
        assert full == (waiting >= limit)
        if full:
            buffer.release(buffer.last)
            waiting = 0


def test_rows_do_not_count_only_data_does():
    """The byte limit measures the records' data, not the rows made of them."""
    buffer = make(size=10)
    assert not buffer.keep(record("123456789"), [b"x" * 100, b"y" * 100])
    assert buffer.keep(record("1", 2), [b""])


def test_time_threshold_starts_with_the_first_kept_record():
    """A kept record is due when the limit has passed since it came, whatever came later."""
    clock = Clock()
    buffer = make(milliseconds=1000, clock=clock)
    clock.pass_milliseconds(5000)
    assert not buffer.due
    buffer.keep(record("x", 1), [b"x"])
    clock.pass_milliseconds(999)
    buffer.keep(record("y", 2), [b"y"])
    buffer.pass_over(record("z", 3))
    assert not buffer.due
    clock.pass_milliseconds(1)
    assert buffer.due


def test_filtered_records_alone_become_due():
    """A buffer that only passed records over is due too, since the first of them."""
    clock = Clock()
    buffer = make(milliseconds=1000, clock=clock)
    buffer.pass_over(record("x", 1))
    clock.pass_milliseconds(600)
    buffer.pass_over(record("y", 2))
    clock.pass_milliseconds(399)
    assert not buffer.due
    clock.pass_milliseconds(1)
    assert buffer.due
    assert buffer.last == Position(2)


def test_nothing_is_due_after_everything_is_released():
    """A released buffer waits for nothing, and its next record starts the time anew."""
    clock = Clock()
    buffer = make(milliseconds=1000, clock=clock)
    buffer.keep(record("x", 1), [b"x"])
    clock.pass_milliseconds(1000)
    buffer.release(Position(1))
    assert not buffer.due
    assert buffer.last is None
    buffer.keep(record("y", 2), [b"y"])
    assert not buffer.due
    clock.pass_milliseconds(1000)
    assert buffer.due


taken = st.lists(st.tuples(st.booleans(), st.binary(max_size=9)), max_size=30)


@given(taken, st.integers(-1, 31))
def test_release_keeps_exactly_what_lies_beyond(records, through):
    """Of what was kept, release forgets what lies up to the position: the rest stays, in order."""
    buffer = make(size=100)
    kept = []
    for sequence, (keep, data) in enumerate(records):
        if keep:
            buffer.keep(record(data, sequence), [data])
            kept.append(sequence)
        else:
            buffer.pass_over(record(data, sequence))
    buffer.release(Position(through))
    left = [one.record.position.sequence for one in buffer.kept]
    assert left == [sequence for sequence in kept if sequence > through]
    assert buffer.bytes == sum(len(one.record.data) for one in buffer.kept)
    assert buffer.last == (Position(len(records) - 1) if through < len(records) - 1 else None)


def test_release_inside_an_aggregate():
    """Release tells the user records of one Kinesis record apart by their sub-sequence number."""
    buffer = make()
    for sub_sequence in range(4):
        buffer.keep(record("x", 7, sub_sequence), [b"x"])
    buffer.release(Position(7, 1))
    assert [one.record.position for one in buffer.kept] == [Position(7, 2), Position(7, 3)]
