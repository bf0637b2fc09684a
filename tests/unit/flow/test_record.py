"""A position is ordered as the shard is, and its text is the same everywhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from record_processors import Position, Record

positions = st.builds(Position, st.integers(0, 2**186), st.integers(0, 2**63))


@given(positions)
def test_text_round_trip(position):
    """A position reads back from its text, all digits kept."""
    assert Position.parse(str(position)) == position


@given(positions, positions)
def test_order(one, other):
    """Positions are ordered by sequence number as a number, then by sub-sequence number."""
    assert (one < other) == (
        (one.sequence, one.sub_sequence) < (other.sequence, other.sub_sequence)
    )


def test_order_is_not_the_order_of_texts():
    """A shorter sequence number comes before a longer one, whatever their first digits are."""
    assert Position(9) < Position(10) < Position(10, 1) < Position(10, 2) < Position(10, 10)


def test_text():
    """A position is written as sequence and sub-sequence with a hyphen between them."""
    assert str(Position(49590338271490256608559692538361, 7)) == (
        "49590338271490256608559692538361-7"
    )
    assert str(Position(5)) == "5-0"


@pytest.mark.parametrize(
    "text",
    ["", "-", "5", "5-", "-5", "5-0-0", "+5-0", " 5-0", "5-0\n", "5--1", "5_0-0", "٥-٠", "²-0"],
)
def test_refused(text):
    """What str never writes is refused."""
    with pytest.raises(ValueError, match="is not a position like"):
        Position.parse(text)


def test_record_is_a_value():
    """Two records of the same content are equal, and none can be changed."""
    one, other = (Record(b"x", "1", 0, "key", 5) for _ in range(2))
    assert one == other
    with pytest.raises(AttributeError):
        one.data = b"y"
