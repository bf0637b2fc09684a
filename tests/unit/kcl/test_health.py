"""A child says how it is in a file; `health` reads the files of a host, and trusts no corpse."""

import json
import os
import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import msgspec
import pytest

from protocol.daemon import SHARD, Scenes, records, status
from record_processors.commands import main as cli
from record_processors.config.types import Duration
from record_processors.errors import LaunchError
from record_processors.flow import trouble
from record_processors.flow.metrics import BUFFER_AGE
from record_processors.kcl import health as module
from record_processors.kcl.health import (
    FOLDER_VARIABLE,
    Health,
    HealthFile,
    Limits,
    Process,
    folder,
    folders,
    prepare,
)
from record_processors.kcl.lock import digest, lock
from support.fakes import properties
from support.fault_proxy import Fault

LIMITS = Limits(failing=Duration(300), waiting=120, silent=90)
SECONDS = 60


@pytest.fixture(autouse=True)
def memory(tmp_path, monkeypatch):
    """Have the folders of this test's own."""
    memory = tmp_path / "memory"
    memory.mkdir(mode=0o1777)
    monkeypatch.setattr(module, "MEMORY", str(memory))
    monkeypatch.setattr(BUFFER_AGE, "read", lambda: 0.0, raising=False)
    monkeypatch.setattr(trouble, "_failing", {})
    return memory


@pytest.fixture
def place(request):
    """Return an endpoint of this test's own, and where its application's leases are."""
    return f"http://127.0.0.1:9/{request.node.name}"


@pytest.fixture
def keeps(place):
    """Return a file of this process, as a child keeps it."""
    return HealthFile(prepare("flights", place), "flights", SHARD, LIMITS)


def said(keeps):
    return msgspec.json.decode(keeps.path.read_bytes(), type=Health)


def seen(keeps, **later):
    """Return what one sees who finds the file later."""
    at = datetime.now(timezone.utc) + timedelta(**later)
    return list(said(keeps).reasons_seen(at, LIMITS))


def since(seconds):
    return time.time() - seconds


# ---- what a child says


def test_a_healthy_child(keeps):
    """The file says who it is, and that it is well; any tool may read it."""
    found = json.loads(keeps.path.read_text())
    assert found["healthy"] is True
    assert found["why"] == []
    assert (found["application"], found["shard"]) == ("flights", SHARD)
    assert found["process"]["pid"] == os.getpid()
    assert found["daemon"]["pid"] == os.getppid()
    assert seen(keeps) == []


def test_a_failure_that_lasts(keeps, monkeypatch):
    """It is unhealthy once a failure has lasted for longer than the setting, and well after it."""
    trouble._failing["writing s3://b/k"] = trouble.Failing("writing s3://b/k", since(299), "503")
    keeps.beat()
    assert said(keeps).healthy
    assert said(keeps).failing.why == "503"
    trouble._failing["writing s3://b/k"] = trouble.Failing("writing s3://b/k", since(301), "503")
    keeps.beat()
    unwell = said(keeps)
    assert not unwell.healthy
    (reason,) = unwell.why
    assert reason.startswith("writing s3://b/k has failed since 20")
    assert reason.endswith("Z, for 301 s (unhealthyAfter = 5m): 503")
    trouble.over("writing s3://b/k")
    keeps.beat()
    assert said(keeps).healthy
    assert said(keeps).since > unwell.since


def test_a_failure_is_seen_while_the_child_waits(keeps):
    """Between two tries nothing is written: who looks counts on from what was."""
    trouble._failing["loading"] = trouble.Failing("loading", since(290), "down")
    keeps.beat()
    assert seen(keeps) == []
    (reason,) = seen(keeps, seconds=15)
    assert "for 305 s (unhealthyAfter = 5m): down" in reason


