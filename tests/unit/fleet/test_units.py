"""What runs pipelines on a host: whole, understood by systemd, sandboxed, each by its settings."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from record_processors.commands import main as cli
from record_processors.config.properties import load
from record_processors.fleet.pipeline_file import path_of
from record_processors.fleet.units import (
    UNITS,
    NotOnOneHost,
    drop_in_path,
    host_files,
    shipped,
    stop_seconds,
)
from support.fakes import STAGE_TWO, properties
from support.host import Unit

# The directives that the units use: systemd 252, which Amazon Linux 2023 has, knows each of them
# (systemd.directives(7)). A new one is looked up, and entered here.
KNOWN = {
    "Unit": {"Description", "Wants", "After", "StartLimitIntervalSec", "PartOf"},
    "Timer": {"OnActiveSec", "OnUnitInactiveSec", "OnUnitActiveSec", "AccuracySec"},
    "Install": {"WantedBy"},
    "Service": {
        *("Type", "RemainAfterExit", "ExecStartPre", "ExecStart", "WorkingDirectory"),
        *("Environment", "EnvironmentFile", "SyslogIdentifier", "Restart", "RestartSec"),
        *("RestartPreventExitStatus", "KillMode", "TimeoutStartSec", "TimeoutStopSec"),
        *("User", "DynamicUser", "RuntimeDirectory", "MemoryMax", "UMask", "ProtectSystem"),
        *("ProtectHome", "PrivateTmp", "PrivateDevices", "PrivateIPC"),
        *("ProtectProc", "ProtectClock", "ProtectControlGroups", "ProtectHostname"),
        *("ProtectKernelLogs", "ProtectKernelModules", "ProtectKernelTunables"),
        *("NoNewPrivileges", "CapabilityBoundingSet", "LockPersonality", "RemoveIPC"),
        *("RestrictNamespaces", "RestrictRealtime", "RestrictSUIDSGID"),
        *("RestrictAddressFamilies", "SystemCallArchitectures", "SystemCallFilter"),
        *("SystemCallErrorNumber", "MemoryDenyWriteExecute", "Nice", "RuntimeDirectoryPreserve"),
    },
}
# What the stack of a fleet adds to a host.
OF_THE_STACK = (
    "kinesis-connectors-leave.service",
    "kinesis-connectors-report@.service",
    "kinesis-connectors-report@.timer",
)
OF_A_PIPELINE = ("kinesis-connectors@.service", "kinesis-connectors-health@.service")
AS_ROOT = OF_THE_STACK[0]  # it stops others
MOST_EXPOSED = 20  # tenths, of systemd's own scale, in which 100 is a service without a sandbox
ANALYZE = shutil.which("systemd-analyze")
with_systemd = pytest.mark.skipif(
    not ANALYZE, reason="systemd-analyze is not on this machine: the units' keys alone are checked"
)


@pytest.fixture
def one(tmp_path):
    (tmp_path / "one").mkdir()
    return load(properties(tmp_path / "one"))


@pytest.fixture
def two(tmp_path):
    (tmp_path / "two").mkdir()
    changes = {"applicationName": "flights.to-redshift_2", "shutdownGraceMillis": "60500"}
    return load(properties(tmp_path / "two", changes, STAGE_TWO))


@pytest.fixture
def host(one, two, tmp_path):
    """Lay the files of a host with two pipelines into a folder, with what they start."""
    root = tmp_path / "host"
    for path, text in host_files([one, two]).items():
        there = root / path.lstrip("/")
        there.parent.mkdir(parents=True, exist_ok=True)
        there.write_text(text)
    for name in OF_THE_STACK:
        (root / UNITS.lstrip("/") / name).write_text(shipped(name))
    programs = ("opt/kinesis-connectors/bin/kinesis-connectors", "usr/bin/sleep")
    for program in (*programs, "usr/local/sbin/kinesis-connectors-leave"):
        there = root / program
        there.parent.mkdir(parents=True, exist_ok=True)
        there.write_text("#!/bin/sh\n")
        there.chmod(0o755)
    shutil.copy(root / "usr/bin/sleep", root / "opt/kinesis-connectors/bin/python")
    return root


@pytest.fixture
def analyze(host):
    """Return what asks systemd-analyze about the units of the host."""
    (units,) = {path.parent for path in Path("/").glob("*/systemd/system/basic.target")}
    shutil.copytree(units, host / "usr/lib/systemd/system", symlinks=True)

    def analyze(verb, *arguments):
        command = [ANALYZE, verb, "--root", host, *arguments]
        return subprocess.run(command, check=False, capture_output=True, text=True)

    return analyze


def instances(host):
    units = host / UNITS.lstrip("/")
    names = ["flights", "flights.to-redshift_2"]
    for path in sorted(units.glob("*.service")) + sorted(units.glob("*.timer")):
        yield from (
            [path.name.replace("@", f"@{name}") for name in names]
            if "@" in path.name
            else [path.name]
        )


def test_each_key_is_one_that_systemd_knows(host):
    """No unit has a key that the systemd of Amazon Linux 2023 would pass over."""
    paths = [path for path in (host / UNITS.lstrip("/")).rglob("*") if path.is_file()]
    assert len(paths) == 8 + len(OF_THE_STACK)
    for path in paths:
        for section, entries in Unit(path.read_text()).sections.items():
            assert {key for key, _ in entries} <= KNOWN[section], path


@with_systemd
def test_systemd_has_nothing_to_say_of_them(host, analyze):
    """Systemd reads each unit without a word, and would say one of a key that is wrong."""
    for name in instances(host):
        told = analyze("verify", "--man=no", name)
        assert (told.returncode, told.stderr) == (0, ""), name

    drop_in = host / UNITS.lstrip("/") / "kinesis-connectors@flights.service.d/10-pipeline.conf"
    drop_in.write_text("[Service]\nRestartPreventExitCode=2\n")
    assert (
        "Unknown key 'RestartPreventExitCode'"
        in analyze("verify", "kinesis-connectors@flights.service").stderr
    )


@with_systemd
def test_each_service_is_in_a_sandbox(host, analyze):
    """Whatever runs is exposed no more than a service that needs the network and Java has to be."""
    for name in instances(host):
        if name.endswith(".service") and name != AS_ROOT:
            limit = ["--offline=yes", f"--threshold={MOST_EXPOSED}"]
            told = analyze("security", *limit, name)
            assert told.returncode == 0, told.stdout


def test_what_a_pipeline_rests_on(one):
    """Started again for ever, but for a person; stopped at the daemon first; watched meanwhile."""
    files = host_files([one])
    service = Unit(files[f"{UNITS}/kinesis-connectors@.service"])
    assert (service["Restart"], service["RestartPreventExitStatus"]) == ("always", "2")
    assert service.get("StartLimitIntervalSec", "Unit") == "0"
    assert service["KillMode"] == "mixed"
    # It is there as soon as it is known who the host is, which is asked until then.
    assert "/run/kinesis-connectors/host.env" in service.all("EnvironmentFile")
    who = Unit(files[f"{UNITS}/kinesis-connectors-host.service"])
    assert (who["Restart"], who.get("StartLimitIntervalSec", "Unit")) == ("on-failure", "0")
    timer = Unit(files[f"{UNITS}/kinesis-connectors-health@.timer"])
    watched = "kinesis-connectors@%i.service"
    assert timer.get("PartOf", "Unit") == timer.get("WantedBy", "Install") == watched


def test_a_stop_may_take_as_long_as_a_flush(one, two):
    """Systemd waits for what the daemon itself waits for, and for the ends of Java and children."""
    assert (stop_seconds(one), stop_seconds(two)) == (60, 91)
    files = host_files([one, two])
    units = [Unit(files[drop_in_path(pipeline)]) for pipeline in (one, two)]
    assert [unit["TimeoutStopSec"] for unit in units] == ["60", "91"]


def test_each_pipeline_is_a_user_of_its_own(tmp_path):
    """No pipeline is another's user, who could read its password; what asks for its health is."""
    names = ["flights-to-redshift", "flights.to-redshift", "f" * 60, "g" * 60]
    pipelines = []
    for number, name in enumerate(names):
        (folder := tmp_path / str(number)).mkdir()
        pipelines.append(load(properties(folder, {"applicationName": name})))
    files = host_files(pipelines)
    users = [Unit(files[drop_in_path(one)])["User"] for one in pipelines]

    assert users[0] == "connector-flights-to-redshift"
    assert len(set(users)) == len(names)
    # systemd.io/USER_NAMES, strict mode: others are no names for a user that systemd makes up.
    assert all(re.fullmatch("[a-zA-Z_][a-zA-Z0-9_-]{0,30}", user) for user in users)
    assert users == [Unit(files[drop_in_path(one, "-health")])["User"] for one in pipelines]
    assert not any(Unit(files[f"{UNITS}/{name}"]).get("User") for name in OF_A_PIPELINE)


