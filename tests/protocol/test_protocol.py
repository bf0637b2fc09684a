"""What the daemon sees of the child: the protocol, and what is durable when it says so.

Each test plays a transcript to the real child. ``test_safety_lines`` plays some of them again to
children with one line broken, and expects them to fail.
"""

import gzip
import json
import random
import signal
import sys

import pytest

from protocol.daemon import (
    END_OF_SHARD,
    FILTERED,
    KEPT,
    REJECTED,
    SECRETS,
    SHARD,
    Scenes,
    announce,
    at,
    checkpoint,
    key,
    put,
    record,
    records,
    status,
    written,
)
from record_processors.kcl.supervisor import STOPS
from support.child_talk import SECONDS
from support.fault_proxy import Fault

PROCESSED = status("processRecords")
SHUTDOWN = status("shutdownRequested")


@pytest.fixture
def make(tmp_path):
    with Scenes(tmp_path) as scenes:
        yield scenes


def assert_failed(daemon, *sentences):
    """Expect exit code 70, the sentences, and no traceback: it was no bug of ours."""
    assert daemon.code() == 70, daemon.told()
    for sentence in sentences:
        assert sentence in daemon.told()
    assert "Traceback" not in daemon.told(), "a traceback for what is no bug of ours"


def assert_silent(scene, daemon, effects):
    """Expect answers to whatever comes, and no more; then exit code 0."""
    assert daemon.process_records(records(101, 125)) == [PROCESSED]
    assert daemon.call("shutdownRequested") == [SHUTDOWN]
    assert daemon.call("leaseLost") == [status("leaseLost")]
    assert daemon.end() == 0
    assert scene.effects == [*effects, PROCESSED, SHUTDOWN, status("leaseLost")]


def said_to_empty_calls(daemon):
    """Return what is said to calls without records: enough of them to take a millisecond."""
    return [heard for _ in range(100) for heard in daemon.process_records()]


# Thresholds, and the order of effects.


def test_the_count_cuts(make):
    """25 records with a limit of 10 give objects of 10 and 10, each announced, then passed."""
    scene = make()
    daemon = scene.ready()
    daemon.process_records(records(1, 25))
    assert scene.effects == [
        status("initialize"),
        *written(1, 10),
        *written(11, 20),
        PROCESSED,
    ]
    assert daemon.process_records() == [PROCESSED], "5 wait: the time limit is far away"
    assert daemon.call("shutdownRequested") == [checkpoint(25), SHUTDOWN]
    assert scene.effects[-4:] == [put(21), announce(21), checkpoint(25), SHUTDOWN]
    assert daemon.end() == 0
    assert [len(found.rows) for found in scene.objects()] == [10, 10, 5]
    scene.assert_exactly_once()


def test_the_bytes_cut(make):
    """An object is written when the records' bytes reach the limit, not before."""
    size = len(record(1).data)
    scene = make(bufferByteSizeLimit=3 * size, bufferRecordCountLimit=1000)
    daemon = scene.ready()
    assert daemon.process_records(records(1, 2)) == [PROCESSED]
    assert daemon.process_records(records(3, 7)) == [checkpoint(3), checkpoint(6), PROCESSED]
    assert [len(found.rows) for found in scene.objects()] == [3, 3]


def test_an_empty_call_flushes_on_time(make):
    """What has waited for the time limit is written at the next call, though it brings nothing."""
    scene = make(bufferMillisecondsLimit=1)
    daemon = scene.ready()
    said = daemon.process_records(records(1, 3))
    assert checkpoint(3) in said or checkpoint(3) in said_to_empty_calls(daemon)
    scene.assert_exactly_once()


def test_filtered_records_move_the_checkpoint(make):
    """A shard of which every record is filtered out is checkpointed, and nothing is written."""
    scene = make(bufferMillisecondsLimit=1)
    daemon = scene.ready()
    said = daemon.process_records(record(n, fate=FILTERED) for n in range(1, 4))
    assert checkpoint(3) in said or checkpoint(3) in said_to_empty_calls(daemon)
    assert {what for what, *_ in scene.effects} == {"status", "checkpoint"}


def test_a_checkpoint_covers_what_was_filtered(make):
    """Records filtered out after the last kept one belong to the object's range."""
    scene = make()
    daemon = scene.ready()
    daemon.process_records([record(1, fate=FILTERED), record(2), record(3, fate=FILTERED)])
    assert daemon.call("shutdownRequested") == [checkpoint(3), SHUTDOWN]
    assert [(found.first, found.last) for found in scene.objects()] == [(at(2), at(3))]
    scene.assert_exactly_once()


