"""The whole, as it runs: two real daemons, real children, real HTTP, a real PostgreSQL."""

import base64
import gzip
import json
import os
import shlex
import signal
import subprocess
import sys
import textwrap
from collections import Counter
from pathlib import Path

import psutil
import pytest

from record_processors.config.keys import APPLICATION_NAME, KINESIS_ENDPOINT, STREAM_NAME
from record_processors.destinations.s3_manifest import OUTPUT_STREAM
from record_processors.kcl.java import OPTION_VARIABLES, find_java
from record_processors.kcl.launch import LOGBACK
from support.shards import shard_of
from support.two_stages import PATIENCE, PROGRAM, TwoStages

pytestmark = pytest.mark.usefixtures("class_archive")

HELPER = str(Path(sys.executable).with_name("amazon_kclpy_helper.py"))


@pytest.fixture
def write_module(tmp_path, monkeypatch):
    """Write a module of one's own where this process and the daemons' children find it."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return lambda name, text: (tmp_path / f"{name}.py").write_text(textwrap.dedent(text))


@pytest.fixture
def both(stack, tmp_path):
    all_stages = []

    def build(name, **changes):
        all_stages.append(TwoStages(stack, tmp_path, name, **changes))
        return all_stages[-1]

    yield build
    for one in all_stages:
        one.close()


def lines(first, count):
    return [
        json.dumps({"id": number, "text": f'{number} é "quoted", \\ \n 🛩'}).encode()
        for number in range(first, first + count)
    ]


def expected(lines):
    return Counter((one["id"], one["text"]) for one in map(json.loads, lines))


def test_rows_are_exact_through_kills_and_restarts(both):
    """Each record is one row of the table, whichever daemon is killed or stopped meanwhile."""
    here = both("exact")
    put = lines(0, 500)
    here.put(put)
    here.start("one")
    here.start("two")
    here.until(here.rows, "the first rows are in the table")

    here.put(more := lines(1000, 1500))
    here.kill("one")
    here.put_aggregated(aggregated := lines(5000, 500))
    here.start("one")
    here.put(bad := [b"not json", b"[1, 2]", b'{"id": 1, "text": "\xff"}'])
    here.put(last := lines(9000, 500))
    here.kill("two")
    here.start("two")
    here.until_working("one")
    assert here.stop("one") == 0
    here.start("one")
    want = expected([*put, *more, *aggregated, *last])
    here.until(lambda: len(here.rows()) >= want.total(), "all rows are in the table")
    here.stop("one")
    here.stop("two")

    assert Counter(here.rows()) == want
    letters = here.dead_letters(here.one[APPLICATION_NAME])
    assert sorted(base64.b64decode(letter["data"]) for letter in letters) == sorted(bad)


def test_rows_are_exact_through_a_split_and_a_merge(both):
    """The end of a shard is flushed before its children begin, and no record falls between."""
    here = both("reshard")
    stream = here.one[STREAM_NAME]
    here.put(put := lines(0, 300))
    here.start("one")
    here.start("two")
    here.until_working("one", shards=2)
    left, right = here.open_shards()
    middle = (int(left["HashKeyRange"]["EndingHashKey"]) + 1) // 2
    here.kinesis.split_shard(
        StreamName=stream, ShardToSplit=left["ShardId"], NewStartingHashKey=str(middle)
    )
    here.put_aggregated(more := lines(1000, 300))
    here.until_working("one", shards=4)
    _, half, right = sorted(
        here.open_shards(), key=lambda shard: shard["HashKeyRange"]["EndingHashKey"].zfill(40)
    )
    here.kinesis.merge_shards(
        StreamName=stream, ShardToMerge=half["ShardId"], AdjacentShardToMerge=right["ShardId"]
    )
    here.put(last := lines(2000, 300))
    want = expected([*put, *more, *last])
    here.until(lambda: len(here.rows()) >= want.total(), "all rows are in the table")
    here.stop("one")
    here.stop("two")

    assert Counter(here.rows()) == want


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_stop_of_the_whole_group_flushes(both, write_module, name):
    """A signal to all processes, as systemd or a terminal that hangs up sends it, loses nothing."""
    write_module(
        "seen",
        """
        import sys
        from record_processors.transformers.text import Text

        class Seen(Text):
            def transform(self, record):
                print("seen a record", file=sys.stderr)
                return super().transform(record)
        """,
    )
    never = {"bufferMillisecondsLimit": "3600000", "bufferRecordCountLimit": "1000000"}
    here = both(group := f"group{name.lower()}", one={**never, "transformer": "seen:Seen"})
    here.put(put := lines(0, 20))
    here.start("one")
    daemon = here.daemons["one"]
    here.until(lambda: daemon.log.read_text().count("seen a record") == 20, "all are buffered")
    assert not here.objects(f"{group}-one/")
    os.killpg(daemon.process.pid, getattr(signal, name))
    daemon.process.wait(PATIENCE)
    here.daemons.clear()

    assert sorted(here.file_lines(f"{group}-one/")) == sorted(put)


def test_the_flags_that_run_chooses(both, monkeypatch):
    """Without a word of Java's own variables on memory the daemon delivers under our flags."""
    for variable in OPTION_VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    here = both("flags")
    here.put(put := lines(0, 10))
    here.start("one")
    here.until(lambda: len(here.file_lines("flags-one/")) == len(put), "all rows are in files")
    arguments = Path(f"/proc/{here.daemons['one'].process.pid}/cmdline").read_text().split("\0")

    assert sorted(here.file_lines("flags-one/")) == sorted(put)
    assert "-XX:+ExitOnOutOfMemoryError" in arguments


