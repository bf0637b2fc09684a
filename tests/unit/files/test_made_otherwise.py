"""A life goes on with another filter after a crash: what was written stays, on the stand-ins."""

import gzip
import itertools
import json
import logging

import boto3
import pytest

from record_processors.aws.bucket import Bucket
from record_processors.aws.failures import Denied
from record_processors.config.properties import load
from record_processors.errors import Fatal
from record_processors.kcl.assembly import assemble
from support.fakes import SHARD, properties, record

ARRIVAL = 1_704_164_645_000
NUMBERS = itertools.count()


@pytest.fixture
def live(stack, tmp_path):
    """Return what lets a life take all records from a checkpoint on; and what is in the bucket."""
    bucket = f"otherwise-{next(NUMBERS)}"
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=bucket)

    def live(expression, numbers, checkpoint=lambda _: None, **changes):
        more = {"connectorDestination": "s3", "s3Bucket": bucket, "kinesisOutputStream": None}
        more |= {"s3Endpoint": stack.properties["s3Endpoint"]}
        more |= {"filter": "jmespath", "filterExpression": expression}
        pipeline = assemble(load(properties(tmp_path, {**more, **changes})))
        pipeline.start(SHARD)
        records = [record(json.dumps({"n": n}), n, arrival=ARRIVAL) for n in numbers]
        pipeline.process(records, checkpoint)
        pipeline.flush(checkpoint)

    def rows():
        keys = [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]]
        bodies = [s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys]
        lines = [gzip.decompress(body).splitlines() for body in bodies]
        return sorted([json.loads(line)["n"] for line in each] for each in lines)

    return live, rows


@pytest.mark.parametrize(
    ("before", "now", "files"),
    [
        ("n > `2`", "n > `0`", [[1, 2], [3, 4, 5], [6]]),
        ("n > `0`", "n > `2`", [[1, 2, 3, 4, 5], [6]]),
        ("n > `2`", "n > `2`", [[3, 4, 5], [6]]),
    ],
)
def test_each_record_is_in_one_file(live, caplog, before, now, files):
    """Whichever of the filters keeps more, and wherever the file of before begins."""
    carry, rows = live
    carry(before, [1, 2, 3, 4, 5])
    passed = []
    caplog.clear()
    with caplog.at_level(logging.INFO):
        carry(now, [1, 2, 3, 4, 5, 6], passed.append)
    assert rows() == files
    assert [position.sequence for position in passed][-2:] == [5, 6]
    assert ("another transformer or filter" in caplog.text) == (before != now)


def test_another_compression_changes_no_more_than_the_next_file(live):
    """A file is found by where it begins, not by how its name ends."""
    carry, rows = live
    carry("n > `0`", [1, 2])
    carry("n > `0`", [1, 2, 3], s3Compression="gzip")
    carry("n > `0`", [1, 2], s3Compression="none")
    assert rows() == [[1, 2], [3]]


def test_what_is_listed_and_cannot_be_looked_at_is_not_written_over(live, monkeypatch):
    """Nobody knows how far it reaches: the life ends, and says which right it lacks."""
    carry, rows = live
    carry("n > `0`", [1, 2])

    def head(self, key, bucket=None):
        raise Denied(f"looking at {key}: 403")

    monkeypatch.setattr(Bucket, "head", head)
    with pytest.raises(Fatal, match=r"is there, .* s3:GetObject"):
        carry("n > `1`", [1, 2])
    assert rows() == [[1, 2]]