def test_metadata_say_what_an_object_is(make):
    """An object's metadata hold its range, rows, format and application."""
    scene = make()
    scene.ready().process_records(records(1, 10))
    (found,) = scene.objects()
    said = {name: found.metadata[name] for name in ("rows", "format", "application")}
    assert said == {"rows": "10", "format": "json", "application": "flights"}
    assert (found.first, found.last) == (at(1), at(10))


def test_metadata_say_which_file_of_its_life_an_object_is(make):
    """Since which checkpoint, which file from there on, and what became of the records so far."""
    scene = make(bufferRecordCountLimit=2)
    daemon = scene.ready()
    daemon.process_records([record(1), record(2), record(3, fate=FILTERED), record(4), record(5)])
    names = ("files", "records", "filtered", "refused", "skipped")
    said = [[found.metadata[name] for name in names] for found in scene.objects()]

    assert said == [["1", "2", "0", "0", "0"], ["2", "4", "1", "0", "0"]]
    assert {found.metadata["since"] for found in scene.objects()} == {"TRIM_HORIZON"}


# Records.


def test_an_aggregate_is_cut_between_its_records(make):
    """A flush inside a KPL aggregate checkpoints the sub-sequence of the last durable record."""
    scene = make(bufferRecordCountLimit=3)
    daemon = scene.ready()
    said = daemon.process_records([record(1, sub) for sub in range(5)])
    assert said == [checkpoint(1, 2), PROCESSED]
    assert daemon.call("shutdownRequested") == [checkpoint(1, 4), SHUTDOWN]
    assert [found.key for found in scene.objects()] == [key(1, 0), key(1, 3)]
    scene.assert_exactly_once()


def test_a_record_without_arrival_lies_in_1970(make):
    """The key of an object whose first record has no time of arrival is under 1970/01/01/00."""
    scene = make()
    daemon = scene.ready()
    daemon.process_records([record(1, arrival=None), record(2)])
    assert daemon.call("shutdownRequested") == [checkpoint(2), SHUTDOWN]
    assert [found.key for found in scene.objects()] == [key(1, hour="1970/01/01/00")]
    scene.assert_exactly_once()


def test_a_bad_record_is_a_dead_letter_first(make):
    """A dead letter is there before the object that covers its record; the rest is delivered."""
    scene = make(bufferRecordCountLimit=3)
    daemon = scene.ready()
    given = [record(1), record(2, fate=REJECTED), record(3), record(4)]
    daemon.process_records(given)
    letter = ("put", f"errors/flights/{SHARD}-{at(2)}-{at(2)}.jsonl")
    assert scene.effects == [status("initialize"), letter, *written(1, 4), PROCESSED]
    (found,) = scene.dead_letters()
    assert found["reason"].startswith("not one JSON object"), found
    assert {name: found[name] for name in ("stream", "shard", "stage", "arrival", "data")} == {
        "stream": "events",
        "shard": SHARD,
        "stage": "transform",
        "arrival": given[1].arrival,
        "data": given[1].message["data"],
    }
    scene.assert_exactly_once()


def test_bad_records_alone_move_the_checkpoint(make):
    """A call of which every record is rejected is passed once the dead letters are there."""
    scene = make()
    daemon = scene.ready()
    daemon.process_records(record(n, fate=REJECTED) for n in range(1, 4))
    assert daemon.call("shutdownRequested") == [checkpoint(3), SHUTDOWN]
    assert len(scene.dead_letters()) == 3
    scene.assert_exactly_once()


def test_what_a_destination_refuses_is_a_dead_letter(make):
    """A record that the emitter rejects is a dead letter before the checkpoint passes it."""
    scene = make(connectorDestination="mine:Picky", transformer="mine:Bytes", filter="all")
    del scene.settings["filterExpression"]
    scene.configure()
    scene.module("""
from record_processors import Emitter, Transformer

class Bytes(Transformer):
    def transform(self, record):
        return record.data,

class Picky(Emitter):
    def emit(self, batch):
        for kept in batch.kept:
            batch.reject(kept.record, "not to my taste")
""")
    daemon = scene.ready()
    daemon.process_records(record(n, fate=REJECTED) for n in range(1, 3))
    assert daemon.call("shutdownRequested") == [checkpoint(2), SHUTDOWN]
    assert {letter["stage"] for letter in scene.dead_letters()} == {"emit"}
    scene.assert_exactly_once()