def test_pipelines_share_the_memory_of_a_host(one, tmp_path):
    """Each has a part of four fifths, unless its file says how many shards; the rest is left."""

    def limits(*others):
        pipelines = [one, *others]
        files = host_files(pipelines)
        return [Unit(files[drop_in_path(each)]).get("MemoryMax") for each in pipelines]

    assert limits() == [None]
    other = load(properties(tmp_path, {"applicationName": "other"}))
    assert limits(other) == ["40%", "40%"]
    sized = load(properties(tmp_path, {"applicationName": "sized", "maxLeasesForWorker": "4"}))
    assert limits(sized) == ["40%", None]


def test_two_pipelines_of_one_name(one, tmp_path):
    """A host has one daemon of an application, so that a second file of one is refused."""
    with pytest.raises(NotOnOneHost, match=r"applicationName = flights is both .*one/.*give each"):
        host_files([one, load(properties(tmp_path))])


def test_a_host_has_the_file_with_its_own_path(one, host, tmp_path, monkeypatch):
    """But for the command that the daemon starts it says the same, in every letter."""
    path = tmp_path / "written.properties"
    source = Path(one.path).read_bytes().replace(str(one.path).encode(), str(path).encode())
    source += b"# fl\xc3\xbcge\r\ns3Prefix = \\\r\n  a/b\xfc/\ndeadLetterPrefix = a b/"
    path.write_bytes(source)
    text = host_files([load(str(path))])["/etc/connectors/flights.properties"]

    assert "# flüge" in text
    (there := tmp_path / "flights.properties").write_text(text)
    monkeypatch.setattr("record_processors.config.kcl_rules.realpath", lambda _: "the same")
    ours, theirs = load(str(path)).texts, load(str(there)).texts
    command = "kinesis-connectors process /etc/connectors/flights.properties"
    assert theirs == {**ours, "executableName": command}


