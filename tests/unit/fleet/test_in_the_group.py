"""What a host of the stack does beside its pipelines: it fetches passwords, and leaves in peace."""

import json
import os
import re
import subprocess
import sys

import pytest

from record_processors.config.properties import load
from record_processors.fleet.hosts import HOOK, START
from record_processors.fleet.in_the_group import ARRIVES, after, before, passwords
from record_processors.fleet.units import UNITS, drop_in_path, host_files, shipped, user_of
from record_processors.fleet.user_data import PATIENCE
from support.fakes import STAGE_TWO, properties
from support.host import Metadata, Unit, metadata_service
from support.paths import REPOSITORY

ARN = "arn:aws:secretsmanager:us-east-1:000000000000:secret:password-AbCdEf"
PASSWORD = "a \"b\" \\c $d `e` 'f' #"


def test_a_host_that_is_let_go(tmp_path, monkeypatch):
    """Until the group lets it go, nothing happens; then the units stop, and the group is told."""
    monkeypatch.setattr(Metadata, "states", ["InService", None, "InService"])
    journal = tmp_path / "journal"
    for name in ("systemctl", "aws"):
        program = tmp_path / name
        program.write_text(f'#!/bin/sh\necho {name} "$@" >>{journal}\n')
        program.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    with metadata_service() as place:
        where = {"REGION": "eu-west-1", "GROUP": "fleet", "HOOK": HOOK}
        environment = {"PATH": path, "IMDS": place, "PAUSE": "0", **where}
        subprocess.run(
            ["bash", "-c", shipped("leave.sh")], env=environment, check=True, capture_output=True
        )

    assert Metadata.states == []
    assert journal.read_text().splitlines() == [
        "systemctl stop kinesis-connectors-report@*.timer kinesis-connectors@*.service",
        "aws autoscaling complete-lifecycle-action --region eu-west-1 "
        "--auto-scaling-group-name fleet --lifecycle-hook-name flush "
        f"--lifecycle-action-result CONTINUE --instance-id {Metadata.instance}",
    ]


@pytest.mark.parametrize(("code", "times"), [(0, 0), (3, 1)])
def test_a_host_whose_set_up_fails(code, times, tmp_path):
    """The stack is told how the set-up ended; of a failed one the group is to take another."""
    for name, body in {
        "cfn-signal": f'echo "signal $2" >>{tmp_path}/journal',
        "cloud-init": "echo i-123",
        "aws": f'echo "$@" >>{tmp_path}/journal',
    }.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    script, trap, _ = before([load(properties(tmp_path))]).partition("trap finish EXIT\n")
    script = script.replace("/opt/aws/bin/", f"{tmp_path}/")
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f"{script}{trap}exit {code}"],
        env=environment,
        check=False,
        stderr=subprocess.DEVNULL,
    )
    unhealthy = (
        "autoscaling set-instance-health --health-status Unhealthy "
        "--no-should-respect-grace-period --instance-id i-123"
    )
    told = (tmp_path / "journal").read_text().splitlines()

    assert told == [f"signal {code}", *[unhealthy] * times]


def test_why_a_set_up_failed_is_sent(tmp_path):
    """The agent reads what the set-up says, too, and runs ahead of what may fail: a password."""
    config = tmp_path / "opt/aws/amazon-cloudwatch-agent/etc/kinesis-connectors.json"
    config.parent.mkdir(parents=True)
    stubs = {
        "dnf": "",
        "aws": "exit 254",
        "cloud-init": "",
        "opt/aws/bin/cfn-signal": f'echo "signal $2" >>{tmp_path}/journal',
        "opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl": (
            f'echo "agent $*" >>{tmp_path}/journal'
        ),
    }
    for name, body in stubs.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "to-s3").mkdir()
    other = properties(tmp_path / "to-s3", {"applicationName": "to-s3"})
    script = before([load(other), load(properties(tmp_path, base=STAGE_TWO))])
    script = script.replace("/opt/aws/", f"{tmp_path}/opt/aws/").replace(UNITS, str(tmp_path))
    script = script.replace("%{FlightsRedshiftPasswordSecret}", ARN)
    script = script.replace("/usr/bin/python3", sys.executable)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    ended = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", on_this_machine(script, tmp_path)],
        env=environment,
        check=False,
        stderr=subprocess.DEVNULL,
    )
    agent, signal = (tmp_path / "journal").read_text().splitlines()
    sent = json.loads(config.read_text())["logs"]["logs_collected"]["files"]["collect_list"]

    assert ended.returncode != 0
    assert agent == f"agent -a fetch-config -m ec2 -s -c file:{config}"
    assert signal == f"signal {ended.returncode}"
    assert [tuple(one.values()) for one in sent] == [
        (
            "/var/log/cloud-init-output.log",
            "kinesis-connectors/to-s3",
            "{instance_id}/set-up",
        ),
        *(
            (
                f"/var/log/kinesis-connectors/{name}.log",
                f"kinesis-connectors/{name}",
                "{instance_id}",
            )
            for name in ("to-s3", "flights")
        ),
    ]


