"""Each record becomes rows exactly once, whatever is killed, woken, cut off or resharded when."""

import itertools
from contextlib import ExitStack, closing
from random import Random

import pytest

from crash.rig import incidents
from crash.rig.played import Rig
from crash.rig.rounds import ROUNDS, rounds_until
from crash.rig.tally import TALLY, uncounted
from crash.rig.wires import STEPS
from support.broken import Broken, broken_copy

numbers = itertools.count(1)


@pytest.fixture(scope="module")
def build(stack, tmp_path_factory):
    def build(random, package=None):
        folder = tmp_path_factory.mktemp("rig")
        return closing(Rig(stack, folder, f"rig{next(numbers)}", random, package))

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
