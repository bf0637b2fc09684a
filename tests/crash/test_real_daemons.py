"""The same with real daemons: JVMs and their children are killed, stopped, woken, cut off."""

import itertools
from contextlib import ExitStack, closing
from random import Random

import pytest

from crash.rig import real
from crash.rig.real import RealRig
from crash.rig.rounds import ROUNDS, rounds_until

pytestmark = pytest.mark.usefixtures("class_archive")

numbers = itertools.count(1)


@pytest.fixture(scope="module")
def build_real(stack, tmp_path_factory):
    def build(random):
        folder = tmp_path_factory.mktemp("real")
        return closing(RealRig(stack, folder, f"real{next(numbers)}", random))

    return build


def test_real_daemons(build_real, seed):
    """Daemons and children killed at steps and at random, reshards, a zombie: all exact."""
    with build_real(Random(seed)) as rig:
        rig.round(
            ("kill_sometime", "one", "daemon"),
            ("strike_at", "two", "commit", "cut-after", "child"),
            ("split", "one"),
        )
        rig.round(
            ("strike_at", "one", "file", "cut-after", "child"),
            ("strike_at", "two", "blame", "cut-after", "daemon"),
            ("split", "two"),
            ("merge", "one"),
        )
        rig.round(("strike_at", "one", "checkpoint", "cut", "daemon"), ("zombies", "one"))
        rig.last_look()


def test_real_daemons_at_random(build_real, seed, kills):
    """The same in any order, for as long as --kills says (none by default)."""
    random = Random(seed)
    rig = None
    with ExitStack() as stack:
        for number in rounds_until(kills["real"]):
            if number % ROUNDS == 0:
                stack.pop_all().close()
                rig = stack.enter_context(build_real(random))
            rig.round(*real.at_random(random))
        if rig:
            rig.last_look()