@pytest.mark.parametrize("kind", ["hold", "delay-after"])
def test_what_is_refused_of_a_file_is_a_dead_letter_before_it(make, kind):
    """A child killed before its file is written, or right after, loses nothing that it refused."""
    scene = make(connectorDestination="mine:Picky", transformer="text", filter="all")
    del scene.settings["filterExpression"]
    scene.configure(bufferRecordCountLimit=3)
    scene.module("""
from record_processors.destinations.s3_manifest import S3ManifestEmitter

class Picky(S3ManifestEmitter):
    def emit(self, batch):
        bad = [kept for kept in batch.kept if kept.record.data.startswith(b"bad")]
        for kept in bad:
            batch.reject(kept.record, "not to my taste")
        batch.kept = [kept for kept in batch.kept if kept not in bad]
        return super().emit(batch)
""")
    fault = Fault(f"PUT /{scene.bucket}/flights/", kind)
    scene.proxy.faults.append(fault)
    given = [record(1), record(2, fate=REJECTED), record(3)]
    daemon = scene.ready()
    daemon.deliver(given)
    assert fault.arrived.wait(30)
    daemon.kill()
    fault.released.set()
    assert scene.ready().process_records(given) == [checkpoint(3), PROCESSED]
    letter = ("put", f"errors/flights/{SHARD}-{at(2)}-{at(2)}.jsonl")
    file = ("put", key(1, extension=".txt.gz"))
    assert scene.effects.index(letter) < scene.effects.index(file)
    scene.assert_exactly_once()


def test_two_reasons_for_a_record_are_two_lines_of_one_dead_letter(make):
    """What an emitter refuses twice is one file with both reasons; another record has its own."""
    scene = make(connectorDestination="mine:Picky", transformer="text", filter="all")
    del scene.settings["filterExpression"]
    scene.configure()
    scene.module("""
from record_processors import Emitter

class Picky(Emitter):
    def emit(self, batch):
        for reason in ("too long", "too loud"):
            for kept in batch.kept:
                batch.reject(kept.record, reason)
""")
    daemon = scene.ready()
    daemon.process_records(record(n, fate=REJECTED) for n in range(1, 3))
    assert daemon.call("shutdownRequested") == [checkpoint(2), SHUTDOWN]
    names = [f"errors/flights/{SHARD}-{at(n)}-{at(n)}.jsonl" for n in (1, 2)]
    assert [effect for effect in scene.effects if effect[0] == "put"] == [
        ("put", name) for name in names
    ]
    assert [(letter["position"], letter["reason"]) for letter in scene.dead_letters()] == [
        (str(at(n)), reason) for n in (1, 2) for reason in ("too long", "too loud")
    ]


def test_files_are_of_the_format_of_the_pipelines_own_transformer(make):
    """A pipeline of one's own names its files by its transformer, not by the one of the file."""
    scene = make(connectorDestination="mine:Mine", transformer="json", bufferRecordCountLimit=2)
    scene.module("""
from record_processors import Buffer, Pipeline, Transformer
from record_processors.destinations.s3_manifest import S3ManifestEmitter
from record_processors.filters.all import All

class Lines(Transformer):
    format = "csv"

    def transform(self, record):
        return record.data,

class Mine(Pipeline):
    declares = S3ManifestEmitter.declares

    @classmethod
    def from_settings(cls, settings, dead_letters):
        emitter = S3ManifestEmitter.from_settings(settings)
        return cls(Lines(), All(), Buffer.from_settings(settings), emitter, dead_letters)
""")
    assert scene.ready().process_records(records(1, 2)) == [checkpoint(2), PROCESSED]
    (found,) = scene.objects()
    assert (found.key, found.metadata["format"]) == (key(1, extension=".csv.gz"), "csv")
    scene.assert_exactly_once()


@pytest.mark.parametrize("sequence_number", ["TRIM_HORIZON", "LATEST", None, str(at(3).sequence)])
def test_every_beginning(make, sequence_number):
    """The child begins at whatever the daemon says that the shard's checkpoint is."""
    scene = make()
    daemon = scene.daemon()
    assert daemon.initialize(sequence_number) == [status("initialize")]
    daemon.process_records(records(4, 6))
    assert daemon.call("shutdownRequested") == [checkpoint(6), SHUTDOWN]
    scene.assert_exactly_once()


# Pipes and signals.


def test_the_protocol_is_out_of_reach(make):
    """What a transformer prints, in Python or below it, is no message; what it reads is nothing."""
    scene = make(transformer="mine:Noisy", bufferRecordCountLimit=2)
    scene.module("""
import os, select, sys
from record_processors import Transformer

NOISE = '\\n{"action": "status", "responseFor": "processRecords"}\\n'
print(NOISE, flush=True)

class Noisy(Transformer):
    format = "json"

    def transform(self, record):
        print(NOISE, flush=True)
        print(NOISE, flush=True, file=sys.__stdout__)
        os.write(1, NOISE.encode())
        os.system("echo null")
        readable, _, _ = select.select([0], [], [], 0)
        nothing = readable and os.read(0, 100) == b"" and sys.stdin.read() == ""
        return record.data if nothing else b"the daemon's pipe",
""")
    daemon = scene.ready()
    assert daemon.process_records(records(1, 2)) == [checkpoint(2), PROCESSED]
    assert daemon.told().count("null") == 2
    assert daemon.end() == 0
    scene.assert_exactly_once()


