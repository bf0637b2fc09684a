"""Files of letters that may hold the same positions are found while their keys stream by."""

from datetime import datetime, timezone

from hypothesis import given, settings
from hypothesis import strategies as st

from record_processors.flow.record import Position
from record_processors.ops.letter_files import LetterFile
from record_processors.ops.overlaps import with_overlapping

THEN = datetime(2024, 1, 2, tzinfo=timezone.utc)
KINESIS = 495903382714902566 * 10**38
positions = st.builds(Position, st.integers(1, 120), st.integers(0, 12))
ranges = st.tuples(st.sampled_from("ab"), positions, positions).map(
    lambda one: (one[0], *sorted(one[1:]))
)


def key(shard, first, last):
    return f"errors/app/{shard}-{first}-{last}.jsonl"


@settings(max_examples=50)
@given(st.sets(ranges, max_size=12), st.sampled_from([0, KINESIS]))
def test_all_that_overlap_are_found(found, start):
    """All of them, Kinesis' numbers or not, however the lengths of numbers order the keys."""

    def moved(position):
        return Position(position.sequence + start, position.sub_sequence)

    found = {(shard, moved(first), moved(last)) for shard, first, last in found}
    of_key = {key(*one): one for one in found}
    files = [LetterFile(one, THEN, 1) for one in sorted(of_key)]
    told = {file.key: {one.key for one in near} for file, near in with_overlapping(files)}

    def overlap(one, other):
        is_same_shard = one[0] == other[0]
        return one != other and is_same_shard and one[1] <= other[2] and other[1] <= one[2]

    assert told == {
        name: {other for other in of_key if overlap(of_key[name], of_key[other])} for name in of_key
    }