def test_what_nobody_looks_after(tmp_path):
    """A log too large is found within the hour; a daemon that ended with 2 is started again."""
    (tmp_path / "etc/logrotate.d").mkdir(parents=True)
    (tmp_path / "systemctl").write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/journal\n')
    (tmp_path / "systemctl").chmod(0o755)
    lines = before([load(properties(tmp_path))])
    part = lines[lines.index("# The logs go to files") :]
    part = part.replace("/etc/", f"{tmp_path}/etc/").replace("/var/", f"{tmp_path}/var/")
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    subprocess.run(["bash", "-euo", "pipefail", "-c", part], env=environment, check=True)

    units = tmp_path / "etc/systemd/system"
    daemon = (units / "kinesis-connectors@.service.d/20-log.conf").read_text()
    assert "RestartPreventExitStatus=" in daemon.splitlines()
    (drop_in,) = (units / "logrotate.timer.d").iterdir()
    reset, hourly = (line for line in drop_in.read_text().splitlines() if "OnCalendar" in line)
    assert (reset, hourly) == ("OnCalendar=", "OnCalendar=hourly")
    assert (tmp_path / "journal").read_text().splitlines() == [
        "daemon-reload",
        "enable --now --quiet logrotate.timer",
    ]


@pytest.fixture
def reporting(tmp_path):
    """Return what does as a host does when its pipelines are healthy; it returns its journal.

    Its argument is how many reports fail first.
    """
    units = tmp_path / "units"
    for name in ("to-s3", "to.redshift"):
        (units / f"kinesis-connectors-health@{name}.service.d").mkdir(parents=True)
    for name, body in {
        "systemctl": f'echo "$@" >>{tmp_path}/journal; [ "$1" != start ] || exec {tmp_path}/report',
        "report": f"read -r left <{tmp_path}/fails; echo $((left - 1)) >{tmp_path}/fails; "
        "[ $left -lt 1 ]",
        "sleep": f'echo "sleep $1" >>{tmp_path}/journal',
    }.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    script = on_this_machine(after(), tmp_path).replace(UNITS, str(units))
    script = script.replace("/opt/kinesis-connectors/bin/python -I", f"{sys.executable} ")
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(REPOSITORY)}

    def run(fails=0, patience=600):
        (tmp_path / "fails").write_text(f"{fails}\n")
        said = f"PIPELINES=(to-s3 to.redshift) PATIENCE={patience}\n"
        words = ["bash", "-euo", "pipefail", "-c", said + script]
        subprocess.run(words, env=environment, check=True)
        return (tmp_path / "journal").read_text().splitlines()

    return run


REPORTS = "start " + " ".join(
    f"kinesis-connectors-report@{name}.service" for name in ("to-s3", "to.redshift")
)


def test_the_units_of_the_stack_come_with_the_program(reporting, tmp_path):
    """They are copied from where the program is installed; the leave and each report start."""
    journal = reporting()
    units = tmp_path / "units"

    assert sorted(path.name for path in units.iterdir() if path.is_file()) == [
        "kinesis-connectors-leave.service",
        "kinesis-connectors-report@.service",
        "kinesis-connectors-report@.timer",
    ]
    assert journal[:2] == [
        "daemon-reload",
        "enable --now kinesis-connectors-leave.service "
        "kinesis-connectors-report@to-s3.timer kinesis-connectors-report@to.redshift.timer",
    ]
    assert (tmp_path / "kinesis-connectors-leave").stat().st_mode & 0o111
    assert (tmp_path / "group").read_text().splitlines() == [
        "REGION=%{AWS::Region}",
        "GROUP=%{AWS::StackName}",
        f"HOOK={HOOK}",
    ]


def test_each_pipeline_has_told_before_the_stack_hears(reporting):
    """Alarms that are made at once find a first report: it is waited for, and it has arrived."""
    assert reporting()[2:] == [REPORTS, "sleep 60"]


