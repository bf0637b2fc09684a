"""Metrics reach an agent, in the public formats; an agent that is not there costs nothing."""

import logging
import re
import socket
from contextlib import ExitStack, closing

import pytest

from protocol.daemon import FILTERED, REJECTED, SHARD, Scenes, record, records
from record_processors.config.agent import Agent
from record_processors.config.metric import Counter, Gauge, Metric, Timer
from record_processors.flow.metrics import MILLIS_BEHIND_LATEST
from record_processors.flow.retry import Retry
from record_processors.kcl import metrics as module
from record_processors.kcl.metrics import Sender
from record_processors.kcl.processor import RecordProcessor
from record_processors.kcl.protocol import load_action
from support.agents import Listener, read_emf, read_statsd, totals
from support.fakes import Clock
from support.fault_proxy import Fault

TAGS = {"application": "flights", "shard": SHARD}
READERS = {"statsd": read_statsd, "emf": read_emf}


@pytest.fixture
def make(tmp_path):
    with Scenes(tmp_path) as scenes:
        yield scenes


@pytest.fixture
def clock(monkeypatch):
    """Let time pass when told to."""
    clock = Clock()
    monkeypatch.setattr(module.time, "monotonic", clock)
    return clock


@pytest.fixture(autouse=True)
def declared(monkeypatch):
    """Have no metrics but a test's own."""
    monkeypatch.setattr(Metric, "declared", {})


@pytest.fixture
def sender(declared):
    """Return a function that makes what sends to a listener."""
    with ExitStack() as made:

        def sender(listener, protocol="statsd", host="127.0.0.1", **tags):
            agent = Agent(protocol, host, listener.port)
            return made.enter_context(closing(Sender(agent, {**TAGS, **tags})))

        yield sender


# ---- the real child


@pytest.mark.parametrize("protocol", READERS)
def test_a_child_sends_what_it_did(protocol, make):
    """A life's counts and times arrive at its end, with application and shard, each once."""
    with Listener() as listener:
        scene = make(metrics=f"{protocol}://127.0.0.1:{listener.port}")
        scene.proxy.faults.append(Fault(f"PUT /{scene.bucket}/", "503"))
        daemon = scene.ready()
        given = [record(1, fate=FILTERED), record(2, fate=REJECTED), *records(3, 17)]
        daemon.process_records(given)
        daemon.call("shutdownRequested")
        assert daemon.end() == 0, daemon.told()
        points = [
            point for datagram in listener.received() for point in READERS[protocol](datagram)
        ]
    assert all(TAGS.items() <= point.tags.items() for point in points)
    found = totals(points)
    size = sum(len(each.data) for each in records(3, 17))
    wanted = {
        "records.read": 17,
        "records.kept": 15,
        "records.filtered": 1,
        "records.refused": 1,
        "batches count": 1,
        "batches stop": 1,
        "batches.bytes": size,
        "files.written": 2,
        "files.rows": 15,
        "files.announced": 2,
        "retries s3": 1,
        "millis_behind_latest": 0,
        "buffer.age": 0,
    }
    assert {name: found.get(name) for name in wanted} == wanted
    assert len([value for p in points if p.name.endswith("emit.time") for value in p.values]) == 2


def test_a_child_that_fails_sends_the_rest(make):
    """A process that ends with 70 tells its retries on the way out."""
    with Listener() as listener:
        scene = make(metrics=f"statsd://127.0.0.1:{listener.port}")
        scene.proxy.faults.append(Fault(f"PUT /{scene.bucket}/", "503", always=True))
        daemon = scene.ready()
        daemon.process_records(records(1, 10))
        assert daemon.code() == 70
        points = [point for each in listener.received() for point in read_statsd(each)]
    assert totals(points)["retries s3"] == 2


def test_a_dead_agent_costs_nothing(make):
    """Nobody listens there: it is said once, and all is delivered."""
    with Listener() as listener:
        scene = make(metrics=f"statsd://127.0.0.1:{listener.port}")
    daemon = scene.ready()
    daemon.process_records(records(1, 10))
    daemon.call("shutdownRequested")
    assert daemon.end() == 0, daemon.told()
    scene.assert_exactly_once()
    assert "ERROR" not in daemon.told()


# ---- when


def test_a_shard_falls_behind_while_a_call_lasts(clock, monkeypatch):
    """KCL says no more before a call is answered: what it said grows as long as that takes."""
    monkeypatch.setattr(MILLIS_BEHIND_LATEST, "read", lambda: None, raising=False)
    seen = []

    class InAnOutage:
        def process(self, *_):
            for _ in range(2):
                clock.pass_milliseconds(60_000)
                seen.append(MILLIS_BEHIND_LATEST.read())

    call = load_action(b'{"action": "processRecords", "records": [], "millisBehindLatest": 250}')
    RecordProcessor(InAnOutage(), Retry(1, 0)).process_records(call)
    assert [*seen, MILLIS_BEHIND_LATEST.read()] == [60_250, 120_250, 250]


def test_at_most_once_in_ten_seconds(clock, sender):
    """However often a process beats, what came meanwhile is in one datagram."""
    counter = Counter("things", "Things.")
    with Listener() as listener:
        sends = sender(listener)
        for _ in range(99):
            counter.add()
            clock.pass_milliseconds(100)
            sends.beat()
        assert listener.received() == []
        clock.pass_milliseconds(200)
        sends.beat()
        (datagram,) = listener.received()
        assert totals(read_statsd(datagram)) == {"things": 99}
        clock.pass_milliseconds(10_000)
        sends.beat()
        assert listener.received() == []
        counter.add(5)
        sends.close()
        assert totals(read_statsd(listener.wait())) == {"things": 5}


