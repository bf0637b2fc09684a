"""What no COPY takes of a row is a dead letter before it is in a file with others."""

import json

import boto3
import moto
import pytest

from record_processors.config.properties import load
from record_processors.files.loadable import ROW_BYTES
from record_processors.kcl.assembly import assemble
from support.fakes import SHARD, properties, record

GOOD = [b'{"id": 1}', b'{"id": 3}']
FIELDS = {"transformerColumns": "id, text"}
DELIMITED, CSV, TEXT = ({"transformer": name} for name in ("delimited", "csv", "text"))


def carried(folder, changes, *data):
    """Carry records through stage one; return how many rows were announced, and the reasons."""
    with moto.mock_aws():
        s3, kinesis = boto3.client("s3"), boto3.client("kinesis")
        s3.create_bucket(Bucket="bucket")
        kinesis.create_stream(StreamName="manifests", ShardCount=1)
        pipeline = assemble(load(properties(folder, {"s3Compression": "none", **changes})))
        pipeline.start(SHARD)
        pipeline.process([record(one, at) for at, one in enumerate(data, 1)], lambda _: None)
        pipeline.flush(lambda _: None)
        found = s3.list_objects_v2(Bucket="bucket").get("Contents", [])
        bodies = {
            one["Key"]: s3.get_object(Bucket="bucket", Key=one["Key"])["Body"].read()
            for one in found
        }
    letters = [body for key, body in bodies.items() if key.startswith("errors/")]
    rows = [body for key, body in bodies.items() if not key.startswith("errors/")]
    told = [json.loads(line) for line in b"".join(letters).splitlines()]
    assert all(letter["stage"] == "transform" for letter in told)
    return b"".join(rows).count(b"\n"), [letter["reason"] for letter in told]


@pytest.mark.parametrize(
    ("changes", "bad"),
    [
        ({}, rb'{"id": 2, "text": "a\u0000b"}'),
        ({}, rb'{"id": 2, "text": "\\\u0000"}'),
        ({**DELIMITED, **FIELDS}, rb'{"id": 2, "text": "a\u0000b"}'),
        ({**DELIMITED, **FIELDS}, rb'{"id": 2, "text": ["\u0000", "a\u0000"], "text": "\u0000"}'),
        ({**CSV, **FIELDS}, rb'{"id": 2, "text": "a\u0000b"}'),
        (TEXT, b"a\0b"),
        (TEXT, rb'{"id": 2, "text": "a\u0000b"}'),
    ],
)
def test_nul_in_what_is_loaded(changes, bad, tmp_path):
    """One record with U+0000 is one dead letter, and the others are loaded."""
    rows, (reason,) = carried(tmp_path, changes, GOOD[0], bad, GOOD[1])
    assert rows == 2
    assert "U+0000 in " in reason


@pytest.mark.parametrize(
    ("changes", "data"),
    [
        ({}, rb'{"id": 2, "text": "a\\u0000b"}'),  # a backslash, and five characters
        ({}, rb'{"id": 2, "nested": {"text": "a\u0000b"}, "list": ["\u0000"]}'),
        ({**CSV, **FIELDS}, rb'{"id": 2, "other": "a\u0000b"}'),
        (TEXT, rb"a\u0000b"),
        (TEXT, b'{"a": "caf\xe9\\u0000"}'),  # which is no JSON, as it is no UTF-8
        ({"connectorDestination": "s3", "kinesisOutputStream": None}, rb'{"text": "a\u0000b"}'),
    ],
)
def test_nul_where_it_does_no_harm(changes, data, tmp_path):
    """A key that is not loaded, what goes to a SUPER column, and files for others keep it."""
    assert carried(tmp_path, changes, GOOD[0], data, GOOD[1]) == (3, [])


def row_of(size, filling=b"x"):
    """Return a JSON object of so many bytes."""
    ends = b'{"text": "', b'"}'
    return ends[0] + filling * (size - len(b"".join(ends))) + ends[1]


BIG = {"bufferByteSizeLimit": "100000000"}


@pytest.mark.parametrize(
    ("changes", "bad", "size"),
    [
        ({}, row_of(ROW_BYTES + 1), "4,194,305"),
        ({}, row_of(5_000_000), "5,000,000"),
        ({}, row_of(ROW_BYTES // 2 + 20, b"|"), "4,194,332"),
        ({**CSV, **FIELDS}, row_of(5_000_000), "4,999,9"),
        (TEXT, b"x" * 5_000_000, "5,000,000"),
    ],
)
def test_rows_that_are_too_long(changes, bad, size, tmp_path):
    """A row beyond Redshift's 4 MB, where each | counts twice, is one dead letter."""
    rows, (reason,) = carried(tmp_path, {**BIG, **changes}, GOOD[0], bad, GOOD[1])
    assert rows == 2
    assert f"a row of {size}" in reason


def test_the_longest_row(tmp_path):
    """A row of 4 MB is loaded, as are many rows that are more together."""
    rows = [row_of(ROW_BYTES), *[row_of(100_000)] * 50, row_of(ROW_BYTES // 2 - 7, b"|")]
    assert carried(tmp_path, BIG, *rows) == (52, [])


def test_what_the_filter_passes_over_is_no_dead_letter(tmp_path):
    """What is not to be loaded need not be loadable."""
    changes = {"filter": "regex", "filterExpression": "id"}
    assert carried(tmp_path, changes, GOOD[0], rb'{"text": "\u0000"}') == (1, [])
