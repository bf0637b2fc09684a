"""What stage one tells stage two reads back, and junk is refused record by record."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from record_processors import Position, Rejected
from record_processors.files.file import ChainName, File
from record_processors.files.message import FileMessages, read_message
from support.fakes import record

MESSAGE = {
    "version": 1,
    "application": "flights",
    "bucket": "bucket",
    "key": "events/flights/2024/01/02/03/shardId-000000000000-5-0.json.gz",
    "bytes": 1234,
    "rows": 10,
    "stream": "events",
    "shard": "shardId-000000000000",
    "first": "5-0",
    "last": "17-3",
    "format": "json",
    "compression": "gzip",
}


def encoded(**changes):
    merged = {**MESSAGE, **changes}
    return json.dumps({key: value for key, value in merged.items() if value is not ...}).encode()


def test_a_message_has_the_fields_of_the_contract():
    """The message is one JSON object with exactly these fields, in this order, on one line."""
    sent = File(**MESSAGE).encode()
    assert json.loads(sent, object_pairs_hook=list) == list(MESSAGE.items())
    assert b"\n" not in sent


text = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40)
positions = st.builds(Position, st.integers(0, 2**128), st.integers(0, 2**31))


@given(text, text, text, st.lists(positions, min_size=2, max_size=2), st.integers(0, 2**50))
def test_round_trip(key, application, shard, ends, size):
    """A message reads back as the file that was written."""
    first, last = sorted(ends)
    file = File(
        bucket="bucket",
        key=key,
        application=application,
        stream="events",
        shard=shard,
        first=str(first),
        last=str(last),
        bytes=size,
        rows=5,
        format="csv",
        compression="none",
    )
    assert read_message(file.encode(), "other") == file
    assert file.covered == (first, last)
    assert file.chain == ChainName(application, "events", shard)
    assert file.is_whole


@pytest.mark.parametrize(
    ("sent", "url"),
    [
        (b"events/a.json.gz", "s3://home/events/a.json.gz"),
        (b" events/a b.json\n", "s3://home/events/a b.json"),
        (b"s3://there/events/a.json", "s3://there/events/a.json"),
        ("événements/😀".encode(), "s3://home/événements/😀"),
        (b'"quoted"', 's3://home/"quoted"'),
        (b'{"bucket":"there","key":"a"}', "s3://there/a"),
        (b' \n{"version":1,"bucket":"there","key":"a","more":{"x":[1]}}\n', "s3://there/a"),
    ],
)
def test_bare_paths_and_sparse_messages(sent, url):
    """A bare path lies in our own bucket unless it names one; what is not said is unknown."""
    file = read_message(sent, "home")
    assert file.url == url
    assert not file.is_whole
    assert (file.chain, file.bytes, file.first) == (None, None, None)


REFUSED = {
    "nothing": b"",
    "blanks": b" \n\t",
    "not UTF-8": b"\xff\xfe",
    "control characters": b"a\x00b",
    "two lines": b"a\nb",
    "BOM": b"\xef\xbb\xbf" + encoded(),
    "a bucket alone": b"s3://bucket",
    "no key": b"s3://bucket/",
    "no bucket": b"s3:///key",
    "no such bucket's name": b"s3://My Bucket/key",
    "a path in a directory bucket": b"s3://logs--use1-az4--x-s3/key",
    "a directory bucket": encoded(bucket="logs--use1-az4--x-s3"),
    "a key too long for S3": b"k" * 1025,
    "array": b'["a"]',
    "cut off": encoded()[:-1],
    "two messages": encoded() + encoded(),
    "version 2": encoded(version=2),
    "version 0": encoded(version=0),
    "version as text": encoded(version="1"),
    "without a key": encoded(key=...),
    "without a bucket": encoded(bucket=...),
    "empty key": encoded(key=""),
    "empty bucket": encoded(bucket=""),
    "key of another type": encoded(key=5),
    "wrong bucket": encoded(bucket="My Bucket"),
    "long key": encoded(key="k" * 1025),
    "long key in UTF-8": encoded(key="é" * 513),
    "NUL in the key": encoded(key="a\0b"),
    "NUL in the shard": encoded(shard="a\0b"),
    "long application": encoded(application="a" * 257),
    "bytes as text": encoded(bytes="12"),
    "bytes below zero": encoded(bytes=-1),
    "rows below zero": encoded(rows=-1),
    "unknown compression": encoded(compression="lzma"),
    "range upside down": encoded(first="17-3", last="5-0"),
    "range upside down inside a record": encoded(first="5-2", last="5-1"),
    "first alone": encoded(last=...),
    "last alone": encoded(first=...),
    "junk position": encoded(first="five"),
    "position as number": encoded(first=5),
    "endless position": encoded(last="9" * 5000 + "-0"),
    "position too long for the ledger": encoded(last="9" * 200 + "-0"),
    "deep": b'{"key":' + b"[" * 100_000,
    "half a surrogate pair": b'{"bucket":"bucket","key":"\\ud800"}',
}


@pytest.mark.parametrize("sent", REFUSED.values(), ids=REFUSED)
def test_junk_is_rejected(sent):
    """What announces no file that can exist is one dead letter, and stops nothing."""
    with pytest.raises(Rejected, match="manifest message"):
        read_message(sent, "home")


def test_version_is_named():
    """A message of a later version is refused by its version, so that one knows what to update."""
    with pytest.raises(Rejected, match="version 2"):
        read_message(encoded(version=2), "home")


def _damaged(draw_from):
    return st.builds(
        lambda at, junk: encoded()[:at] + junk + encoded()[at + 1 :],
        st.integers(0, len(encoded())),
        draw_from,
    )


@given(st.one_of(st.binary(), st.text().map(str.encode), _damaged(st.binary(max_size=3))))
def test_anything_is_a_file_or_rejected(sent):
    """Whatever bytes come, they announce one usable file or are rejected; nothing else happens."""
    try:
        file = read_message(sent, "home")
    except Rejected:
        return
    assert file.bucket
    assert 0 < len(file.key.encode()) <= 1024
    assert file.version == 1
    if file.chain:
        first, last = file.covered
        assert first <= last


def test_transformer():
    """As a transformer it makes one file of one message."""
    assert FileMessages("home").transform(record("a")) == (File(bucket="home", key="a"),)


def test_what_a_bare_path_does_not_say_comes_from_the_object():
    """Size and compression are the object's, the rest its metadata; what lacks stays unknown."""
    head = {
        "ContentLength": 99,
        "Metadata": {
            "first-position": "5-0",
            "last-position": "7-0",
            "rows": "3",
            "format": "json",
            "application": "flights",
        },
    }
    file = read_message(b"a.json.gz", "home").completed(head)
    assert (file.bytes, file.compression, file.rows) == (99, "gzip", 3)
    assert (file.first, file.last, file.format, file.application) == (
        "5-0",
        "7-0",
        "json",
        "flights",
    )
    bare = read_message(b"a.txt", "home").completed({"ContentLength": 0})
    assert (bare.bytes, bare.compression, bare.rows, bare.chain) == (0, "none", None, None)
    assert read_message(b"a.zst", "home").completed(head).compression == "zstd"


def test_what_a_message_says_is_not_overruled():
    """The message comes before the object's metadata."""
    file = File(**MESSAGE)
    head = {"ContentLength": 1, "Metadata": {"rows": "1", "format": "csv", "first-position": "1-0"}}
    assert file.completed(head) == file
