"""Where files of rows lie, how S3 keeps them, and what a file may not say of it."""

import gzip
import itertools
import json
import re

import boto3
import pytest

from record_processors.aws.layout import LAYOUT, LAYOUTS, file_key
from record_processors.aws.stored_as import STORAGE_CLASS, TAGS, stored_as
from record_processors.config.properties import load
from record_processors.files.file import File
from record_processors.kcl.assembly import assemble
from support.fakes import SHARD, properties, record
from support.fault_proxy import Fault, Proxy

ARRIVAL = 1704164645678  # 2024-01-02T03:04:05.678Z
NUMBERS = itertools.count(1)


@pytest.mark.parametrize(
    ("layout", "folders"),
    [
        ("date", "2024/01/02/03"),
        ("hive", "year=2024/month=01/day=02/hour=03"),
        ("dt={yyyy}-{MM}-{dd}/hour={HH}", "dt=2024-01-02/hour=03"),
        ("raw/{yyyy}", "raw/2024"),
    ],
)
def test_the_folders(layout, folders):
    """A file lies in folders of the hour in which its first record arrived, by the same name."""
    key = file_key("a/app/", LAYOUT.parse(layout), SHARD, "10-0", ARRIVAL, ".json.gz")
    assert key == f"a/app/{folders}/{SHARD}-10-0.json.gz"


def test_the_default_is_the_date():
    """Where a file says nothing, keys are as they have always been."""
    assert LAYOUT.default == LAYOUT.parse("date") == LAYOUTS["date"]


def test_the_longest_key_fits():
    """With all at its longest, a key is no longer than S3 takes."""
    layout = LAYOUT.parse("{yyyy}" + "x" * 250)
    folder = "p" * 256 + "a" * 255 + "/"
    key = file_key(folder, layout, "s" * 128, f"{10**59}-{10**19}", ARRIVAL, ".parquet.zst")
    File(bucket="bucket", key=key)


@pytest.mark.parametrize(
    ("layout", "reason"),
    [
        ("hvie", "did you mean hive?"),
        ("year", "not date, hive, or folders with"),
        ("{yyyy}/{mm}", "{mm} between its slashes is not"),
        ("{yyyy}/{shard}", "{shard} between its slashes is not"),
        ("{yyyy}/{MM", "{MM between its slashes is not"),
        ("{yyyy!r}/{MM}", "{yyyy!r} between its slashes is not"),
        ("/{yyyy}", "nothing between its slashes is not"),
        ("{yyyy}/", "nothing between its slashes is not"),
        ("{yyyy}//{MM}", "nothing between its slashes is not"),
        ("../{yyyy}", ".. between its slashes is not"),
        ("{yyyy}/a b", "a b between its slashes is not"),
        ("{yyyy}/é", "é between its slashes is not"),
        ("{yyyy}" + "x" * 251, "more than 256 bytes"),
    ],
)
def test_a_layout_that_is_none(layout, reason):
    """Whatever is no function of the hour alone, or no clean path, is refused in words."""
    with pytest.raises(ValueError, match=re.escape(reason)):
        LAYOUT.parse(layout)


@pytest.mark.parametrize("archive", ["GLACIER", "DEEP_ARCHIVE"])
def test_an_archive_is_refused(archive):
    """A class from which COPY cannot read is refused, with the way that does it."""
    with pytest.raises(ValueError, match="lifecycle rule of the bucket"):
        STORAGE_CLASS.parse(archive)


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ("team", "team is not NAME=VALUE"),
        ("team=data,", "nothing is not NAME=VALUE"),
        ("=data", "=data is not NAME=VALUE"),
        ("a=1, a=2", "a stands there twice"),
        ("aws:x=1", "are AWS's own"),
        ("k" * 129 + "=1", "more than 128 characters"),
        ("😀" * 65 + "=1", "more than 128 characters"),
        ("k=" + "v" * 257, "more than 256 characters"),
        ("k=a&b", "a&b: S3 takes letters, digits, blanks and"),
        (", ".join(f"k{n}=v" for n in range(11)), "11 tags; S3 takes 10"),
    ],
)
def test_tags_that_s3_refuses(tags, reason):
    """What S3 would refuse of each file is refused before there is one."""
    with pytest.raises(ValueError, match=re.escape(reason)):
        TAGS.parse(tags)


