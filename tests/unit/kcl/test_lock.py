"""One daemon of an application on a host, whoever's it is; others of its name may run beside."""

import subprocess
import sys
from contextlib import ExitStack

import pytest

from record_processors.errors import LaunchError
from record_processors.kcl.lock import lock

HERE, THERE = "https://dynamodb.us-east-1.amazonaws.com", "http://127.0.0.1:4566"
MINE, YOURS = "111111111111", "222222222222"


@pytest.fixture
def locked(request):
    """Take locks of an application that is this test's own, until the test ends."""
    with ExitStack() as held:

        def take(endpoint=HERE, account=MINE, application=request.node.name):
            return held.enter_context(lock(application, endpoint, account))

        yield take


def test_a_second_one_is_refused(locked):
    """The same application of the same account at the same place runs once."""
    locked()
    with pytest.raises(LaunchError, match=r"^a daemon of \S+ runs on this host already$"):
        locked()


@pytest.mark.parametrize(
    "other",
    [{"account": YOURS}, {"endpoint": THERE}, {"endpoint": THERE, "account": None}],
    ids=str,
)
def test_others_of_its_name_run_beside(locked, other):
    """Another account's, another region's or another stand-in's application is another one."""
    locked()
    locked(**other)


@pytest.mark.parametrize(("first", "second"), [(MINE, None), (None, MINE), (None, None)])
def test_an_account_that_is_not_known_may_be_any(locked, first, second):
    """In an outage, when nobody can say whose it is, a second one is refused all the same."""
    locked(account=first)
    with pytest.raises(LaunchError, match="runs on this host already"):
        locked(account=second)


def test_it_ends_with_the_last_process_that_has_it(locked):
    """Whoever inherits the socket keeps the lock, and nothing is left behind."""
    first = locked()
    with subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[first.fileno()]
    ) as heir:
        first.close()
        with pytest.raises(LaunchError):
            locked()
        heir.communicate(b"\n")
    locked()


def test_a_refused_one_holds_nothing(locked):
    """Who was refused for an account that is not known does not keep the next one out."""
    known = locked()
    with pytest.raises(LaunchError):
        locked(account=None)
    known.close()
    locked(account=YOURS)
