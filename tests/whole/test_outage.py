"""S3 is gone for ten minutes, then Redshift: nothing dies, nothing is lost, and it is all told.

A minute is half a second here. That a whole hour is waited out, in what steps, and what ends it, is
shown of ``Retry`` alone, in tests/unit/flow/test_retry_and_errors.py.
"""

import json
import os
import re
from collections import Counter

import psutil
import pytest

from record_processors.commands.main import main
from record_processors.config.keys import APPLICATION_NAME, S3_ENDPOINT
from record_processors.destinations.redshift.settings import REDSHIFT_URL
from support.agents import Listener, read_statsd
from support.fault_proxy import Fault, Proxy
from support.redshift_wire import Wire
from support.two_stages import TwoStages

pytestmark = pytest.mark.usefixtures("class_archive")

# The waits of the program that no setting shortens: each process of the daemons reads this first.
HASTE = """
from record_processors.flow import retry
from record_processors.kcl import health, metrics

retry.LONGEST_WAIT /= 120
for each in (retry, health, metrics):
    each.SECONDS_BETWEEN /= 120
"""
TEN_MINUTES = 5  # seconds
LIMIT = 3  # tries, of what is no outage
KEYS = {
    "retryLimit": str(LIMIT),
    "unhealthyAfter": "1s",
    "kinesisInputStreamShardCount": "1",
    "logFormat": "json",
}
SINCE = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"


class Pipelines:
    """Both stages, with a wire each to S3 and Redshift; records are put whenever one waits."""

    def __init__(self, stack, folder):
        address, _, database = stack.properties[REDSHIFT_URL.key].partition("/")
        host, _, port = address.partition(":")
        self.listener = Listener()
        self.s3 = Proxy(stack.properties["kinesisEndpoint"], [])
        self.redshift = Wire((host, int(port)))
        keys = {
            **KEYS,
            S3_ENDPOINT.key: self.s3.endpoint,
            "metrics": f"statsd://127.0.0.1:{self.listener.port}",
        }
        url = {REDSHIFT_URL.key: f"{self.redshift.url}/{database}"}
        self.both = TwoStages(stack, folder, "gone", one=keys, two={**keys, **url})
        self.rows = []

    def put(self):
        first = len(self.rows)
        self.rows += [(number, f"row {number}") for number in range(first, first + 5)]
        self.both.put(json.dumps({"id": i, "text": t}).encode() for i, t in self.rows[first:])

    def until(self, condition, what):
        """Wait for what must happen, under load."""
        return self.both.until(lambda: self.put() or condition(), what)

    def cut(self, wire):
        """Let nothing pass any more; listen anew to what is told."""
        wire.faults.append(Fault("", "cut", always=True))
        self.listener.received()
        self.behind, self.tries = [], 0  # behind: what was heard, in ms
        self.told_before = {stage: len(self.lines(stage)) for stage in self.both.daemons}

    def hear(self, application, service):
        """Take what the agent was sent; tell whether it shows a long outage of that service."""
        for datagram in self.listener.received():
            for point in read_statsd(datagram):
                if point.tags["application"] != application:
                    continue
                if point.name.endswith(".millis_behind_latest"):
                    self.behind += point.values
                if point.name.endswith(".retries") and point.tags["service"] == service:
                    self.tries += sum(point.values)
        last = self.behind[-3:]
        rises = last == sorted(set(last)) and last[-1:] > [TEN_MINUTES * 1000]
        return rises and self.tries > 5 * LIMIT

    def events(self, stage, event):
        """Return what the log tells of an event since the last cut."""
        new = self.lines(stage)[self.told_before[stage] :]
        found = (json.loads(line) for line in new if line.startswith("{"))
        return [line for line in found if line.get("event") == event]

    def lines(self, stage):
        """Return the lines of a log that are whole."""
        return self.both.daemons[stage].log.read_text().split("\n")[:-1]

    def processes(self):
        """Return the daemons with all that they started: each equals itself alone."""
        runs = [psutil.Process(daemon.process.pid) for daemon in self.both.daemons.values()]
        return {one for run in runs for one in (run, *run.children(recursive=True))}

    def close(self):
        self.s3.faults.clear()  # a daemon that is to stop flushes
        self.redshift.faults.clear()
        for each in (self.both, self.s3, self.redshift):
            each.close()
        self.listener.socket.close()


@pytest.fixture
def pipelines(stack, tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text(HASTE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    made = Pipelines(stack, tmp_path)
    yield made
    made.close()


@pytest.fixture
def told(capsys):
    """Return a function that runs a command, and returns its exit code and what it told."""

    def told(*words):
        capsys.readouterr()
        code = main([*words])
        return code, "".join(capsys.readouterr())

    return told


def is_told(here, stage, service, what, told):
    """Wait until ten minutes of an outage are over, in which everything tells of it."""
    settings = {"one": here.both.one, "two": here.both.two}[stage]
    application = settings[APPLICATION_NAME]
    here.until(
        lambda: here.hear(application, service), f"the agent hears of ten minutes without {service}"
    )
    here.until(
        lambda: any(one["seconds"] >= TEN_MINUTES for one in here.events(stage, "outage")),
        f"the log tells of ten minutes without {service}",
    )

    code, said = told("health", settings.path)
    assert code == 1
    assert re.search(rf"gone-{stage}: shardId-0+: {what} has failed since {SINCE}, for \d+ s", said)
    assert service in said.lower()

    code, said = told("status", settings.path, "--behind", "3s")
    assert code == 1
    assert re.search(r"more than 3 ?s behind: shardId-0+, by", said)

    (first, *_) = here.events(stage, "outage")
    assert re.match(what, first["what"])
    assert re.search(r": fails since \d\d:\d\d:\d\dZ, \d+ tries: ", first["message"])
    assert not here.events(stage, "outage-over")


def goes_on(here, wire, stage, told):
    """Let all pass again; wait until the stage has said so, more is loaded, and both are well."""
    wire.faults.clear()
    loaded = len(here.both.rows())
    here.until(lambda: here.events(stage, "outage-over"), "the log tells that it is over")
    here.until(lambda: len(here.both.rows()) > loaded, "more rows are in the table")
    here.until(lambda: are_well(here, told), "both are healthy")


def are_well(here, told):
    return all(told("health", each.path)[0] == 0 for each in (here.both.one, here.both.two))


def test_ten_minutes_without_s3_then_ten_without_redshift(pipelines, told):
    """The same processes wait them out and deliver each record once; whoever asks is told."""
    here = pipelines
    for stage in ("one", "two"):
        here.both.start(stage)
    here.until(here.both.rows, "the first rows are in the table")
    here.until(lambda: are_well(here, told), "both are healthy")
    before = here.processes()

    here.cut(here.s3)
    is_told(here, "one", "s3", r"writing s3://gone-bucket/\S+", told)
    goes_on(here, here.s3, "one", told)

    here.cut(here.redshift)
    is_told(here, "two", "redshift", r"loading \d+ files? into gone_rows", told)
    goes_on(here, here.redshift, "two", told)

    here.both.until(lambda: len(here.both.rows()) >= len(here.rows), "all rows are in the table")
    assert here.processes() == before
    assert Counter(here.both.rows()) == Counter(here.rows)
    here.both.stop("one")
    here.both.stop("two")
    code, said = told("audit", here.both.one.path, here.both.two.path)
    assert (code, said.splitlines()[-1]) == (0, "nothing is missing"), said