def test_a_record_that_waits(keeps, monkeypatch):
    """Longer than twice the buffer's time is too long; when it is durable, all is well."""
    monkeypatch.setattr(BUFFER_AGE, "read", lambda: 119_000)
    keeps.beat()
    keeps._written_at = float("-inf")
    keeps.beat()
    assert said(keeps).healthy
    (reason,) = seen(keeps, seconds=15)  # whose daemon calls it no more
    assert "for 134 s, which is more than 120 s, twice bufferMillisecondsLimit" in reason
    monkeypatch.setattr(BUFFER_AGE, "read", lambda: 121_000)
    keeps.beat()
    assert seen(keeps) == said(keeps).why != []
    monkeypatch.setattr(BUFFER_AGE, "read", lambda: 0.0)
    keeps.beat()
    assert seen(keeps) == []


def test_a_pause_wakes_nobody(keeps, monkeypatch):
    """While nothing is loaded on purpose, records wait for as long as that lasts, and no longer."""
    monkeypatch.setattr(BUFFER_AGE, "read", lambda: 121_000)
    keeps._written_at = float("-inf")
    trouble.pause(datetime.now(timezone.utc) + timedelta(seconds=60))
    try:
        keeps.beat()
    finally:
        trouble.pause(None)
    assert seen(keeps, seconds=30) == []
    assert len(seen(keeps, seconds=70)) == 1


def test_a_child_that_is_not_heard_of(keeps):
    """A process that lives and says nothing for longer than it may take is not well."""
    assert seen(keeps, seconds=89) == []
    (reason,) = seen(keeps, seconds=92)
    assert reason.startswith(f"process {os.getpid()} has not been heard of for 9")


def test_it_is_written_now_and_then(keeps, monkeypatch):
    """A beat with nothing new writes only after some seconds, and what is new at once."""
    before = keeps.path.stat().st_ino
    for _ in range(100):
        keeps.beat()
    assert keeps.path.stat().st_ino == before
    trouble._failing["loading"] = trouble.Failing("loading", since(1), "down")
    keeps.beat()
    assert said(keeps).failing.why == "down"
    clock = time.monotonic
    monkeypatch.setattr(module.time, "monotonic", lambda: clock() + module.SECONDS_BETWEEN)
    written = said(keeps).written
    keeps.beat()
    assert said(keeps).written > written


def test_a_folder_that_is_taken_away_comes_back(keeps):
    """A logout clears a user's shared memory; the next file makes the folder again."""
    keeps.path.unlink()
    keeps.path.parent.rmdir()
    keeps.path.parent.parent.rmdir()
    keeps._written_at = float("-inf")
    keeps.beat()
    assert said(keeps).healthy


def test_a_folder_that_cannot_be_written_stops_nothing(keeps, caplog, memory):
    """It is logged once, and the process goes on."""
    keeps.path.unlink()
    keeps.path.parent.rmdir()
    keeps.path.parent.write_text("somebody's file")
    for _ in range(3):
        keeps._written_at = float("-inf")
        keeps.beat()
    assert len(caplog.messages) == 1


# ---- folders


def test_the_folder_is_this_users_alone(place, memory):
    """Others can neither read nor list it."""
    path = Path(prepare("flights", place))
    assert [each.stat().st_mode & 0o777 for each in (path, path.parent)] == [0o700, 0o700]
    assert path.parent.parent == memory


def test_another_users_folder(place, memory, monkeypatch):
    """One that bears this user's number, and is another's, is neither written nor read."""
    prepare("flights", place)
    me = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    top = folder("flights", place).parent
    (top / folder("flights", place).name).mkdir(parents=True)
    with pytest.raises(LaunchError, match=f"{top}: .* it is not this user's own"):
        prepare("flights", place)
    assert folders("flights", place) == [
        memory / f"kinesis-connectors-{me}" / digest("flights", place)
    ]