@pytest.mark.parametrize("n", [1, 10])
def test_tags_at_their_limits(n):
    """The longest and the most that S3 takes are taken, and a value may be empty or hold a `=`."""
    tags = {f"{i}" + "é" * 127: "+-=._:/@ " * 28 + "v" for i in range(n - 1)} | {"empty": ""}
    assert TAGS.parse(",".join(f" {k} = {v} " for k, v in tags.items())) == tags


# ---- on the stand-ins


@pytest.fixture
def wire(stack):
    proxy = Proxy(stack.properties["s3Endpoint"], [])
    yield proxy
    proxy.close()


@pytest.fixture
def life(stack, wire, tmp_path):
    """Return what carries one record with some settings changed; and the bucket."""
    bucket = f"layout-{next(NUMBERS)}"
    boto3.client("s3").create_bucket(Bucket=bucket)

    def carry(word, **changes):
        base = {"connectorDestination": "s3", "s3Bucket": bucket, "s3Endpoint": wire.endpoint}
        base |= {"kinesisOutputStream": None, "backoffInterval": "1"}
        pipeline = assemble(load(properties(tmp_path, {**base, **changes})))
        pipeline.start(SHARD)
        pipeline.process([record(word, 10, arrival=ARRIVAL)], lambda _: None)
        pipeline.flush(lambda _: None)

    return carry, bucket


def test_a_file_is_kept_as_the_settings_say(life):
    """Folders, class and tags are those of the settings; a letter has none of them."""
    carry, bucket = life
    s3 = boto3.client("s3")
    how = {"s3Layout": "hive", "s3StorageClass": "STANDARD_IA", "s3Tags": "team=a b, env=p/+"}
    carry("no json", **how)
    carry('{"a": 1}', **how)
    letter, file = s3.list_objects_v2(Bucket=bucket)["Contents"]
    assert file["Key"] == f"flights/year=2024/month=01/day=02/hour=03/{SHARD}-10-0.json.gz"
    assert file["StorageClass"] == "STANDARD_IA"
    tags = s3.get_object_tagging(Bucket=bucket, Key=file["Key"])["TagSet"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {"team": "a b", "env": "p/+"}
    assert letter["Key"].startswith("errors/flights/shardId")
    assert letter["StorageClass"] == "STANDARD"
    assert s3.get_object_tagging(Bucket=bucket, Key=letter["Key"])["TagSet"] == []


@pytest.mark.parametrize("word", ['{"a": 1}', "no json"])
def test_what_is_damaged_on_its_way_is_written_again(life, wire, word):
    """S3 compares file and letter with the checksum sent along, and has what was meant."""
    carry, bucket = life
    wire.faults.append(Fault(f"PUT /{bucket}/", "damage"))
    carry(word)
    assert wire.statuses[400] == 1
    s3 = boto3.client("s3")
    (found,) = s3.list_objects_v2(Bucket=bucket)["Contents"]
    body = s3.get_object(Bucket=bucket, Key=found["Key"])["Body"].read()
    if word == "no json":
        assert json.loads(body)["reason"].startswith("not one JSON object")
    else:
        assert gzip.decompress(body) == b'{"a": 1}\n'
    (checksum,) = found["ChecksumAlgorithm"]
    assert checksum == "SHA256"


def test_nothing_is_said_that_is_not_set(tmp_path):
    """Without the settings the bucket decides, and no right to tag is needed."""
    assert stored_as(load(properties(tmp_path))) == {}