# ---- formats


@pytest.mark.parametrize("protocol", READERS)
def test_a_datagram_is_short(protocol, sender):
    """Much goes in several datagrams, none of which is longer than a network takes; all arrives."""
    for number in range(50):
        Counter(f"things.number_{number}", "Things.").add(number + 1)
    tagged = Counter("tagged", "Told apart.", tag="service")
    for number in range(40):
        tagged.add(1, f"service-{number}")
    timer = Timer("long.time", "A time.")
    for _ in range(100):
        with timer:
            pass
    with Listener() as listener:
        sender(listener, protocol, application="a" * 255).close()
        points = [each for one in listener.received() for each in READERS[protocol](one)]
    found = totals(points)
    assert {f"things.number_{n}": n + 1 for n in range(50)}.items() <= found.items()
    assert {f"tagged service-{n}": 1 for n in range(40)}.items() <= found.items()
    assert len([value for p in points if p.name.endswith("long.time") for value in p.values]) == 100


def test_statsd_says_kinds_and_rates(sender):
    """A counter, a gauge and a time are told as such; of many times, which part they are."""
    Counter("things", "Things.").add(2.6)
    Gauge("level", "A level.").set(7)
    timer = Timer("long.time", "A time.")
    for _ in range(400):
        with timer:
            pass
    with Listener() as listener:
        sender(listener).close()
        points = [point for each in listener.received() for point in read_statsd(each)]
    kinds = {(point.name, point.kind, point.rate) for point in points}
    assert kinds == {
        ("kinesis_connectors.things", "c", 1.0),
        ("kinesis_connectors.level", "g", 1.0),
        ("kinesis_connectors.long.time", "ms", 0.25),
    }
    assert [point.values for point in points if point.name.endswith("things")] == [[3]]


def test_emf_says_units_and_dimensions(sender):
    """A metric is there for the application, and for its shard; what has a tag, for that too."""
    Counter("size", "Size.", "bytes").add(2)
    Counter("retries", "Retries.", tag="service").add(1, "s3")
    with Listener() as listener:
        sender(listener, "emf").close()
        found = {}
        for datagram in listener.received():
            (point,) = read_emf(datagram)
            dimensions = re.search(rb'"Dimensions":(\[\[.*?\]\])', datagram)[1]
            found[point.name] = (point.kind, dimensions.decode())
    assert found == {
        "size": ("Bytes", '[["application"],["application","shard"]]'),
        "retries": ("Count", '[["application","service"],["application","shard","service"]]'),
    }


def test_a_tag_that_would_break_a_line(sender):
    """What ends a tag or a line in the format stands for itself no more."""
    Counter("things", "Things.", tag="what").add(1, "a,b|c:d\ne é")
    with Listener() as listener:
        sender(listener).close()
        (point,) = read_statsd(listener.wait())
    assert point.tags["what"] == "a_b_c_d_e__"


# ---- hosts


def test_ipv6(sender):
    """An agent on an address of IPv6 gets its metrics."""
    Counter("things", "Things.").add()
    with Listener(socket.AF_INET6) as listener:
        sender(listener, host="::1").close()
        assert totals(read_statsd(listener.wait())) == {"things": 1}


def test_localhost_is_where_agents_listen(sender, monkeypatch):
    """A name with addresses of both kinds is taken for its IPv4."""
    Counter("things", "Things.").add()
    found = socket.getaddrinfo

    def both(host, port, **how):
        return [*found("::1", port, **how), *found("127.0.0.1", port, **how)]

    monkeypatch.setattr(socket, "getaddrinfo", both)
    with Listener() as listener:
        sender(listener, host="localhost").close()
        assert totals(read_statsd(listener.wait())) == {"things": 1}


def test_what_is_lost_counts_and_is_told_once(clock, caplog, monkeypatch, sender):
    """Each datagram that was refused is counted; the log names the setting, once."""
    lost = Counter("metrics.lost", "Lost.")
    monkeypatch.setattr(module, "METRICS_LOST", lost)
    level = Gauge("level", "A level.")
    level.set(1)
    with Listener() as listener:
        sends = sender(listener)
    with caplog.at_level(logging.WARNING):
        for _ in range(4):
            sends.send()
    (told,) = caplog.messages
    assert told == (
        f"metrics = statsd://127.0.0.1:{listener.port}: metrics are lost, and nothing else: "
        "Connection refused"
    )
    assert [sample.values for sample in lost.take()] in ([[1]], [[2]])


def test_a_name_that_is_not_known_yet(clock, caplog, monkeypatch, sender):
    """It is looked up again, after minutes, and metrics go there when it is known."""
    Gauge("level", "A level.").set(1)
    found, asked = socket.getaddrinfo, []

    def unknown(*words, **how):
        asked.append(words)
        raise socket.gaierror(-2, "Name or service not known")

    with Listener() as listener:
        monkeypatch.setattr(socket, "getaddrinfo", unknown)
        sends = sender(listener)
        for _ in range(29):
            clock.pass_milliseconds(10_000)
            sends.beat()
        assert len(asked) == 1
        assert len(caplog.messages) == 1
        monkeypatch.setattr(socket, "getaddrinfo", found)
        for _ in range(2):
            clock.pass_milliseconds(10_000)
            sends.beat()
        assert totals(read_statsd(listener.wait())) == {"level": 1}
