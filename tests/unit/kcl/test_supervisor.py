"""`run` stays beside Java: signals and lines pass, and its own end says why in code and words.

Java is a script here, the supervisor the real program; ``tests/whole`` has it with a real daemon.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from record_processors.events import DAEMON_ENDED
from record_processors.kcl import supervisor
from support.fakes import properties

PROGRAM = [sys.executable, "-I", "-S", supervisor.__file__, "text"]
MARK = "4711cafe "
NO_FILE = ""  # of a pipeline: nobody is told that this host stops
AT = "2026-11-27T02:01:17.765Z"
FATAL = f"{AT} FATAL flights shardId-7 - process_records: given up after 12 tries (retryLimit)"
ENDS = f"{MARK}{AT} INFO  MultiLangDaemon - Process terminated, will initiate shutdown."
SECONDS = 60

# What the scripts need.
PREAMBLE = """
import os, signal, subprocess, sys, time

def say(*lines):
    for line in lines:
        os.write(2, line.encode() + b"\\n")

"""


@pytest.fixture
def start(tmp_path):
    """Start the supervisor over a script; it is killed at the end, if it still runs."""
    started = []

    def start(script, program=PROGRAM, file=NO_FILE, **options):
        path = tmp_path / f"java-{len(started)}.py"
        path.write_text(PREAMBLE + script)
        command = [*program, MARK, file, sys.executable, str(path)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        started.append(subprocess.Popen(command, text=True, **pipes))
        return started[-1]

    yield start
    for one in started:
        one.kill()
        one.wait()
        for pipe in filter(None, (one.stdin, one.stdout, one.stderr)):
            pipe.close()


def end_of(process):
    """Return the exit code and the lines on stderr."""
    _, error = process.communicate(timeout=SECONDS)
    return process.returncode, error.splitlines()


def says(*lines):
    return f"say(*{list(lines)!r})\n"


def exited(code):
    name = "MultiLangShardRecordProcessor"
    return f"{MARK}{AT} INFO  {name} - Child process exited with value: {code}"


# ---- codes and last words


@pytest.mark.parametrize(
    ("script", "code", "last"),
    [
        (
            says(FATAL, exited(70), ENDS) + "sys.exit(1)",
            70,
            "flights shardId-7: process_records: given up after 12 tries (retryLimit)",
        ),
        (
            says(f"{AT} FATAL flights - f.properties:3: no", exited(2), ENDS) + "sys.exit(1)",
            2,
            "flights: f.properties:3: no",
        ),
        (
            says(exited(137), ENDS) + "sys.exit(1)",
            70,
            "a shard's child ended without a word, with code 137, by signal 9",
        ),
        ("sys.exit(3)", 70, "Java ran out of memory: lower maxLeasesForWorker or maxRecords, or "),
        (
            "os.kill(os.getpid(), signal.SIGKILL)",
            70,
            "the daemon was ended by SIGKILL, which nobody asked for",
        ),
        ("sys.exit(0)", 70, "the daemon ended with code 0, which nobody asked for"),
        (
            says(f"{MARK}{AT} ERROR Scheduler - Worker.run caught it | a.B: no | at a.C")
            + "sys.exit(0)",
            70,
            "the daemon ended with code 0, which nobody asked for; it said: Worker.run caught it |"
            " a.B: no",
        ),
    ],
    ids=["70", "2", "killed", "memory", "java-killed", "0", "said"],
)
def test_an_end_that_nobody_asked_for(start, script, code, last):
    """It is never 0, but 2 for a file that became wrong, 70 otherwise; the last line says why."""
    found, lines = end_of(start(script))
    assert found == code
    assert lines[-1].startswith(f"kinesis-connectors: {last}")


def test_the_first_to_fail_is_the_reason(start):
    """What others say of the same outage while they are stopped is passed on, and is not it."""
    other = FATAL.replace("shardId-7", "shardId-8")
    _, lines = end_of(start(says(FATAL, ENDS, other) + "sys.exit(1)"))
    assert other in lines
    assert "shardId-7" in lines[-1]


def test_no_java(tmp_path):
    """A Java that cannot be started is a sentence and exit code 2."""
    command = [*PROGRAM, MARK, NO_FILE, str(tmp_path / "none")]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 2
    assert answer.stderr.splitlines() == [
        f"{tmp_path / 'none'}: No such file or directory",
        "kinesis-connectors: Java does not start",
    ]


def test_the_other_hosts_are_told_of_a_stop(start, tmp_path):
    """A stop tells them; when they cannot be told, the log says so, and it is a stop as any."""
    path = properties(tmp_path, {"dynamoDBEndpoint": "http://127.0.0.1:1"})
    script = f"say({MARK + AT!r} + ' INFO  X - ready')\nsignal.pause()"
    process = start(script, file=path)
    process.stderr.readline()
    process.terminate()
    code, lines = end_of(process)
    assert code == 0
    (told,) = [line for line in lines if "the other hosts were not told" in line]
    assert " WARN " in told
    assert "127.0.0.1:1" in told
    assert lines[-1] == "kinesis-connectors: stopped by SIGTERM"


# ---- the end comes soon

WAITING = (
    says(FATAL, exited(70), ENDS)
    + """