def test_a_first_report_that_fails(reporting):
    """It is tried again, as a role may be too new; but not longer than a pipeline's health."""
    assert reporting(fails=2)[2:] == [*[REPORTS, "sleep 5"] * 2, REPORTS, "sleep 60"]
    assert reporting(fails=9, patience=-1)[-2:] == [REPORTS, "sleep 60"]


def test_a_set_up_ends_before_the_stack_gives_it_up():
    """The image's start, the wait for health, a report that hangs and its way fit into START."""
    hangs = int(Unit(shipped("kinesis-connectors-report@.service"))["TimeoutStartSec"])
    (minutes,) = re.fullmatch(r"PT(\d+)M", START).groups()

    assert 60 + PATIENCE + hangs + ARRIVES < int(minutes) * 60


def on_this_machine(script, folder):
    """Return it with a folder in the place of those of a host."""
    for place in ("/etc/connectors", "/usr/local/sbin"):
        script = script.replace(place, str(folder))
    return script


@pytest.fixture
def fetched(tmp_path):
    """Return what does as a host does at its set-up with a secret; it returns how that ended."""
    script = passwords([load(properties(tmp_path, base=STAGE_TWO))])
    script = script.replace("%{FlightsRedshiftPasswordSecret}", ARN)
    for place in ("/etc/connectors", "/usr/local/sbin", "/etc/systemd/system"):
        script = script.replace(place, str(tmp_path))
    script = script.replace("/usr/bin/python3", sys.executable)
    (tmp_path / "aws").write_text(f"#!/bin/sh\ncat {tmp_path}/secret\n")
    (tmp_path / "aws").chmod(0o755)

    def once(secret, words=("bash", "-euo", "pipefail", "-c", script)):
        (tmp_path / "secret").write_text(json.dumps(secret))
        environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
        return subprocess.run(
            words, env=environment, check=False, text=True, stderr=subprocess.PIPE
        )

    return once


def password_in(file):
    """Read it; between double quotes, systemd and a shell take the same for escapes."""
    words = ["bash", "-c", f'source {file}; printf %s "$REDSHIFT_PASSWORD"']
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def test_a_password_from_secrets_manager(fetched, tmp_path):
    """It is in a file that is root's own, quoted so that each of its letters comes through."""
    assert fetched(PASSWORD).returncode == 0
    assert password_in(tmp_path / "flights.env") == PASSWORD
    assert (tmp_path / "flights.env").stat().st_mode & 0o777 == 0o600


def test_a_password_that_is_rotated(fetched, tmp_path):
    """What a service manages is JSON; the daemon's start fetches it anew, as root."""
    assert fetched(PASSWORD).returncode == 0
    (drop_in,) = tmp_path.glob("kinesis-connectors@flights.service.d/*.conf")
    section, line = drop_in.read_text().splitlines()
    start, command = line.split("-+")
    assert (section, start) == ("[Service]", "ExecStartPre=")

    managed = {"username": "loader", "password": PASSWORD + "new"}
    assert fetched(json.dumps(managed), command.split()).returncode == 0
    assert password_in(tmp_path / "flights.env") == PASSWORD + "new"


@pytest.mark.parametrize("secret", ["", '{"secret": "x"}', '{"password": 7}', "a\nb", None])
def test_a_secret_that_is_no_password(secret, fetched, tmp_path):
    """It ends the set-up, with a sentence that names the secret and does not show it."""
    answer = fetched(secret)
    assert answer.returncode == 1
    assert answer.stderr == (
        f"{ARN}: neither one line of text, nor JSON with a text password: see REDSHIFT_PASSWORD\n"
    )
    assert not (tmp_path / "flights.env").exists()


def test_a_report_is_its_pipelines_own(tmp_path):
    """It runs as the user of its pipeline, whose children tell him alone how they are."""
    one = load(properties(tmp_path))
    units = tmp_path / "units"
    for path, text in host_files([one]).items():
        if path.startswith(UNITS):
            there = units / path.removeprefix(f"{UNITS}/")
            there.parent.mkdir(parents=True, exist_ok=True)
            there.write_text(text)
    script = (
        f"set -euo pipefail\nPIPELINES=(flights)\nsystemctl() {{ :; }}\nsleep() {{ :; }}\n{after()}"
    )
    script = on_this_machine(script.replace(UNITS, str(units)), tmp_path)
    script = script.replace("/opt/kinesis-connectors/bin/python", sys.executable)
    subprocess.run(["bash", "-c", script], check=True)

    drop_in = units / drop_in_path(one, "-report").removeprefix(f"{UNITS}/")
    assert Unit(drop_in.read_text())["User"] == user_of(one)
