"""Where the metrics go: what is a right address, and what is said of a wrong one."""

import pytest

from record_processors.config.agent import Agent
from record_processors.config.keys import METRICS, UNHEALTHY_AFTER
from record_processors.config.properties import SettingsError, load
from support.fakes import properties


@pytest.mark.parametrize(
    ("text", "agent"),
    [
        ("statsd://127.0.0.1:8125", Agent("statsd", "127.0.0.1", 8125)),
        ("emf://localhost:25888", Agent("emf", "localhost", 25888)),
        (
            "statsd://telegraf.monitoring.svc:65535",
            Agent("statsd", "telegraf.monitoring.svc", 65535),
        ),
        ("statsd://[::1]:8125", Agent("statsd", "::1", 8125)),
        ("emf://[fe80::1%eth0]:1", Agent("emf", "fe80::1%eth0", 1)),
        ("none", None),
    ],
)
def test_an_address_is_read(text, agent, tmp_path):
    """Protocol, host (a name, IPv4, or IPv6 in brackets) and port are taken from it."""
    assert load(properties(tmp_path, {"metrics": text}))[METRICS] == agent


NEITHER = "not statsd://host:port, emf://host:port or none"
NO_PORT = "after the host is not : and a port, 1 to 65535"
BRACKETS = "; an IPv6 address goes in brackets: [::1]"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("statd://127.0.0.1:8125", f"{NEITHER}; did you mean statsd?"),
        ("127.0.0.1:8125", NEITHER),
        ("statsd://127.0.0.1", "the port is missing: statsd://127.0.0.1:8125, say"),
        ("emf://[::1]", "the port is missing: emf://[::1]:25888, say"),
        ("statsd://127.0.0.1:0", f"':0' {NO_PORT}"),
        ("statsd://127.0.0.1:65536", f"':65536' {NO_PORT}"),
        ("statsd://127.0.0.1:8125/x", f"':8125/x' {NO_PORT}"),
        ("statsd://:8125", "':8125' does not begin with a host"),
        ("statsd://::1:8125", f"'::1:8125' does not begin with a host{BRACKETS}"),
        ("statsd://fe80::1:8125", f"'::1:8125' {NO_PORT}{BRACKETS}"),
    ],
)
def test_a_wrong_address(text, said, tmp_path):
    """The sentence names the setting, and what is wrong with which part."""
    with pytest.raises(SettingsError) as raised:
        load(properties(tmp_path, {"metrics": text}))
    (problem,) = raised.value.problems
    assert str(problem).endswith(f"metrics = {text}: {said}")


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("5m", 300), ("1h", 3600), ("2d", 172_800)]
)
def test_a_duration(text, seconds, tmp_path):
    """A time has a unit, and is written again as it was."""
    found = load(properties(tmp_path, {"unhealthyAfter": text}))[UNHEALTHY_AFTER]
    assert (found, str(found)) == (seconds, text)


@pytest.mark.parametrize("text", ["90", "5 minutes", "-1m", "1.5h"])
def test_what_is_no_duration(text, tmp_path):
    """A number without a unit is nobody's guess."""
    with pytest.raises(SettingsError, match="not a time like 90s, 5m, 1h or 2d"):
        load(properties(tmp_path, {"unhealthyAfter": text}))
