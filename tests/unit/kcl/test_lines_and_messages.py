"""What the daemon sends is read whole, and means what it means to ``amazon_kclpy``."""

import io
import json
import logging
import os
import re
import sys
import threading

import pytest
from amazon_kclpy import kcl
from amazon_kclpy.v3 import processor as v3
from hypothesis import given
from hypothesis import strategies as st

from record_processors.destinations.redshift.events import UNMATCHED
from record_processors.errors import Fatal
from record_processors.events import DEAD_LETTERS
from record_processors.flow.record import Record
from record_processors.kcl.line_reader import PIPE_BYTES, LineReader
from record_processors.kcl.log import OneLine, OneObject
from record_processors.kcl.processor import serve
from record_processors.kcl.protocol import load_action
from support.child_talk import record_message


class Trickle(io.RawIOBase):
    """Gives some bytes in pieces of given sizes, then all at once."""

    def __init__(self, content, sizes):
        self.rest, self.sizes = content, list(sizes)

    def readinto(self, buffer):
        size = min(len(buffer), self.sizes.pop() if self.sizes else len(buffer))
        piece, self.rest = self.rest[:size], self.rest[size:]
        buffer[: len(piece)] = piece
        return len(piece)


def read_all(lines):
    return [bytes(line) for line in iter(lines.readline, b"")]


@given(
    st.lists(
        st.one_of(st.binary(max_size=9), st.sampled_from([b"x" * n for n in (70_000, 300_000)]))
    ),
    st.lists(st.integers(1, 200_000)),
)
def test_lines_are_those_of_the_file(pieces, sizes):
    """However long the lines are and in whatever pieces they come, they are the file's."""
    content = b"\n".join(pieces)
    found = read_all(LineReader(Trickle(content, sizes)))
    assert found == io.BytesIO(content).readlines()


def test_lines_from_a_pipe():
    """Lines of megabytes come through a real pipe, and the file's end is an empty line."""
    source, sink = os.pipe()
    content = [b"a" * (3 * 2**20) + b"\n", b"\n", b"b" * PIPE_BYTES + b"\n", b"cut"]

    def write():
        with os.fdopen(sink, "wb") as out:
            out.writelines(content)

    writer = threading.Thread(target=write)
    writer.start()
    with io.FileIO(source) as raw:
        lines = LineReader(raw)
        assert read_all(lines) == content
        assert len(lines.readline()) == 0
    writer.join()


SEEN = (
    "binary_data", "data", "sequence_number", "sub_sequence_number", "partition_key",
    "timestamp_millis", "approximate_arrival_timestamp",
)  # fmt: skip


class Plain(v3.RecordProcessorBase):
    """A processor that knows nothing of us, and notes all that it can see."""

    def __init__(self):
        self.seen = []

    def initialize(self, given):
        self.seen.append((given.shard_id, given.sequence_number, given.sub_sequence_number))

    def process_records(self, given):
        self.seen.append((given.action, given.millis_behind_latest))
        for record in given.records:
            self.seen.append([getattr(record, name) for name in SEEN])
            self.seen.append([record.get(key) for key in ("action", "data", "partitionKey")])
        given.checkpointer.checkpoint(given.records[-1].sequence_number)

    def lease_lost(self, given):
        self.seen.append("lease lost")

    def shard_ended(self, given):
        given.checkpointer.checkpoint()

    def shutdown_requested(self, given):
        self.seen.append("shutdown requested")


SEQUENCE = 49590338271490256608559692538361925221059304674498969602


def message(data, **changes):
    return {**record_message(data, SEQUENCE, 3, "clé 😀", 1_709_618_828_123), **changes}


CALLS = [
    {"action": "initialize", "shardId": "s", "sequenceNumber": "LATEST", "subSequenceNumber": 0},
    {
        "action": "processRecords",
        "records": [message(b"one"), message(b"\0\xff" * 999, subSequenceNumber=4)],
        "millisBehindLatest": 17,
    },
    {"action": "checkpoint", "sequenceNumber": "1", "subSequenceNumber": 0, "error": None},
    {"millisBehindLatest": None, "records": [message(b"")], "action": "processRecords"},
    {"action": "checkpoint", "sequenceNumber": "1", "subSequenceNumber": 0, "error": None},
    {"action": "shutdownRequested"},
    {"action": "leaseLost"},
]