@pytest.mark.parametrize("kind", ["link", "file"])
def test_a_folder_that_somebody_made_is_refused(kind, place, memory, tmp_path):
    """A name that anybody may take in a folder of all is not trusted; `run` says which it is."""
    top = folder("flights", place).parent
    if kind == "link":
        (tmp_path / "theirs").mkdir()
        top.symlink_to(tmp_path / "theirs")
    else:
        top.touch()
    with pytest.raises(LaunchError, match=str(top)):
        prepare("flights", place)


def test_what_the_dead_leave(keeps, place):
    """A file of a child and a daemon that both ended is taken away; one of a child alone is not."""
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        gone = Process(ended.pid, 1)
    child = msgspec.structs.replace(said(keeps), process=gone)
    both = msgspec.structs.replace(child, daemon=gone)
    (keeps.path.parent / "child.json").write_bytes(msgspec.json.encode(child))
    (keeps.path.parent / "both.json").write_bytes(msgspec.json.encode(both))
    (keeps.path.parent / "torn.json").write_bytes(b"{")
    prepare("flights", place)
    names = {path.name for path in keeps.path.parent.iterdir()}
    assert names == {"child.json", keeps.path.name}


def test_a_number_that_is_anothers_by_now(keeps):
    """A process is its number and its start: another with that number is not the child."""
    me = said(keeps).process
    assert me.lives
    assert not Process(me.pid, me.started + 1).lives
    assert not Process(2**22 + 1, 1).lives


def test_a_process_that_nobody_has_buried(keeps):
    """One that has ended is dead, though its parent has not asked for its end yet."""
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert Process.of(child.pid) is None


# ---- the command


@pytest.fixture
def ask(tmp_path, capsys, monkeypatch, request):
    """Return a function that asks `health`: its code, what it said, and what it complained of."""
    application = request.node.name.replace("[", "-").replace("]", "")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    path = properties(tmp_path, {"applicationName": application, "dynamoDBEndpoint": NOWHERE})

    def ask(*words):
        code = cli.main(["health", path, *words])
        output = capsys.readouterr()
        return code, output.out, output.err

    ask.application = application
    return ask


NOWHERE = "http://127.0.0.1:9"  # the port of "discard": whoever connects fails


@pytest.fixture
def runs(ask):
    """Be the daemon of the file, by its lock; return the folder of its children."""
    with lock(ask.application, NOWHERE, None):
        yield prepare(ask.application, NOWHERE)


def test_no_daemon(ask):
    """That is not healthy, and the sentence says where it was looked for."""
    code, out, error = ask()
    assert (code, out) == (1, "")
    assert error == (
        f"kinesis-connectors: {ask.application}: no daemon of {ask.application} (its leases are at "
        f"{NOWHERE}) runs on this host\n"
    )
    code, out, error = ask("--json")
    assert (code, error) == (1, "")
    assert json.loads(out)["daemon"] is False


def test_a_daemon_without_shards(ask, runs):
    """It waits for work: that is healthy."""
    assert ask() == (0, f"{ask.application}: healthy; its daemon has 0 shards on this host\n", "")


def test_children(ask, runs):
    """Each child counts; one that is not well makes the host not well, by its own sentence."""
    well = HealthFile(runs, ask.application, SHARD, LIMITS)
    assert ask() == (0, f"{ask.application}: healthy; its daemon has 1 shard on this host\n", "")
    trouble._failing["loading"] = trouble.Failing("loading", since(400), "down")
    well.beat()
    code, out, error = ask()
    assert (code, out) == (1, "")
    assert error.startswith(f"kinesis-connectors: {ask.application}: {SHARD}: loading has failed")
    code, out, _ = ask("--json")
    (child,) = json.loads(out)["children"]
    assert (code, child["shard"], child["pid"], child["healthy"]) == (1, SHARD, os.getpid(), False)


def test_a_child_that_died_under_its_daemon(ask, runs):
    """A crash leaves no healthy look: the process is gone, and whoever started it is not."""
    keeps = HealthFile(runs, ask.application, SHARD, LIMITS)
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        gone = Process(ended.pid, 1)
    health = msgspec.structs.replace(said(keeps), process=gone)
    keeps.path.write_bytes(msgspec.json.encode(health))
    code, _, error = ask()
    assert code == 1
    assert f"{SHARD}: process {gone.pid} has ended, and its daemon has not" in error


