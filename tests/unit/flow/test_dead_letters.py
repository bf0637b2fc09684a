"""What can go nowhere else is kept, byte for byte, and no later write takes it away."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from record_processors import DeadLetters, Fatal
from record_processors.flow.batch import RejectedRecord
from support.fakes import SHARD, JournalBucket, record


def make(limit=1_000_000):
    bucket = JournalBucket([])
    letters = DeadLetters(bucket, "errors/flights/", "events", limit)
    letters.start(SHARD)
    return letters, bucket


def lines(bucket):
    return [json.loads(line) for body in bucket.bodies.values() for line in body.splitlines()]


def test_fields():
    """A dead letter is one JSON line with exactly the fields of the contract."""
    letters, bucket = make()
    bad = record(b"\xff{", 17, 3, key="kéy", arrival=1700000000123)
    letters.add(bad, "transform", "not UTF-8 — at all\n")
    letters.write()
    ((key, body),) = bucket.bodies.items()
    assert key == f"errors/flights/{SHARD}-17-3-17-3.jsonl"
    assert body.endswith(b"\n")
    assert body.count(b"\n") == 1
    assert json.loads(body) == {
        "version": 1,
        "stream": "events",
        "shard": SHARD,
        "position": "17-3",
        "arrival": 1700000000123,
        "partitionKey": "kéy",
        "data": base64.b64encode(b"\xff{").decode(),
        "stage": "transform",
        "reason": "not UTF-8 — at all\n",
    }


@given(st.lists(st.tuples(st.binary(), st.text()), min_size=1, max_size=9))
def test_every_byte_is_kept(bad):
    """The data read back are the record's bytes, in order, whatever the bytes and the reason."""
    letters, bucket = make()
    for sequence, (data, reason) in enumerate(bad):
        letters.add(record(data, sequence), "filter", reason)
    letters.write()
    assert [base64.b64decode(line["data"]) for line in lines(bucket)] == [data for data, _ in bad]
    assert [line["position"] for line in lines(bucket)] == [f"{n}-0" for n in range(len(bad))]
    assert list(bucket.bodies) == [f"errors/flights/{SHARD}-0-0-{len(bad) - 1}-0.jsonl"]


def test_half_a_surrogate_pair_is_no_reason_to_lose_a_record():
    """A reason or a partition key that is no proper text is written in escaped form."""
    letters, bucket = make()
    letters.add(record(b"x", 1, key="k\ud800"), "transform", "bad \udcff")
    letters.write()
    (letter,) = lines(bucket)
    assert letter["reason"] == "bad \\udcff"
    assert letter["partitionKey"].startswith("k")


def test_repeating_repeats_the_object():
    """The same records in a later life make the same key and the same bytes."""
    written = []
    for _ in range(2):
        letters, bucket = make()
        letters.add(record("a", 1), "transform", "x")
        letters.add(record("b", 5), "transform", "y")
        letters.write()
        written.append(bucket.bodies)
    assert written[0] == written[1]


def test_a_different_batch_is_a_different_object():
    """A life with other thresholds writes beside the earlier objects, never over them."""
    letters, bucket = make()
    letters.add(record("a", 1), "transform", "x")
    letters.write()
    letters.add(record("a", 1), "transform", "x")
    letters.add(record("b", 2), "transform", "x")
    letters.write()
    assert [len(body.splitlines()) for body in bucket.bodies.values()] == [1, 2]


def test_nothing_is_written_when_nothing_is_rejected():
    """Without rejected records there is no object, and after a write nothing is left to write."""
    letters, bucket = make()
    letters.write()
    assert bucket.bodies == {}
    letters.add(record("a", 1), "transform", "x")
    letters.write()
    letters.write()
    assert len(bucket.journal) == 1


def test_memory_is_bounded():
    """When their lines reach the byte limit they are written, and not held any longer."""
    letters, bucket = make(limit=1000)
    for sequence in range(100):
        letters.add(record("x" * 100, sequence), "transform", "bad")
        held = sum(map(len, letters._lines))
        assert held < 1000
    letters.write()
    assert len(bucket.bodies) > 10
    assert len(lines(bucket)) == 100


def test_a_refused_load_is_an_object_of_its_own():
    """Each file that could not be loaded is written at once and alone, among others."""
    letters, bucket = make()
    letters.add(record("a", 1), "transform", "x")
    refused = [RejectedRecord(record("b", 2), "bad row"), RejectedRecord(record("c", 3), "bad row")]
    letters.write_rejected(refused, "load")
    assert bucket.journal == [("letters", "2-0"), ("letters", "3-0")]
    letters.write()
    assert bucket.journal[2:] == [("letters", "1-0")]
    assert [key.removeprefix(f"errors/flights/{SHARD}") for key in bucket.bodies] == [
        "-2-0-2-0.jsonl",
        "-3-0-3-0.jsonl",
        "-1-0-1-0.jsonl",
    ]


def test_two_reasons_for_one_record_are_lines_of_one_object():
    """Whatever comes between them, they share the record's file, in the order of refusal."""
    letters, bucket = make()
    again, other = record("b", 2), record("a", 1)
    refused = [
        RejectedRecord(again, "too long"),
        RejectedRecord(other, "dull"),
        RejectedRecord(again, "too loud"),
    ]
    letters.write_rejected(refused, "emit")
    assert bucket.journal == [("letters", "1-0"), ("letters", "2-0", "2-0")]
    assert [(one["position"], one["reason"]) for one in lines(bucket)] == [
        ("1-0", "dull"),
        ("2-0", "too long"),
        ("2-0", "too loud"),
    ]


def test_what_could_not_be_written_is_still_there():
    """If a write fails, the letters are not forgotten."""
    letters, bucket = make()
    letters.add(record("a", 1), "transform", "x")
    put, bucket.put = bucket.put, lambda key, body: (_ for _ in ()).throw(Fatal("no bucket"))
    with pytest.raises(Fatal):
        letters.write()
    bucket.put = put
    letters.write()
    assert len(lines(bucket)) == 1
