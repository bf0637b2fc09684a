"""What earlier lives wrote of a shard is found, whichever record a file begins with."""

import io

import pytest

from record_processors.aws.bucket import Bucket
from record_processors.aws.layout import LAYOUTS, file_key
from record_processors.files.earlier import EarlierFiles
from record_processors.flow.record import Position
from record_processors.flow.retry import Once
from support.fakes import record
from support.memory_aws import MemoryAws, refused

SHARD = "shardId-000000000001"
OTHER = "shardId-000000000010"
NOON = 1_709_640_000_000  # 2024-03-05 12:00 UTC
HOUR = 3_600_000
SECOND = 1000


@pytest.fixture
def s3():
    return MemoryAws()


def written(s3, *files, layout=LAYOUTS["date"]):
    """Write files, each by the sequence number and the arrival of its first record."""
    for sequence, arrival, *shard in files:
        name = shard[0] if shard else SHARD
        put(s3, file_key("here/app/", layout, name, f"{sequence}-0", arrival, ".json.gz"))


def put(s3, key):
    s3.put_object(Bucket="bucket", Key=key, Body=io.BytesIO(b"rows"))


def look(s3, sequence, arrival, layout=LAYOUTS["date"]):
    earlier = EarlierFiles(Bucket(s3, "bucket", Once()), "here/app/", layout)
    return earlier.look(SHARD, record(b"", sequence, arrival=arrival))


def test_the_first_file_at_a_record_or_after_it_is_found(s3):
    """Positions are compared as numbers; what begins before is checkpointed, and not looked at."""
    written(s3, *((each, NOON) for each in (9, 10, 11, *range(100, 120))))
    assert look(s3, 1, NOON) == Position(9)
    assert look(s3, 10, NOON) == Position(10)
    assert look(s3, 12, NOON) == Position(100)
    assert look(s3, 120, NOON) is None


def test_files_of_other_shards_are_none_of_ours(s3):
    """Neither a shard's whose name begins alike, nor what is no file."""
    written(s3, (10, NOON, OTHER), (11, NOON, f"{SHARD}-1"))
    put(s3, f"here/app/2024/03/05/12/{SHARD}-notes.txt")
    assert look(s3, 1, NOON) is None
    written(s3, (12, NOON))
    assert look(s3, 1, NOON) == Position(12)


@pytest.mark.parametrize("layout", [*LAYOUTS.values(), "a/dt={yyyy}-{MM}-{dd}", "{yyyy}"])
def test_hours_in_which_nothing_was_written_are_passed_over(s3, layout):
    """A file may begin days after the record, if all between was left out; one look finds it."""
    written(s3, (10, NOON), layout=layout)
    written(s3, (11, NOON + HOUR, OTHER), (20, NOON + 1000 * HOUR), layout=layout)
    assert look(s3, 10, NOON, layout) == Position(10)
    assert look(s3, 11, NOON, layout) == Position(20)
    assert look(s3, 21, NOON, layout) is None


def test_times_of_arrival_are_approximate(s3):
    """Of neighbours around the hour, the later one may lie in the folder of the earlier."""
    written(s3, (10, NOON - SECOND))
    assert look(s3, 9, NOON + SECOND) == Position(10)
    written(s3, (9, NOON + SECOND))
    assert look(s3, 8, NOON + SECOND) == Position(9)
    assert look(s3, 8, NOON - 30 * SECOND) == Position(9)


def test_what_lies_between_the_folders_is_passed_over(s3):
    """Manifests, letters that were put back, and things of others are no hours."""
    for name in ("manifests/a", "redriven/1/2024/03/05/12/x", "1/notes", "2024/03/README"):
        put(s3, f"here/app/{name}")
    for number in range(30):
        put(s3, f"here/app/2024/03/05/1{number}.txt")
    put(s3, f"here/app/2024/03/05/12/{SHARD}-15-0.parquet")
    assert look(s3, 1, SECOND) is None
    written(s3, (20, NOON))
    assert look(s3, 1, SECOND) == Position(20)


def test_what_cannot_be_listed_is_not_known(s3):
    """Nor what folders of another order, or a record without a time of arrival, do not tell."""
    written(s3, (10, 0))
    assert look(s3, 1, 0) is None
    written(s3, (10, NOON), layout="{HH}/{yyyy}")
    assert look(s3, 1, NOON, "{HH}/{yyyy}") is None

    def list_objects_v2(**_):
        raise refused("AccessDenied", 403)

    s3.list_objects_v2 = list_objects_v2
    assert look(s3, 1, NOON) is None