while True:  # as the daemon does for shutdownGraceMillis
    time.sleep(0.1)
"""
)


def test_it_does_not_wait_for_who_has_failed(start):
    """A daemon that goes on waiting though its last child has ended is ended."""
    code, lines = end_of(start(WAITING))
    assert (code, lines[-1].split(":")[0]) == (70, "kinesis-connectors")


# The supervisor, telling on its standard output each time that it has looked for children.
TELLING = """
import sys
sys.path.insert(0, {folder!r})
import supervisor

look = supervisor.has_children

def tell(pid):
    found = look(pid)
    print("looked", flush=True)
    return found

supervisor.has_children = tell
sys.exit(supervisor.main(*sys.argv[1:]))
"""


def test_the_others_are_left_their_time(start, tmp_path):
    """While a child of the daemon lives, which may be flushing, the daemon is left alone."""
    flushing = """
child = subprocess.Popen([sys.executable, "-c", "input()"])
say(*LINES)
child.wait()
say("flushed")
while True:
    time.sleep(0.1)
"""
    lines = [FATAL, exited(70), ENDS]
    telling = TELLING.format(folder=str(Path(supervisor.__file__).parent))
    program = [sys.executable, "-c", telling, "text"]
    script = f"LINES = {lines!r}\n" + flushing
    process = start(script, program=program, stdin=subprocess.PIPE)
    for _ in range(3):
        assert process.stdout.readline() == "looked\n"
    process.stdin.write("\n")
    process.stdin.flush()
    code, lines = end_of(process)
    assert code == 70
    assert "flushed" in lines


# ---- signals

STOPPED = """
def stop(*_):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # as Java, which stops once
    say("stopping")
    sys.exit(143)

signal.signal(signal.SIGTERM, stop)
say("ready")
while True:
    time.sleep(0.1)
