"""Each record becomes rows exactly once, whatever is killed, woken, cut off or resharded when."""

import itertools
import time
from contextlib import ExitStack, closing
from random import Random

import pytest

from crash.rig import incidents, real
from crash.rig.played import Rig
from crash.rig.real import RealRig
from crash.rig.tally import SEEDS, TALLY, count, uncounted
from crash.rig.wires import STEPS
from support.broken import Broken, broken_copy

ROUNDS = 15  # with one pair of streams, one table and one ledger
numbers = itertools.count(1)


@pytest.fixture(scope="module", autouse=True)
def timed():
    began = time.monotonic()
    yield
    count("seconds", times=round(time.monotonic() - began))


@pytest.fixture(scope="module")
def seed(request):
    SEEDS.append(request.config.getoption("--crash-seed"))
    return SEEDS[-1]


@pytest.fixture(scope="module")
def build(stack, tmp_path_factory):
    def build(random, package=None):
        folder = tmp_path_factory.mktemp("rig")
        return closing(Rig(stack, folder, f"rig{next(numbers)}", random, package))

    return build


@pytest.fixture(scope="module")
def build_real(stack, tmp_path_factory):
    def build(random):
        folder = tmp_path_factory.mktemp("real")
        return closing(RealRig(stack, folder, f"real{next(numbers)}", random))

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


@pytest.mark.parametrize(
    ("stage", "step", "kind"),
    [
        ("one", "file", "delay"),
        ("one", "announcement", "delay"),
        ("one", "checkpoint", "delay-after"),
        ("two", "lock", "delay"),
        ("two", "ledger", "delay-after"),
        ("two", "commit", "delay"),
    ],
)
def test_a_zombie_of_each_step(rig, stage, step, kind):
    """A child that sleeps at a step until another has gone on wakes up and doubles nothing."""
    before = TALLY["zombies"]
    rig.round(incidents.frozen_at(stage, step, kind))

    assert TALLY["zombies"] == before + 1, "the step did not come"


def a_zombie_whose_batch_ends_elsewhere(rig):
    rig.begin_anew("two", 1, 50)  # each message is judged by itself
    rig.begin_anew("one", 2, 300)
    rig.begin_with("one", 60, 300)
    rig.round(incidents.frozen_at("one", "file", "delay"))


def test_a_zombie_whose_batch_ends_elsewhere(rig):
    """A child that wakes up with fewer records than another has written takes the other's file."""
    before = rig.wires.refused
    a_zombie_whose_batch_ends_elsewhere(rig)

    assert rig.wires.refused > before


def some_rounds(incident):
    """Return many of the same: by chance, one may meet a batch that has nothing to harm."""

    def run(rig):
        for _ in range(12):  # until the first that does harm
            rig.round(incident)

    return run


BROKEN = [
    Broken(
        "no lock",
        "Ledger.lock",
        "LOCK {self.table}; ",
        "",
        some_rounds(incidents.frozen_at("two", "commit", "delay")),
        "rows too many",
    ),
    Broken(
        "a loaded file not entered",
        "Load.run",
        "self.ledger.enter(cursor, fresh, manifest, sources.repaired)",
        "",
        some_rounds(incidents.killed_at("two", "checkpoint", "cut")),
        "rows too many",
    ),
    Broken(
        "checkpoint before emit",
        "Pipeline.flush",
        "through = self._emit(last)",
        "checkpoint(last)\nthrough = self._emit(last)",
        some_rounds(incidents.killed_at("one", "file", "cut")),
        "rows lost",
    ),
    Broken(
        "an object overwritten",
        "Bucket.create",
        '"IfNoneMatch": "*", ',
        "",
        a_zombie_whose_batch_ends_elsewhere,
        "rows lost",
    ),
    Broken(
        "a refused file leaves no dead letter",
        "Loader.run",
        "rejected += self.retry(what, search.run)",
        "self.retry(what, search.run)",
        some_rounds(incidents.killed_at("two", "blame", "cut")),
        "dead letters of (files|stage two) lost",
    ),
    Broken(
        "a row left out leaves no dead letter",
        "Load.run",
        "kept = self.letters.write(sources.repaired)",
        "kept = self.letters.write({})",
        some_rounds(incidents.killed_at("two", "repair", "cut")),
        "dead letters of rows lost",
    ),
]


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.name)
def test_a_broken_line_is_noticed(build, seed, tmp_path, broken):
    """With a safety line taken out, the rig complains; so that its silence says something."""
    package = broken_copy(tmp_path, broken)
    with (
        uncounted(),
        build(Random(seed), package) as rig,
        pytest.raises(AssertionError, match=broken.match),
    ):
        broken.scenario(rig)


KILLS = 20  # of the gate, all of them played


@pytest.fixture(scope="module")
def kills(request):
    """Return how many are killed by chance in the two tiers; the dear one gets a fifth of many."""
    every = request.config.getoption("--kills")
    real = max(every - KILLS, 0) // 5
    return {"played": every - real, "real": real}


def rounds_until(kills):
    """Count rounds until so many were killed; say now and then how far that is."""
    began = told = TALLY["kills"]
    for number in itertools.count():
        done = TALLY["kills"] - began
        if done >= kills:
            return
        if done >= told - began + 25:
            told = TALLY["kills"]
            print(f"{done} of {kills} kills, {TALLY['rows compared']:,} rows compared", flush=True)
        yield number


def test_kills_at_random(build, seed, kills):
    """Kills, zombies, reshards, lost answers in any order and at once lose and double nothing."""
    random = Random(seed)
    rig = None
    with ExitStack() as stack:
        for number in rounds_until(kills["played"]):
            if number % ROUNDS == 0:
                stack.pop_all().close()
                rig = stack.enter_context(build(random))
            rig.round(*[incidents.at_random(random) for _ in range(random.randint(2, 4))])


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