@pytest.mark.skipif(" " in sys.executable, reason="the helper does not quote what it prints")
def test_the_helpers_own_command_runs_our_files(both):
    """The line that amazon_kclpy_helper.py prints starts our pipeline without `run`."""
    here = both("helper")
    printed = subprocess.run(
        [
            *(sys.executable, HELPER, "--print_command", "--java", find_java()[0]),
            *("--properties", here.one.path, "--log-configuration", str(LOGBACK)),
        ],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    here.put(put := lines(0, 10))
    path = os.pathsep.join([str(Path(PROGRAM).parent), os.environ["PATH"]])
    here.start("one", ["env", f"PATH={path}", *shlex.split(printed)])
    here.until(lambda: len(here.file_lines("helper-one/")) == len(put), "all rows are in files")

    assert sorted(here.file_lines("helper-one/")) == sorted(put)


def test_one_daemon_of_the_application_at_a_time(both):
    """Two daemons with one workerId would share leases: the second never starts while one lives."""
    here = both("second")
    here.start("one")
    here.until_working("one")
    second = subprocess.run(
        [PROGRAM, "run", here.one.path], check=False, capture_output=True, text=True
    )
    assert second.returncode == 2
    assert "a daemon of second-one runs on this host already" in second.stderr

    family = psutil.Process(here.daemons["one"].process.pid).children(recursive=True)
    here.kill("one")
    assert len(family) > 1
    assert not psutil.wait_procs(family, PATIENCE)[1], "who outlives `run`, holds the leases"
    here.start("one")
    here.until_working("one")


def end_of(here, stage):
    """Wait until a daemon has ended by itself; return its exit code, and its log's last line."""
    daemon = here.daemons.pop(stage)
    code = daemon.process.wait(PATIENCE)
    return code, daemon.log.read_text().splitlines()[-1]


def test_a_child_that_is_killed_ends_the_daemon_and_the_others_flush(both):
    """`run` ends with 70 and says why, without waiting for who is dead, once the rest is in S3."""
    fives = {"bufferMillisecondsLimit": "3600000", "bufferRecordCountLimit": "5"}
    here = both("killed", one={**fives, "shutdownGraceMillis": "3600000"})
    here.start("one")

    def shards_of(given):
        """Return the shards that have files with some of these lines."""
        return {
            key.partition("shardId-")[2][:12]
            for key, data in here.objects("killed-one/").items()
            if not set(given).isdisjoint(gzip.decompress(data).splitlines())
        }

    # KCL's scheduler waits for the end of a shard's first call, and one that fails has none: the
    # others are then not told, and flush nothing, until shutdownGraceMillis are over. So the child
    # is killed when it has answered.
    for first in (0, 40):
        here.put(put := lines(first, 40))
        here.until(lambda put=put: len(shards_of(put)) == 2, "both shards have files")
    daemon = here.daemons["one"]
    (java,) = psutil.Process(daemon.process.pid).children()
    java.children()[0].kill()

    code, last = end_of(here, "one")
    assert code == 70
    assert (
        last == "kinesis-connectors: a shard's child ended without a word, with code 137, by "
        "signal 9"
    )
    assert daemon.log.read_text().count("flushed for the shutdown") == 1
    arrived = here.file_lines("killed-one/")
    missing = {
        shard_of(str(number), 2)
        for first in (0, 40)
        for number, line in enumerate(lines(first, 40))
        if line not in arrived
    }
    assert len(missing) <= 1, "only the dead one's last lines are not in S3"


def test_a_file_that_became_wrong_ends_with_2(both):
    """When a child finds its file wrong, `run` ends with the child's code and its sentence."""
    here = both("wrong")
    here.start("one")
    log = here.daemons["one"].log
    here.until(lambda: "Running wrong-one" in log.read_text(), "Java has read its copy")
    with Path(here.one.path).open("a") as file:
        file.write("s3Bukcet = x\n")

    code, last = end_of(here, "one")
    assert code == 2
    assert last.startswith("kinesis-connectors: ")
    assert "s3Bukcet is not a setting; did you mean s3Bucket?" in last


def test_a_start_in_an_outage_waits(both):
    """When nobody answers at a start, the daemon starts, and says each kind of failure once."""
    here = both("outage")
    text = Path(here.one.path).read_text()
    path = Path(here.one.path).with_name("outage.properties")
    text = text.replace(here.one[KINESIS_ENDPOINT], "http://127.0.0.1:9")
    path.write_text(text.replace(here.one.path, str(path)))
    here.start("one", [PROGRAM, "run", str(path)])
    log = here.daemons["one"].log
    here.until(lambda: "Initializing LeaseCoordinator attempt 3" in log.read_text(), "it tries")

    assert log.read_text().count("so the daemon starts all the same") == 4
    assert log.read_text().count("Caught exception when initializing LeaseCoordinator") == 1
    here.kill("one")
    del here.daemons["one"]


def test_bad_messages_and_bad_files_are_set_aside_and_the_rest_loads(both):
    """Junk, a missing file, and a bad row of a file leave dead letters; all else is loaded."""
    here = both("aside")
    body = gzip.compress(b'{"id": 7, "text": "bare"}\n')
    here.s3.put_object(Bucket=here.bucket, Key="by/hand.json.gz", Body=body)
    bad_row = b'{"id": "seven", "text": "a word"}'
    of_two = b'{"id": 8, "text": "fine"}\n' + bad_row
    here.s3.put_object(Bucket=here.bucket, Key="by/bad.json", Body=of_two)
    messages = [
        b"by/hand.json.gz",
        b"by/nobody.json.gz",
        f"s3://{here.bucket}/by/bad.json".encode(),
        b'{"version": 1, "bucket": 5}',
        b"\xff\xfe",
    ]
    here.put(messages, here.one[OUTPUT_STREAM])
    here.put(put := lines(0, 120))
    here.start("one")
    here.start("two")
    here.until(lambda: len(here.rows()) >= len(put) + 2, "the good rows are in the table")
    here.until(lambda: len(here.dead_letters("aside-two")) == 4, "four dead letters")
    here.stop("one")
    here.stop("two")

    good = [b'{"id": 7, "text": "bare"}', b'{"id": 8, "text": "fine"}']
    assert Counter(here.rows()) == expected([*put, *good])
    letters = {base64.b64decode(one["data"]): one for one in here.dead_letters("aside-two")}
    refused = [messages[1], bad_row, *messages[3:]]
    assert set(letters) == set(refused)
    assert [letters[one]["stage"] for one in refused] == [
        *("load", "load", "transform", "transform")
    ]
    assert "is not there" in letters[messages[1]]["reason"]
    assert "line 2, column id" in letters[bad_row]["reason"]


def test_ones_own_classes_run_under_the_daemon(both, write_module):
    """A transformer and a filter in a file of one's own run by their names in the .properties."""
    write_module(
        "greeting",
        """
        import json
        from record_processors import Filter, Setting, Transformer

        GREETING = Setting("greeting", str, "What to say.", "hello")

        class Greet(Transformer):
            format = "json"
            declares = [GREETING]

            def __init__(self, greeting):
                self.greeting = greeting

            @classmethod
            def from_settings(cls, settings):
                return cls(settings[GREETING])

            def transform(self, record):
                print("stdout belongs to the protocol")
                row = {"id": json.loads(record.data)["id"], "text": self.greeting}
                return [json.dumps(row).encode()]

        class Even(Filter):
            def keep(self, record):
                return json.loads(record.data)["id"] % 2 == 0
        """,
    )
    names = {"transformer": "greeting:Greet", "filter": "greeting:Even", "greeting": "good day"}
    here = both("own", one=names)
    here.put(lines(0, 11))
    here.start("one")
    here.start("two")
    here.until(lambda: len(here.rows()) >= 6, "the rows are in the table")

    assert sorted(here.rows()) == [(number, "good day") for number in range(0, 11, 2)]