"""


def ready(process):
    assert process.stderr.readline() == "ready\n"
    return process


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP"])
def test_a_stop_that_is_asked_for(start, name):
    """Java is asked to stop, and the end is 0, whatever Java makes of a signal."""
    process = ready(start(STOPPED))
    process.send_signal(getattr(signal, name))
    assert end_of(process) == (0, ["stopping", f"kinesis-connectors: stopped by {name}"])


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_to_the_whole_group(start, name):
    """When Java gets it too, as by Ctrl-C or from a terminal that hangs up, the end is the same."""
    process = ready(start(STOPPED, start_new_session=True))
    os.killpg(process.pid, getattr(signal, name))
    code, lines = end_of(process)
    assert (code, lines[-1]) == (0, f"kinesis-connectors: stopped by {name}")


def test_a_second_signal_cuts_nothing_short(start):
    """A stop that takes its time is not cut short by being asked for again."""
    slow = STOPPED.replace("sys.exit(143)", "input(); say('flushed'); sys.exit(143)")
    process = ready(start(slow, stdin=subprocess.PIPE))
    process.send_signal(signal.SIGTERM)
    assert process.stderr.readline() == "stopping\n"
    process.send_signal(signal.SIGTERM)
    process.stdin.write("\n")
    code, lines = end_of(process)
    assert code == 0
    assert "flushed" in lines


def test_a_stop_in_which_a_child_fails(start):
    """Who asked for a stop is told that not all was flushed: exit code 70, and which shard."""
    failing = STOPPED.replace('say("stopping")', says(ENDS, FATAL, exited(70)).strip())
    process = ready(start(failing))
    process.send_signal(signal.SIGTERM)
    code, lines = end_of(process)
    assert code == 70
    assert "shardId-7: process_records" in lines[-1]


def test_what_failed_before_a_stop_is_no_failure_of_it(start):
    """A child that failed after its shard was given up, and ended nothing, is forgotten."""
    process = ready(
        start(STOPPED.replace('say("ready")', says("ready", FATAL, exited(70)).strip()))
    )
    assert "FATAL" in process.stderr.readline()
    assert "exited with value" in process.stderr.readline()
    process.send_signal(signal.SIGTERM)
    assert end_of(process)[0] == 0


def test_an_ignored_hangup_stays_ignored(start):
    """Under nohup the end of a terminal is no stop."""
    command = ["sh", "-c", 'trap "" HUP; exec "$@"', "sh"]
    tells = "say(str(signal.getsignal(signal.SIGHUP)), 'ready')\n" + STOPPED
    path = Path(start(tells).args[-1])
    with subprocess.Popen(
        [*command, *PROGRAM, MARK, NO_FILE, sys.executable, str(path)],
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr.readline().strip() in {"1", "Handlers.SIG_IGN"}
        ready(process)
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        assert end_of(process)[1][-1] == "kinesis-connectors: stopped by SIGTERM"


def test_java_does_not_outlive_it(start):
    """Killed with SIGKILL, it takes Java along; nobody else could end that."""
    process = ready(start(STOPPED))
    (java,) = psutil.Process(process.pid).children()
    process.kill()
    java.wait(SECONDS)


# ---- lines


def test_lines_pass_as_they_are(start):
    """Whatever the children say passes byte for byte, as often as it is said, the mark never."""
    child = [f"{AT} WARN  flights shardId-7 - try 3 of 12: é", "Traceback", "  x", "", FATAL]
    own = f"{AT} INFO  Scheduler - Starting LeaseCoordinator"
    _, lines = end_of(start(says(*child, MARK + own, *child) + "os.write(2, b'no end')"))
    assert lines[:-1] == [*child, own, *child, "no end"]


def test_an_outage_is_a_line_of_each_kind(start):
    """Of warnings that differ only in numbers or causes, one passes, and of news each its own."""
    outage = [f"ERROR Prefetch - events:shardId-{n % 4} : failed | x{n}" for n in range(100)]
    news = [f"INFO  Scheduler - shardId-{n % 2} comes" for n in range(10)]
    _, lines = end_of(start(says(*(f"{MARK}{AT} {line}" for line in (*outage, *news)))))
    assert lines[:-1] == [f"{AT} {line}" for line in (outage[0], *news[:2])]


def test_what_is_harmless_at_first_is_told_later(monkeypatch):
    """Leases that nobody takes are news only when the workers had time to tell of themselves."""
    now = [1000.0]
    monkeypatch.setattr(supervisor.time, "monotonic", lambda: now[0])
    log = supervisor.Log(MARK.encode())
    words = "WARN  LeaseAssignmentManager - Not able to assign all expiredOrUnAssignedLeases"
    line = f"{MARK}{AT} {words}\n".encode()
    assert log.take(line) == b""
    now[0] += supervisor.FIRST_SECONDS
    assert log.take(line).endswith(b"Leases (and 1 more like it before)\n")


def test_what_it_said_yesterday_is_no_reason(monkeypatch):
    """Only what the daemon complained of within the last minute is told as why it ended."""
    now = [1000.0]
    monkeypatch.setattr(supervisor.time, "monotonic", lambda: now[0])
    log = supervisor.Log(MARK.encode())
    log.take(f"{MARK}{AT} ERROR Scheduler - caught an exception\n".encode())
    assert "it said: caught an exception" in supervisor.reason(-9, 0, log)[1]
    now[0] += supervisor.QUIET_SECONDS
    assert supervisor.reason(-9, 0, log)[1].endswith("was ended by SIGKILL, which nobody asked for")


def test_java_out_of_memory_comes_before_a_childs_words():
    """Whatever a child has said before, it is Java that ended."""
    log = supervisor.Log(MARK.encode())
    log.take(b"2026-01-01T00:00:00.000Z FATAL app shard-0 - end: a connection was lost\n")
    code, sentence = supervisor.reason(supervisor.OUT_OF_MEMORY, 0, log)
    assert code == 70
    assert sentence.startswith("Java ran out of memory")


def test_what_was_left_out_is_counted(monkeypatch):
    """When a minute is over, the next of its kind passes, and says how many did not."""
    now = [0.0]
    monkeypatch.setattr(supervisor.time, "monotonic", lambda: now[0])
    log = supervisor.Log(MARK.encode())
    line = f"{MARK}{AT} WARN  Scheduler - no answer\n".encode()
    plain = line.removeprefix(MARK.encode())
    assert [log.take(line) for _ in range(4)] == [plain, b"", b"", b""]
    now[0] = supervisor.QUIET_SECONDS
    assert log.take(line) == plain[:-1] + b" (and 3 more like it before)\n"


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_lines_in_pieces(size):
    """Lines are the same however the pipe cuts them."""
    text = f"{MARK}{AT} INFO  Scheduler - é\n{FATAL}\nlast".encode()
    log = supervisor.Log(MARK.encode())
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    passed = b"".join(map(log.take, pieces)) + log.rest()
    assert passed == text.removeprefix(MARK.encode()) + b"\n"
    assert log.fatal.startswith(b"flights shardId-7: process_records")


def test_it_lives_on_when_nobody_reads(start):
    """A reader of stderr that has gone ends nothing: the records matter more."""
    lives = "input(); say('nobody hears this'); print('lives', flush=True)\n" + STOPPED
    process = start(lives, stdin=subprocess.PIPE)
    process.stderr.close()
    process.stdin.write("\n")
    process.stdin.close()
    assert process.stdout.readline() == "lives\n"
    process.terminate()
    assert process.wait(SECONDS) == 0


# ---- objects for machines

AS_JSON = [*PROGRAM[:-1], "json"]


def test_each_line_is_an_object(start):
    """With logFormat = json all that goes out is JSON: the daemon's lines, a child's first ones."""
    script = says(
        f"{MARK}{AT} WARN  Scheduler - no answer",
        f"{AT} INFO  flights shardId-7 - begins after 1",
        '{"time":"x","level":"INFO","message":"a child"}',
        "Traceback (most recent call last):",
        FATAL,
    )
    code, lines = end_of(start(script, program=AS_JSON))
    *told, last = map(json.loads, lines)
    assert [(one["level"], one["message"]) for one in told] == [
        ("WARN", "no answer"),
        ("INFO", "flights shardId-7 - begins after 1"),
        ("INFO", "a child"),
        ("INFO", "Traceback (most recent call last):"),
        ("FATAL", FATAL.partition("FATAL ")[2]),
    ]
    assert (told[0]["time"], told[0]["logger"], told[1]["time"]) == (AT, "Scheduler", AT)
    assert last.pop("time").endswith("Z")
    assert code == last["code"] == 70
    assert last["event"] == DAEMON_ENDED.name
    assert last["message"].endswith("given up after 12 tries (retryLimit)")


def test_an_object_can_tell_why_it_ends(start):
    """What a child says last of all as JSON is the reason, as a line would be."""
    fatal = {"time": AT, "level": "FATAL", "application": "flights", "shard": "shardId-7"}
    line = json.dumps({**fatal, "message": "x: no bucket"}, separators=(",", ":"))
    code, lines = end_of(start(says(line, exited(70), ENDS), program=AS_JSON))
    assert (code, json.loads(lines[-1])["message"]) == (70, "flights shardId-7: x: no bucket")


@pytest.mark.parametrize(
    "line", ['{"level":"FATAL","msg":"x"}', '{"level":"FATAL","mess', '{"level":"FATAL"} and more']
)
def test_somebody_elses_object_is_only_a_line(start, line):
    """What looks like a child's last words and is not, passes, and ends nothing."""
    code, lines = end_of(start(says(line, "more") + "sys.exit(3)"))
    assert (code, lines[:2]) == (70, [line, "more"])
