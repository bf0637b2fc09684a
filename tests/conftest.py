"""What every test needs: nothing leaves the machine, nothing sleeps, nothing is timed."""

import compileall
import functools
import os
import signal
from contextlib import ExitStack
from random import Random
from types import SimpleNamespace

import boto3
import hypothesis
import pytest
from botocore.awsrequest import AWSResponse

from crash.rig import stalls, tally
from record_processors.aws import bucket
from record_processors.local.stack import Stack
from support.broken import PACKAGE
from support.paths import TESTS

pytest_plugins = ["support.class_archive", "support.stage_two"]

# What a shell starts in the background ignores it, and so would every child of the tests.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The gate tries the same examples each time, however busy the machine is; `thorough` tries others.
UNTIMED = {"deadline": None, "suppress_health_check": [hypothesis.HealthCheck.too_slow]}
hypothesis.settings.register_profile("tests", derandomize=True, **UNTIMED)
hypothesis.settings.register_profile("thorough", derandomize=False, max_examples=10_000, **UNTIMED)
hypothesis.settings.load_profile("tests")

CRASH_SEED = 492527  # in its first round, the life that is to stop may be the one that is frozen

LONG = {"crash", "model", "protocol", "whole"}  # folders with files that take minutes

NO_CLOUD = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_REGION": "us-east-1",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}


def pytest_addoption(parser):
    rig = parser.getgroup("the crash rig")
    rig.addoption(
        "--kills", type=int, default=10, help="kill so many processes at random (default 10)"
    )
    rig.addoption(
        "--crash-seed",
        type=lambda text: Random().randrange(10**6) if text == "random" else int(text),
        default=CRASH_SEED,
        help=f"choose as in the run that named this seed (default {CRASH_SEED}); random: another",
    )
    rig.addoption(
        "--fleet", action="store_true", help="rehearse a fleet with real daemons as its hosts"
    )


def pytest_configure(config):
    """Compile everything once: hundreds of processes and broken copies begin with what is there.

    They would each compile it anew where none is to write what it compiled
    (PYTHONDONTWRITEBYTECODE), and the copies in any case.
    """
    if not hasattr(config, "workerinput"):  # before there are any
        for folder in (PACKAGE, TESTS):
            compileall.compile_dir(folder, quiet=1)


def pytest_ignore_collect(collection_path, config):
    """Leave the fleet out, unless it is asked for: it waits for KCL's own waits."""
    left_out = collection_path.name == "test_fleet.py" and not config.getoption("--fleet")
    return left_out or None


def pytest_collection_modifyitems(items):
    """Begin with the long files: one that comes last keeps all other processes waiting."""
    items.sort(key=lambda item: LONG.isdisjoint(item.path.parts))


def pytest_report_header(config):
    """Name the seed at the beginning, for a run that does not come to its end."""
    return f"crash seed: {config.getoption('--crash-seed')}"


def pytest_sessionfinish(session):
    """Tell the process that reports what this one counted, if the tests are shared out."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["tally"] = tally.told()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error):
    """Hear what a process counted; one that crashed has told nothing."""
    if told := getattr(node, "workeroutput", {}).get("tally"):
        tally.add(told)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    """Escape what was logged and is no proper text, which no process could send another."""
    report = yield
    report.sections = [
        (title, text.encode(errors="backslashreplace").decode()) for title, text in report.sections
    ]
    return report


def pytest_terminal_summary(terminalreporter):
    """Say what the crash rig did, and what the fleet's events took, if they ran."""
    if tally.TALLY:
        terminalreporter.section("crash rig")
        terminalreporter.write_line("\n".join(tally.lines()))
    if stalls.MEASURED:
        terminalreporter.section("the fleet")
        terminalreporter.write_line("\n".join(stalls.lines()))


@pytest.fixture(scope="session", autouse=True)
def no_cloud():
    """Give every test credentials that are good for nothing."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        for name, value in NO_CLOUD.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="module", autouse=True)
def fresh_clients():
    """Let no module have the credentials that another one's clients found."""
    boto3.DEFAULT_SESSION = None
    bucket._cached_client.cache_clear()


@pytest.fixture
def waits(monkeypatch):
    """Return the list of waits, in seconds, that were asked for instead of slept."""
    asked = []
    monkeypatch.setattr("tenacity.nap.time", SimpleNamespace(sleep=asked.append))
    return asked


@pytest.fixture
def refuse(monkeypatch):
    """Let Kinesis refuse a call of clients that are made from now on, or answer it so.

    ``of`` is what stands in each such request; of others, nothing is refused.
    """
    make = boto3.client

    def with_(operation, code="", status=400, of="", **said):
        error = {"Error": {"Code": code, "Message": "no"}} if code else {}
        answer = {**said, **error, "ResponseMetadata": {"HTTPStatusCode": status}}

        def answered(params, **_):
            if of.encode() in params["body"]:
                return AWSResponse(params["url"], status, {}, None), answer
            return None

        def refusing(service, **how):
            made = make(service, **how)
            made.meta.events.register(f"before-call.kinesis.{operation}", answered)
            return made

        monkeypatch.setattr(boto3, "client", refusing)

    return with_


@pytest.fixture(scope="module")
def kind_of_stack():
    """Return what runs the stand-ins; a module may have another."""
    return Stack


@pytest.fixture(scope="session")
def stacks(tmp_path_factory):
    """Return what runs the stand-ins of a kind from its first call on, for all that follow."""
    with ExitStack() as running:
        yield functools.cache(
            lambda kind: running.enter_context(kind(tmp_path_factory.mktemp("stand-ins")))
        )


@pytest.fixture(scope="module")
def stack(stacks, kind_of_stack):
    """Lead to the stand-ins by the environment; other modules' things are in them, too."""
    running = stacks(kind_of_stack)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in running.environment.items():
            patch.setenv(name, value)
        yield running
