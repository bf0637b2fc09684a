"""Each record becomes rows exactly once, whatever is killed, woken, cut off or resharded when."""

import itertools
import time
from contextlib import closing
from random import Random

import pytest
from rig import incidents
from rig.played import Rig
from rig.real import RealRig
from rig.tally import KINDS, SEEDS, TALLY, count
from rig.wires import STEPS

ROUNDS = 15  # with one pair of streams, one table and one ledger
numbers = itertools.count(1)


@pytest.fixture(scope="module", autouse=True)
def timed():
    began = time.monotonic()
    yield
    count("seconds", times=round(time.monotonic() - began))


@pytest.fixture(scope="module")
def seed(request):
    given = request.config.getoption("--crash-seed")
    SEEDS.append(Random().randrange(10**6) if given is None else given)
    return SEEDS[-1]


@pytest.fixture(scope="module")
def build(stack, tmp_path_factory):
    def build(random):
        return closing(Rig(stack, tmp_path_factory.mktemp("rig"), f"rig{next(numbers)}", random))

    return build


@pytest.fixture(scope="module")
def rig(build, seed):
    with build(Random(seed)) as rig:
        yield rig


@pytest.mark.parametrize("kind", ["cut", "cut-after"])
@pytest.mark.parametrize(("stage", "step"), [(s, step) for s in STEPS for step in STEPS[s]])
def test_a_kill_at_each_step(rig, stage, step, kind):
    """A child killed right before or right after a step loses and doubles nothing."""
    before = TALLY["kills"]
    rig.round(incidents.killed_at(stage, step, kind))

    assert TALLY["kills"] == before + 1, "the step did not come"


def test_kills_at_random(build, seed, request):
    """Kills, zombies, reshards, lost answers in any order and at once lose and double nothing."""
    kills = request.config.getoption("--kills")
    random = Random(seed)
    began, last = TALLY["kills"], 0
    while (done := TALLY["kills"] - began) < kills:
        with build(random) as rig:
            for _ in range(ROUNDS):
                rig.round(*[incidents.at_random(random) for _ in range(random.randint(1, 3))])
                done = TALLY["kills"] - began
                if done >= last + 25:
                    last = done
                    print(f"{done} of {kills} kills, {TALLY['rows compared']:,} rows compared")
                if done >= kills:
                    break

    assert KINDS["zombies", "played, frozen"] or kills < 50


@pytest.fixture
def real(stack, tmp_path, seed):
    with closing(RealRig(stack, tmp_path, f"real{next(numbers)}", Random(seed))) as rig:
        yield rig


def test_real_daemons(real):
    """Daemons and children killed at steps and at random, a reshard, a zombie: all exact."""
    real.round(
        lambda rig: rig.kill_sometime("one", "daemon"),
        lambda rig: rig.strike_at("two", "commit", "cut-after", "child"),
        RealRig.split,
    )
    real.round(
        lambda rig: rig.strike_at("one", "file", "cut-after", "child"),
        lambda rig: rig.strike_at("two", "copy", "cut-after", "daemon"),
        RealRig.merge,
    )
    real.round(
        lambda rig: rig.strike_at("one", "checkpoint", "cut", "daemon"),
        lambda rig: rig.zombies("one"),
    )
    real.last_look()