@pytest.mark.parametrize("name", [one.name for one in STOPS])
def test_a_signal_does_not_end_it(make, name):
    """The child outlives a signal to its process group, and flushes when the daemon asks."""
    scene = make()
    daemon = scene.ready()
    daemon.process.send_signal(getattr(signal, name))
    assert daemon.process_records(records(1, 3)) == [PROCESSED]
    daemon.process.send_signal(getattr(signal, name))
    assert daemon.call("shutdownRequested") == [checkpoint(3), SHUTDOWN]
    assert daemon.end() == 0
    scene.assert_exactly_once()


def test_it_ends_with_its_input(make):
    """At the end of its input the child ends with 0, and writes nothing of what it holds."""
    scene = make()
    daemon = scene.ready()
    assert daemon.process_records(records(1, 3)) == [PROCESSED]
    assert daemon.end() == 0
    assert scene.effects == [status("initialize"), PROCESSED]


TIDY = """
from record_processors import Emitter, Fatal

class Tidy(Emitter):
    def emit(self, batch):
        pass

    def close(self):
        print("all is put away")

class Stuck(Tidy):
    def close(self):
        raise Fatal("the drawer is stuck")
"""


@pytest.mark.parametrize("ending", ["shutdownRequested", "shardEnded", "leaseLost"])
def test_the_emitter_is_closed_at_an_orderly_end(make, ending):
    """When its input ends, and not before, the child lets the emitter put away what it holds."""
    scene = make(connectorDestination="mine:Tidy")
    scene.module(TIDY)
    daemon = scene.ready()
    daemon.process_records(record(n, fate=REJECTED) for n in range(1, 4))
    assert daemon.call(ending)[-1] == status(ending)
    assert "all is put away" not in daemon.told()
    assert daemon.end() == 0
    assert "all is put away" in daemon.told()


def test_an_emitter_that_cannot_be_closed(make):
    """A failure at the end is told in a sentence, and by the exit code."""
    scene = make(connectorDestination="mine:Stuck")
    scene.module(TIDY)
    daemon = scene.ready()
    daemon.hang_up()
    assert daemon.hear() is None
    assert_failed(daemon, "end: the drawer is stuck")


def test_the_daemon_dies_before_it_answers(make):
    """Input that ends instead of answering a checkpoint is a failure, and no wait."""
    daemon = make().ready()
    daemon.deliver(records(1, 10))
    assert daemon.hear() == checkpoint(10)
    daemon.hang_up()
    assert daemon.hear() is None
    assert_failed(daemon, "the daemon is gone")


def test_the_daemon_dies_during_a_retry(make):
    """Between two tries the child finds that its parent is gone, and ends."""
    scene = make(retryLimit=1000)
    fault = Fault(f"PUT /{scene.bucket}/", "hold")
    scene.proxy.faults.append(fault)
    start = "import subprocess, sys; subprocess.run(sys.argv[1:])"
    daemon = scene.daemon(parent=(sys.executable, "-c", start))
    assert daemon.initialize() == [status("initialize")]
    daemon.deliver(records(1, 10))
    assert fault.arrived.wait(SECONDS)
    daemon.process.kill()
    daemon.process.wait()
    fault.released.set()
    assert daemon.hear() is None, "it went on without its daemon"
    assert "the daemon that started this process is gone" in daemon.told()
    assert scene.effects == [status("initialize")]


# Failures: exit code 70, and no status, which would tell the daemon to go on.


def test_a_bug_in_a_transformer(make):
    """An exception that is not about data ends the child before it answers."""
    scene = make(transformer="mine:Buggy")
    scene.module("""
from record_processors import Transformer

class Buggy(Transformer):
    def transform(self, record):
        raise RuntimeError("a bug")
""")
    daemon = scene.ready()
    assert daemon.process_records(records(1, 3)) == []
    assert daemon.code() == 70
    assert "process_records: an error of the program itself" in daemon.told()
    assert "RuntimeError: a bug" in daemon.told()
    assert scene.effects == [status("initialize")]


def test_sys_exit_in_a_transformer(make):
    """sys.exit(0) in somebody's class does not look like an orderly end of the shard."""
    scene = make(transformer="mine:Leaving")
    scene.module("""
import sys
from record_processors import Transformer

class Leaving(Transformer):
    def transform(self, record):
        sys.exit(0)
""")
    daemon = scene.ready()
    assert daemon.process_records(records(1, 3)) == []
    assert daemon.code() == 70
    assert "process_records: ended by sys.exit(0)" in daemon.told()
    assert scene.effects == [status("initialize")]


def test_no_such_bucket(make):
    """A bucket that does not exist is told in a sentence that names it."""
    scene = make(s3Bucket="nowhere-4711")
    daemon = scene.ready()
    assert daemon.process_records(records(1, 10)) == []
    assert_failed(daemon, "listing s3://nowhere-4711/", "NoSuchBucket")