def test_an_earlier_daemons_children(ask, runs):
    """Files of a time before are nobody's health."""
    keeps = HealthFile(runs, ask.application, SHARD, LIMITS)
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        gone = Process(ended.pid, 1)
    health = msgspec.structs.replace(said(keeps), process=gone, daemon=gone, healthy=False)
    keeps.path.write_bytes(msgspec.json.encode(health))
    assert ask()[0] == 0


def test_a_daemon_whose_folder_is_gone(ask, runs):
    """Not to know is not healthy."""
    Path(runs).rmdir()
    code, _, error = ask()
    assert code == 1
    assert "the daemon's children do not say how they are" in error


def test_a_wrong_file(tmp_path, capsys):
    """That is usage, not health."""
    assert cli.main(["health", properties(tmp_path, {"unhealthyAfter": "soon"})]) == 2
    assert "unhealthyAfter = soon: not a time" in capsys.readouterr().err


# ---- the real child


@pytest.fixture
def child(tmp_path, place, monkeypatch):
    """Return a function that makes a scene whose children keep their health here."""
    path = Path(prepare("flights", place))
    monkeypatch.setenv(FOLDER_VARIABLE, str(path))
    with Scenes(tmp_path) as scenes:
        scenes.health = path
        yield scenes


def of_child(path):
    """Return what the child's file says; None if there is none."""
    files = list(path.glob("*.json"))
    return msgspec.json.decode(files[0].read_bytes(), type=Health) if files else None


def becomes(path, condition):
    """Wait until the child's file is as it should be; return what it says."""
    end = time.monotonic() + SECONDS
    while not condition(found := of_child(path)):
        assert time.monotonic() < end, found
        time.sleep(0.01)
    return found


def test_a_real_child_says_that_it_fails_and_that_it_is_well_again(child):
    """S3 is down, and health tells it while it lasts; when S3 is back, all is well."""
    scene = child(unhealthyAfter="1s", retryLimit=1000, backoffInterval=200)
    daemon = scene.ready()
    begun = of_child(child.health)
    assert (begun.healthy, begun.shard, begun.process.pid) == (True, SHARD, daemon.process.pid)
    scene.proxy.faults.append(Fault(f"PUT /{scene.bucket}/", "503", always=True))
    daemon.deliver(records(1, 10))
    unwell = becomes(child.health, lambda health: not health.healthy)
    assert unwell.why[0].startswith(f"writing s3://{scene.bucket}/flights/")
    assert unwell.why[0].partition("unhealthyAfter = 1s): ")[2]
    scene.proxy.faults.clear()
    assert daemon.listen()[-1] == status("processRecords")
    assert of_child(child.health).healthy
    assert daemon.end() == 0, daemon.told()
    assert of_child(child.health) is None


def test_a_real_child_that_crashes(child):
    """Killed, or given up, it leaves a file that says of itself that it is a corpse's."""
    scene = child()
    daemon = scene.ready()
    daemon.kill()
    left = of_child(child.health)
    assert not left.process.lives
    assert left.daemon.lives


def test_a_real_child_that_lost_its_shard(child):
    """What it holds is another's to deliver: its file is gone."""
    scene = child()
    daemon = scene.ready()
    daemon.process_records(records(1, 3))
    assert of_child(child.health) is not None
    daemon.call("leaseLost")
    assert of_child(child.health) is None
    assert daemon.end() == 0, daemon.told()


def test_without_run_there_is_no_file(child, monkeypatch):
    """Whoever starts the daemon by himself has no folder, and the child works all the same."""
    monkeypatch.delenv(FOLDER_VARIABLE)
    daemon = child().ready()
    assert daemon.end() == 0, daemon.told()
    assert of_child(child.health) is None
