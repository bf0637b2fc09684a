"""Versions: 63 bits that grow with a key's positions, through reshards too."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from record_processors import Fatal, Position
from record_processors.destinations.opensearch.versions import A_SECOND, MOST_SUB, version_of

# From the examples of the documentation of PutRecords, GetRecords and PutRecord.
KNOWN = (
    49543463076548007577105092703039560359975228518395019266,
    49544985256907370027570885864065577703022652638596431874,
    49590338271490256608559692538361571095921575989136588898,
    49590338271490256608559692540925702759324208523137515618,
)
FIRST = 1_384_387_200  # Kinesis' first day
LAST = 3_500_000_000  # in 2080


def number(made, count, now, shard=1):
    """Write a sequence number as kinesalite knows them from outside."""
    return int(f"2{made:09x}{shard % 16:x}{count:016x}00{now:09x}{shard:08x}2", 16)


@st.composite
def lives_of_a_key(draw):
    """Return the positions of a key's records in their order, through parents and children."""
    positions, made = [], draw(st.integers(FIRST, LAST))
    for shard in range(draw(st.integers(1, 4))):
        seconds = sorted(draw(st.lists(st.integers(0, 10_000_000), min_size=1, max_size=4)))
        count = 0
        for second in seconds:
            least, most = count + 1, max(second, 1) * A_SECOND
            if least > most:
                continue
            count = draw(st.integers(least, min(most, least + 10**10)))
            subs = sorted(draw(st.sets(st.integers(0, MOST_SUB), min_size=1, max_size=3)))
            positions += [Position(number(made, count, made + second, shard), sub) for sub in subs]
        made += max(seconds[-1], 1) + draw(st.integers(0, 1000))
    return positions


@given(lives_of_a_key())
def test_later_is_more(positions):
    """Each later record of a key has a larger version, in one shard and from parent to child."""
    made = [position for position in positions if position.sequence < number(LAST, 0, LAST)]
    versions = [version_of(position) for position in made]
    assert all(0 < version < 2**63 for version in versions)
    assert all(a < b for a, b in itertools.pairwise(versions))


def test_known_ones():
    """Numbers that AWS shows have versions, the later ones larger ones."""
    versions = [version_of(Position(each)) for each in KNOWN]
    assert versions == sorted(set(versions))
    assert versions[-1] < 2**63


def test_those_of_the_stand_ins():
    """Small numbers count as they are, each sub-sequence above the one before it."""
    assert version_of(Position(7, 0)) < version_of(Position(7, 1)) < version_of(Position(8, 0))


def test_too_many_in_one_aggregate():
    """Sub-sequences beyond 65,535 share a version, below that of the next number."""
    assert version_of(Position(7, 70_000)) == version_of(Position(7, MOST_SUB))
    assert version_of(Position(7, 70_000)) < version_of(Position(8))


@pytest.mark.parametrize(
    "sequence",
    [
        1 << 47,  # too long to be counted, too short to be AWS's
        number(FIRST, 5, FIRST + 9) - 1,  # another structure at its end
        number(FIRST, 5, FIRST + 9) | 1 << 187,  # longer
        number(FIRST, 5 * A_SECOND + 1, FIRST + 5),  # a count that no shard reaches
        number(5, 5, 9),  # a shard from before Kinesis
        number(FIRST + (1 << 31), 5, FIRST + (1 << 31)),  # and from after 2081
    ],
)
def test_an_unknown_structure(sequence):
    """A number that is not of the known structure ends the process: no order is guessed."""
    with pytest.raises(Fatal, match=f"{sequence} is no sequence number of the structure"):
        version_of(Position(sequence))