def test_no_such_stream(make):
    """A manifest stream that does not exist is told in a sentence; no checkpoint is made."""
    scene = make(kinesisOutputStream="nowhere")
    daemon = scene.ready()
    assert daemon.process_records(records(1, 10)) == []
    assert_failed(daemon, "on nowhere", "ResourceNotFoundException")


@pytest.mark.parametrize("error", ["InvalidStateException", "IllegalArgumentException", "Novel"])
def test_a_checkpoint_refused_for_good(make, error):
    """A checkpoint refused for a reason that does not pass ends the child."""
    daemon = make().ready()
    daemon.answers.append(error)
    assert daemon.process_records(records(1, 25)) == [checkpoint(10)]
    assert_failed(daemon, f"the checkpoint at {at(10)} was refused with {error}")


GARBAGE = [
    "garbage",
    "null",
    "{}",
    '{"action": "dance"}',
    '{"action": "shutdown", "reason": "ZOMBIE"}',
    '{"action": "processRecords", "records": [{"action": "record"}], "millisBehindLatest": 0}',
]


@pytest.mark.parametrize("line", GARBAGE)
def test_garbage_for_a_message(make, line):
    """A line that is no message of the protocol ends the child, and is not answered."""
    daemon = make().daemon()
    daemon.send_line(line)
    assert daemon.listen() == []
    assert_failed(daemon, "the daemon's messages: ")


@pytest.mark.parametrize("line", ["garbage", "null", '{"action": "leaseLost"}'])
def test_garbage_for_an_answer(make, line):
    """A line that is no answer to a checkpoint ends the child, and is no answer."""
    daemon = make().ready()
    daemon.deliver(records(1, 10))
    assert daemon.hear() == checkpoint(10)
    daemon.send_line(line)
    assert daemon.hear() is None
    assert_failed(daemon, "process_records: ")


def test_s3_stays_down(make):
    """When the retries are spent, the child ends; the next life delivers."""
    scene = make()
    scene.proxy.faults.append(Fault(f"PUT /{scene.bucket}/", "503", always=True))
    daemon = scene.ready()
    assert daemon.process_records(records(1, 10)) == []
    assert_failed(daemon, f"writing s3://{scene.bucket}/{key(1)}: given up after 3 tries")
    assert len([one for one in scene.proxy.requests if one.startswith("PUT")]) == 3
    scene.proxy.faults.clear()
    assert scene.ready().process_records(records(1, 10)) == [checkpoint(10), PROCESSED]
    scene.assert_exactly_once()


def test_a_shard_must_not_end_undelivered(make):
    """With S3 down the end of a shard is not answered: KCL would never ask again."""
    scene = make()
    scene.proxy.faults.append(Fault(f"PUT /{scene.bucket}/", "503", always=True))
    daemon = scene.ready()
    assert daemon.process_records(records(1, 3)) == [PROCESSED]
    assert daemon.call("shardEnded") == []
    assert_failed(daemon, "shard_ended: writing")


def test_lost_answers(make):
    """Requests that fail, before or after they took effect, are tried again; each row is once."""
    scene = make(retryLimit=4)
    kinds = ["503", "cut", "503-after", "cut-after"]
    scene.proxy.faults += [Fault(f"PUT /{scene.bucket}/{key(1)}", kind) for kind in kinds[:2]]
    scene.proxy.faults += [Fault(f"PUT /{scene.bucket}/{key(11)}", kind) for kind in kinds[2:]]
    scene.proxy.faults += [Fault(f"PUT /{scene.bucket}/{key(21)}", "cut-after")]
    scene.proxy.faults += [Fault("POST /PutRecord", kind) for kind in kinds[:3]]
    daemon = scene.ready()
    said = daemon.process_records(records(1, 30))
    assert said == [checkpoint(10), checkpoint(20), checkpoint(30), PROCESSED]
    assert not scene.proxy.faults
    scene.assert_exactly_once()


@pytest.mark.parametrize("error", ["ThrottlingException", "KinesisClientLibDependencyException"])
def test_a_checkpoint_is_tried_again(make, error):
    """A checkpoint refused for a passing reason is made again, at the same place."""
    scene = make()
    daemon = scene.ready()
    daemon.answers.append(error)
    said = daemon.process_records(records(1, 20))
    assert said == [checkpoint(10), checkpoint(10), checkpoint(20), PROCESSED]


def test_checkpoints_stay_throttled(make):
    """Checkpoints are tried as often as everything else."""
    daemon = make().ready()
    daemon.answers += ["ThrottlingException"] * 9
    assert daemon.process_records(records(1, 20)) == [checkpoint(10)] * 3
    assert_failed(daemon, f"checkpoint at {at(10)}: given up after 3 tries")