def test_files_are_printed_each_below_its_path(one, capsys):
    """Without a directory nothing is written: the files are there to be read."""
    assert cli.main(["systemd", one.path]) == 0
    said = capsys.readouterr().out
    for path, text in host_files([one]).items():
        assert f"# ==== {path}\n\n{text}" in said


def test_files_are_written_and_never_over_others(one, tmp_path, capsys):
    """What differs stays, and then nothing is written at all, unless it is wanted."""
    call = ["systemd", one.path, "--into", str(tmp_path / "root")]
    assert cli.main(call) == 0
    told = capsys.readouterr()
    assert told.out.count(": written\n") == len(host_files([one]))
    assert "systemctl enable --now kinesis-connectors@flights.service" in told.err
    assert cli.main(call) == 0
    assert capsys.readouterr().out.count(": is there already\n") == len(host_files([one]))

    mine = tmp_path / "root" / path_of(one).lstrip("/")
    mine.write_text("mine")
    timer = tmp_path / "root" / UNITS.lstrip("/") / "kinesis-connectors-health@.timer"
    timer.unlink()
    assert cli.main(call) == 2
    assert f"{mine}: there already" in capsys.readouterr().err
    assert (mine.read_text(), timer.exists()) == ("mine", False)
    assert cli.main([*call, "--force"]) == 0
    assert mine.read_text() == host_files([one])[path_of(one)]


def test_the_pipelines_user_can_read_what_is_written(one, tmp_path):
    """Neither file nor folder is root's alone, though all that root writes be so otherwise."""
    before = os.umask(0o077)
    try:
        assert cli.main(["systemd", one.path, "--into", str(tmp_path / "root")]) == 0
    finally:
        os.umask(before)
    for path in (tmp_path / "root").rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o755 if path.is_dir() else 0o644), path


def test_what_is_left_to_do_is_typed_as_it_is_told(one, two, tmp_path, capsys):
    """Each line is one of a shell: for the secrets, the start, and a setting that changes later."""
    assert cli.main(["systemd", one.path, two.path, "--into", str(tmp_path / "root")]) == 0
    told = capsys.readouterr().err
    secrets = tmp_path / "flights.env"
    path = "/etc/connectors/flights.to-redshift_2.env"
    assert f"  vi {path}  # a line of each: REDSHIFT_PASSWORD=…\n" in told
    make = next(line for line in told.splitlines() if "install -m 600" in line)
    subprocess.run(["sh", "-ec", make.replace(path, str(secrets))], check=True)
    assert secrets.stat().st_mode & 0o777 == 0o600
    secrets.write_text("REDSHIFT_PASSWORD=x")
    subprocess.run(["sh", "-ec", make.replace(path, str(secrets))], check=True)
    assert secrets.read_text() == "REDSHIFT_PASSWORD=x"

    again = told.partition("after a setting changes:\n")[2].split("\n")
    units = "kinesis-connectors@flights.service kinesis-connectors@flights.to-redshift_2.service"
    assert again[:3] == [
        f"  kinesis-connectors systemd {one.path} {two.path} --into {tmp_path / 'root'} --force",
        "  systemctl daemon-reload",
        f"  systemctl restart {units}",
    ]


def test_a_worker_of_all_hosts_is_noted(tmp_path, capsys):
    """One host may have a name by its file; whoever shares the file with others is told."""
    path = properties(tmp_path, {"workerId": "h1"})
    assert cli.main(["systemd", path]) == 0
    assert f"note  {path}: workerId stands in the file: two hosts" in capsys.readouterr().err