def test_a_plain_processor_sees_what_it_expects():
    """A processor written for amazon_kclpy sees and answers the same on our loop as on its own."""
    text = "".join(json.dumps(call) + "\n" for call in CALLS)
    ours, theirs = Plain(), Plain()
    our_answers, their_answers = io.StringIO(), io.StringIO()
    serve(ours, LineReader(Trickle(text.encode(), [])), our_answers)
    kcl.KCLProcess(theirs, io.StringIO(text), their_answers, io.StringIO()).run()

    assert ours.seen == theirs.seen
    assert len(ours.seen) == 11
    assert our_answers.getvalue() == their_answers.getvalue()


def test_records_come_as_they_are():
    """Our own processors get bytes, and what Kinesis did not say is 0."""
    unknown = message(b"x", approximateArrivalTimestamp=None, subSequenceNumber=None)
    call = {"action": "processRecords", "records": [unknown], "millisBehindLatest": 0}
    (record,) = load_action(json.dumps(call).encode()).delivered
    assert isinstance(record, Record)
    assert (record.data, record.arrival, record.position.sub_sequence) == (b"x", 0, 0)


WRONG = {
    "no JSON": b"{",
    "no object": b"[]",
    "no action": b"{}",
    "an unknown action": b'{"action":"dance"}',
    "a record alone": json.dumps(message(b"x")).encode(),
    "no records": b'{"action":"processRecords"}',
    "records that are none": b'{"action":"processRecords","records":[{}],"millisBehindLatest":0}',
    "data that is no base64": json.dumps(
        {
            "action": "processRecords",
            "records": [{**message(b""), "data": "!"}],
            "millisBehindLatest": 0,
        }
    ).encode(),
    "no UTF-8": json.dumps(
        {"action": "processRecords", "records": [message(b"")], "millisBehindLatest": 0},
        ensure_ascii=False,
    ).encode("latin-1", "replace"),
    "bytes of nothing": b"\xff\xfe",
    "a checkpoint without an error": b'{"action":"checkpoint"}',
}


@pytest.mark.parametrize("line", WRONG.values(), ids=WRONG)
def test_what_is_no_message_is_refused(line):
    """A line that is no message of the daemon ends the process with a sentence that says so."""
    with pytest.raises(Fatal, match="the daemon sent"):
        load_action(line)


def test_the_end_while_an_answer_is_awaited():
    """An empty line means that nobody will answer any more."""
    with pytest.raises(Fatal, match="the daemon is gone"):
        load_action(b"")


def test_a_records_text_is_no_line_of_the_log():
    """Whatever a record holds, what is said of it is one line, and a traceback comes behind."""
    formatter = OneLine()
    made = logging.makeLogRecord({"msg": "refused: %s", "args": ("a\r\n2026 FATAL forged",)})
    assert formatter.format(made).endswith(r"refused: a\r\n2026 FATAL forged")


def test_an_event_as_an_object():
    """With logFormat = json an event is one line: its name and fields beside the message."""
    bad = {"count": 2, "reason": "half \ud800\r\n2026 FATAL forged", "url": "s3://b/k"}
    made = logging.makeLogRecord(
        {
            "msg": "%d letters: %s",
            "args": (2, bad["reason"]),
            "levelname": "WARN",
            "threadName": "flights shardId-7",
            **DEAD_LETTERS.of(**bad),
        }
    )
    line = OneObject().format(made)
    told = json.loads(line)
    assert "\n" not in line
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", told.pop("time"))
    reason = "half \\ud800\r\n2026 FATAL forged"
    assert told == {
        "level": "WARN",
        "application": "flights",
        "shard": "shardId-7",
        "event": "dead-letters",
        "message": f"2 letters: {reason}",
        "count": 2,
        "reason": reason,
        "url": "s3://b/k",
    }


def test_a_traceback_is_in_the_object():
    """An error of the program itself is one object, its traceback a text in it."""
    try:
        raise KeyError("x")
    except KeyError:
        made = logging.makeLogRecord({"msg": "ends", "exc_info": sys.exc_info()})
    told = json.loads(OneObject().format(made))
    assert told["traceback"].startswith("Traceback")
    assert told["traceback"].endswith("KeyError: 'x'")


@pytest.mark.parametrize("value", [["a", "b"], 0, 1.5, False, {"a": 1}, ("x",), b"x"])
def test_any_field_of_an_event_is_written(value):
    """Whatever an event tells, its object is written, zero and false too."""
    made = logging.makeLogRecord({"msg": "x", **UNMATCHED.of(value=value)})
    expected = value if isinstance(value, (list, int, float)) else str(value)
    assert json.loads(OneObject().format(made))["value"] == expected