def test_a_log_for_machines(make):
    """With logFormat = json each line of a life is an object: application, shard, event, fields."""
    scene = make(logFormat="json")
    daemon = scene.ready()
    daemon.process_records([*records(1, 1), record(2, 0, REJECTED)])
    daemon.call("shutdownRequested")
    assert daemon.end() == 0
    told = [json.loads(line) for line in daemon.told().splitlines()]
    events = {one["event"]: one for one in told if "event" in one}
    assert {one["application"] for one in told} == {"flights"}
    assert {one["shard"] for one in told} == {SHARD}
    assert events["dead-letters"]["count"] == 1
    assert (events["file-written"]["rows"], events["file-written"]["first"]) == (1, str(at(1)))
    assert (events["records-read"]["read"], events["records-read"]["refused"]) == (2, 1)
    assert next(iter(events)) == "shard-begins"
    assert "flushed" in events


def test_secrets_stay_secret(make):
    """No secret of the environment is on stderr, in a traceback either."""
    scene = make(transformer="mine:Buggy")
    scene.module("""
from record_processors import Transformer

class Buggy(Transformer):
    def transform(self, record):
        raise RuntimeError(record)
""")
    daemon = scene.ready()
    assert daemon.process_records(records(1, 1)) == []
    assert "Traceback" in daemon.told()
    assert [name for name, value in SECRETS.items() if value in daemon.told()] == []


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"bufferRecordCountLimit": "ten"}, "bufferRecordCountLimit = ten: not a whole number"),
        (
            {"transformer": "nowhere:Mine"},
            "transformer = nowhere:Mine: ModuleNotFoundError: No module named 'nowhere'",
        ),
    ],
)
def test_wrong_settings(make, settings, sentence):
    """A file that must not run ends the child with 2, and a sentence."""
    daemon = make(**settings).daemon()
    assert daemon.initialize() == []
    assert daemon.code() == 2
    assert sentence in daemon.told()
    assert "Traceback" not in daemon.told()


# The lease is lost.


def test_a_lost_lease_is_silence(make):
    """After leaseLost what is buffered is not written, nor anything else."""
    scene = make()
    daemon = scene.ready()
    assert daemon.process_records(records(1, 3)) == [PROCESSED]
    assert daemon.call("leaseLost") == [status("leaseLost")]
    assert_silent(scene, daemon, [status("initialize"), PROCESSED, status("leaseLost")])


def test_a_refused_checkpoint_is_silence(make):
    """After ShutdownException nothing more is written, of the same call either."""
    scene = make()
    daemon = scene.ready()
    daemon.answers.append("ShutdownException")
    assert daemon.process_records(records(1, 25)) == [checkpoint(10), PROCESSED]
    effects = [status("initialize"), *written(1, 10), PROCESSED]
    assert_silent(scene, daemon, effects)


def test_a_shard_that_ends_elsewhere(make):
    """After ShutdownException the end of the shard is answered, and not checkpointed."""
    scene = make()
    daemon = scene.ready()
    daemon.process_records(records(1, 3))
    daemon.answers.append("ShutdownException")
    assert daemon.call("shardEnded") == [checkpoint(3), status("shardEnded")]
    assert daemon.call("shardEnded") == [status("shardEnded")]
    assert daemon.end() == 0


# The shard or the daemon ends.


def test_a_shard_ends(make):
    """At the end of a shard all is delivered, then its end is checkpointed."""
    scene = make()
    daemon = scene.ready()
    daemon.process_records(records(1, 3))
    daemon.answers += [None, "ThrottlingException"]
    said = daemon.call("shardEnded")
    assert said == [checkpoint(3), END_OF_SHARD, END_OF_SHARD, status("shardEnded")]
    assert daemon.end() == 0
    scene.assert_exactly_once()


def test_an_empty_shard_ends(make):
    """A shard that never had a record is checkpointed at its end all the same."""
    daemon = make().ready()
    assert daemon.call("shardEnded") == [END_OF_SHARD, status("shardEnded")]


def test_a_stop_without_records(make):
    """With nothing buffered a stop is answered, and there is nothing to checkpoint."""
    daemon = make().ready()
    assert daemon.call("shutdownRequested") == [SHUTDOWN]
    assert daemon.end() == 0


# An object is there already: at the start, or when ours is to be written.


def leave_an_object(scene, last):
    """Live until an object through ``last`` is written, and die before its checkpoint is taken."""
    limit = scene.settings["bufferRecordCountLimit"]
    scene.configure(bufferRecordCountLimit=last)
    daemon = scene.ready()
    daemon.deliver(records(1, last))
    assert daemon.hear() == checkpoint(last)
    daemon.kill()
    scene.configure(bufferRecordCountLimit=limit)
    scene.effects.clear()


def overtaken(scene, last):
    """Return a life that holds two records of a shard that another has written through ``last``."""
    daemon = scene.ready()
    assert daemon.process_records(records(1, 2)) == [PROCESSED]
    leave_an_object(scene, last)
    return daemon


def looks(scene):
    """Return which files were looked at, and how often the bucket was listed."""
    request = f"HEAD /{scene.bucket}/"
    asked = scene.proxy.requests
    files = [one.removeprefix(request) for one in asked if one.startswith(request)]
    return files, asked.count(f"GET /{scene.bucket}")


LISTED = 2  # requests: the hour of a record, and what hours come after it


def test_a_life_looks_once(make):
    """A life asks S3 at its first record what is there from it on, and for nothing else."""
    scene = make()
    daemon = scene.ready()
    daemon.process_records([record(1, fate=FILTERED), *records(2, 25)])
    daemon.call("shutdownRequested")
    assert looks(scene) == ([], LISTED)


def test_what_an_earlier_life_wrote_is_announced_at_once(make):
    """The first kept record is enough to find the object; the message does not wait for a batch."""
    scene = make()
    leave_an_object(scene, last=4)
    assert scene.ready().process_records(records(1, 1)) == [PROCESSED]
    assert scene.effects == [status("initialize"), announce(1), PROCESSED]


def test_an_earlier_life_wrote_an_object(make):
    """It is announced and passed, and the next begins after it; whether there is one is asked."""
    scene = make()
    leave_an_object(scene, last=4)
    scene.proxy.requests.clear()
    scene.ready().process_records(records(1, 14))
    assert scene.effects == [
        status("initialize"),
        announce(1),
        checkpoint(4),
        *written(5, 14),
        PROCESSED,
    ]
    # Beside a file that is found, the next hour is looked into.
    assert looks(scene) == ([key(1)], 2 * LISTED)
    scene.assert_exactly_once()


def test_earlier_lives_wrote_two_objects(make):
    """From a checkpoint that is older than both, each is announced and passed in its turn."""
    scene = make(bufferRecordCountLimit=4)
    scene.ready().process_records(records(1, 8))
    scene.effects.clear()
    scene.ready().process_records(records(1, 12))
    assert scene.effects == [
        status("initialize"),
        *(announce(1), checkpoint(4)),
        *(announce(5), checkpoint(8)),
        *written(9, 12),
        PROCESSED,
    ]
    scene.assert_exactly_once()


def test_an_object_of_one_record_is_passed_at_once(make):
    """An object that begins and ends with the first kept record is checkpointed with it."""
    scene = make()
    leave_an_object(scene, last=1)
    assert scene.ready().process_records(records(1, 3)) == [checkpoint(1), PROCESSED]


def test_bad_records_before_an_object_are_dead_letters_first(make):
    """What was rejected before the found object is durable when the object's end is passed."""
    scene = make()
    leave_an_object(scene, last=4)
    bad = record(0, fate=REJECTED)
    scene.ready().process_records([bad, *records(1, 4)])
    assert [what for what, *_ in scene.effects] == [
        *("status", "announce", "put", "checkpoint", "status")
    ]
    scene.assert_exactly_once()


def test_a_larger_object_is_there(make):
    """An object that covers more is skipped through: no checkpoint lies inside it."""
    scene = make(bufferRecordCountLimit=4)
    leave_an_object(scene, last=10)
    daemon = scene.ready()
    assert_skipped_through_the_tenth(scene, daemon, first=1)


def test_a_larger_object_appears(make):
    """One that another process writes while this one buffers is skipped through in the same way."""
    scene = make(bufferRecordCountLimit=4)
    daemon = overtaken(scene, last=10)
    assert_skipped_through_the_tenth(scene, daemon, first=3)


def assert_skipped_through_the_tenth(scene, daemon, first):
    scene.effects.clear()
    assert daemon.process_records(records(first, 6)) == [PROCESSED]
    assert daemon.process_records() == [PROCESSED]
    assert daemon.process_records(records(7, 9)) == [PROCESSED]
    assert daemon.process_records(records(10, 13)) == [checkpoint(10), PROCESSED]
    assert daemon.process_records(records(14, 14)) == [checkpoint(14), PROCESSED]
    assert [effect for effect in scene.effects if effect != PROCESSED] == [
        announce(1),
        checkpoint(10),
        *written(11, 14),
    ]
    scene.assert_exactly_once()


def test_a_smaller_object_appears(make):
    """Another's object that ends inside our batch is announced and passed; the rest is written."""
    scene = make()
    daemon = overtaken(scene, last=4)
    daemon.process_records(records(3, 10))
    assert scene.effects == [announce(1), checkpoint(4), *written(5, 10), PROCESSED]
    scene.assert_exactly_once()


def test_another_goes_on_writing(make):
    """A process that is behind another passes object after object, and writes none of its own."""
    scene = make(bufferRecordCountLimit=4)
    daemon = overtaken(scene, last=10)
    scene.ready().process_records(records(1, 14))
    scene.effects.clear()
    daemon.process_records(records(3, 14))
    assert scene.effects == [
        *(announce(1), checkpoint(10)),
        *(announce(11), checkpoint(14)),
        PROCESSED,
    ]
    scene.assert_exactly_once()


def test_a_stop_inside_an_object(make):
    """A stop before an object's last record was delivered leaves the checkpoint before it."""
    scene = make(bufferRecordCountLimit=4)
    leave_an_object(scene, last=10)
    daemon = scene.ready()
    assert daemon.process_records(records(1, 6)) == [PROCESSED]
    assert daemon.call("shutdownRequested") == [SHUTDOWN]
    assert daemon.end() == 0
    daemon = scene.ready()
    assert daemon.process_records(records(1, 12)) == [checkpoint(10), PROCESSED]
    assert daemon.call("shutdownRequested") == [checkpoint(12), SHUTDOWN]
    scene.assert_exactly_once()


def test_a_stop_finds_a_larger_object(make):
    """A flush on request that meets a larger object makes no checkpoint either."""
    scene = make(bufferRecordCountLimit=100)
    daemon = overtaken(scene, last=10)
    assert daemon.process_records(records(3, 6)) == [PROCESSED]
    assert daemon.call("shutdownRequested") == [SHUTDOWN]
    assert scene.effects[-2:] == [announce(1), SHUTDOWN]


def test_a_shard_ends_inside_an_object(make):
    """An object that covers more than the shard held is no file of it: that is not answered."""
    scene = make(bufferRecordCountLimit=4)
    leave_an_object(scene, last=10)
    daemon = scene.ready()
    assert daemon.process_records(records(1, 6)) == [PROCESSED]
    assert daemon.call("shardEnded") == []
    assert_failed(daemon, f"ended before {at(10)}")


def test_a_strangers_object(make):
    """An object without positions of ours ends the child with a sentence; it stands."""
    scene = make()
    daemon = scene.ready()
    leave_an_object(scene, last=10)
    (theirs,) = scene.objects()
    scene.overwrite(theirs.key, gzip.compress(b"not ours\n"))
    assert daemon.process_records(records(1, 10)) == []
    assert_failed(daemon, f"{theirs.key} exists and is not a file of flights")


def test_an_object_of_another_stream(make):
    """A file that the same application wrote of another stream covers no record of this one."""
    scene = make()
    leave_an_object(scene, last=10)
    (theirs,) = scene.objects()
    scene.configure(streamName="another")
    daemon = scene.ready()
    assert daemon.process_records(records(1, 10)) == []
    assert_failed(daemon, f"{theirs.key} exists and is not a file of flights from another")


# Many lives.


@pytest.mark.parametrize("seed", range(4))
def test_many_lives(make, seed):
    """However often the child is killed, each record ends once in the files."""
    chance = random.Random(seed)
    fates = chance.choices([KEPT, FILTERED, REJECTED], weights=[8, 1, 1], k=60)
    given = [record(n // 3, n % 3, fate) for n, fate in enumerate(fates, 3)]
    scene = make(retryLimit=8)
    acknowledged = None
    for _ in range(4):
        acknowledged = live(scene, chance, given, acknowledged)
    last = scene.ready(acknowledged)
    last.process_records(rest_of(given, acknowledged))
    assert last.call("shardEnded")[-2:] == [END_OF_SHARD, status("shardEnded")], last.told()
    scene.assert_exactly_once()


def live(scene, chance, given, acknowledged):
    """Live until a moment of chance; return the last checkpoint that was taken down."""
    scene.configure(
        bufferRecordCountLimit=chance.randint(1, 15),
        bufferMillisecondsLimit=chance.choice([1, 3_600_000]),
    )
    scene.proxy.faults = [
        Fault("P", chance.choice(["503", "cut", "503-after", "cut-after"]))
        for _ in range(chance.randint(0, 2))
    ]
    daemon = scene.ready(acknowledged)
    rest = rest_of(given, acknowledged)
    moments = chance.randint(1, 5)
    while rest and moments > 0:
        size = chance.randint(1, 12)
        daemon.deliver(rest[:size])
        rest = rest[size:]
        moments -= 1
        while moments > 0 and (heard := daemon.hear()) != PROCESSED:
            assert (heard or [None])[0] == "checkpoint", daemon.told()
            moments -= 1
            if moments > 0:
                daemon.answer(heard)
            elif chance.random() < 0.3:
                daemon.acknowledge(heard)  # and the answer is lost
    daemon.kill()
    return daemon.acknowledged


def rest_of(given, acknowledged):
    return [each for each in given if not acknowledged or each.position > acknowledged]
