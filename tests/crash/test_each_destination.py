"""Each destination keeps what it promises, whatever is killed, woken or cut off when.

Those of the two stages have a rig of their own.
"""

import itertools
from contextlib import ExitStack, closing
from random import Random

import pytest

from crash.rig import incidents, tally
from crash.rig.destinations import (
    EACH,
    DynamoDB,
    Kinesis,
    OpenSearch,
    OpenSearchById,
    RedshiftBasic,
    Several,
)
from crash.rig.each import EachRig
from support.broken import Broken, broken_copy

ROUNDS = 15  # with one pipeline
CHAIN_LAST = """\
for name, emitter, part in parts:
    if through is not None:
        raise Fatal(
            f"{name} comes after a destination with a chain, which must be the last"
        )
    if part.kept:
        through = emitter.emit(part)
""".rstrip()
numbers = itertools.count(1)


@pytest.fixture(scope="module")
def seed(request):
    tally.SEEDS.append(request.config.getoption("--crash-seed"))
    return tally.SEEDS[-1]


@pytest.fixture(scope="module")
def build(stack, tmp_path_factory):
    def build(kind, random, package=None):
        folder = tmp_path_factory.mktemp("each")
        return closing(EachRig(stack, folder, f"each{next(numbers)}", random, kind, package))

    return build


@pytest.fixture(scope="module")
def kills(request):
    """Return how many are killed of each: three, and what is beyond 50 is shared out."""
    return 3 + max(request.config.getoption("--kills") - 50, 0) // len(EACH)


def steps_of(kind):
    return {kind.name: (*kind.common, *kind.steps, "checkpoint")}


@pytest.mark.parametrize("kind", EACH, ids=lambda kind: kind.name)
def test_kills_at_each_write(build, seed, kind):
    """Killed, or asleep, right before its write and right after it, a child harms nothing."""
    with build(kind, Random(seed)) as rig, tally.counted_of(kind.name):
        for before_or_after in ("", "-after"):
            before = tally.TALLY.copy()
            rig.round(incidents.killed_at(kind.name, kind.write, f"cut{before_or_after}"))
            late = f"delay{before_or_after}"
            # Not a commit: while that waits, it holds the ledger, and no other gets to its end.
            last = kind is not RedshiftBasic
            rig.round(incidents.frozen_at(kind.name, kind.write, late, wakes_last=last))
            for what in ("kills", "zombies"):
                assert tally.TALLY[what] == before[what] + 1, "the write did not come"


@pytest.mark.parametrize("kind", EACH, ids=lambda kind: kind.name)
def test_kills_at_random(build, seed, kills, kind):
    """Kills, zombies, reshards, lost answers in any order and at once: each record is accounted."""
    random = Random(seed)
    began = tally.TALLY["kills"]
    rounds = itertools.count()
    with ExitStack() as stack, tally.counted_of(kind.name):
        while (done := tally.TALLY["kills"] - began) < kills:
            number = next(rounds)
            if number % ROUNDS == 0:
                stack.pop_all().close()
                rig = stack.enter_context(build(kind, random))
                print(f"{kind.name}: {done} of {kills} kills", flush=True)
            many = random.randint(2, 4)
            rig.round(*[incidents.at_random(random, steps_of(kind)) for _ in range(many)])


def some_rounds(incident):
    """Return many of the same: by chance, one may meet a batch that has nothing to harm."""

    def run(rig):
        for _ in range(25):  # until the first that does harm
            rig.round(incident)

    return run


BROKEN = {
    Kinesis: [
        Broken(
            "checkpoint before emit",
            "Pipeline.flush",
            "through = self._emit(last)",
            "checkpoint(last)\nthrough = self._emit(last)",
            some_rounds(incidents.killed_at("kinesis", "rows", "cut")),
            "rows lost",
        ),
        Broken(
            "what a destination refuses leaves no dead letter",
            "Pipeline._emit",
            "batch.write_letters()",
            "",
            some_rounds(incidents.killed_sometime("kinesis")),
            "dead letters lost",
        ),
    ],
    RedshiftBasic: [
        Broken(
            "a file that is found is not loaded",
            "ChainEmitter.adopt",
            "self.deliver(file)",
            "",
            some_rounds(incidents.killed_at("redshift-basic", "lock", "cut")),
            "rows lost",
        ),
    ],
    DynamoDB: [
        Broken(
            "no condition",
            "Guarded._put",
            "OR #p < :p",
            "OR #p <> :p",
            some_rounds(incidents.frozen_at("dynamodb", "item", "delay", wakes_last=True)),
            "last versions lost",
        ),
    ],
    OpenSearch: [
        Broken(
            "documents without names",
            "by_position",
            '{"create":{"_id":"%b"}}\\n%b\' % (name.encode(), line)',
            '{"index":{}}\\n%b\' % line',
            some_rounds(incidents.killed_at("opensearch", "documents", "cut-after")),
            "documents lost",
        ),
    ],
    OpenSearchById: [
        Broken(
            "no version",
            "by_field",
            '"version_type": "external_gte"',
            '"version_type": "external_gte"}\naction = {"_id": value',
            some_rounds(
                incidents.frozen_at("opensearch-by-id", "documents", "delay", wakes_last=True)
            ),
            "documents lost",
        ),
    ],
    Several: [
        Broken(
            "the chain first",
            "Several.emit",
            CHAIN_LAST,
            "for name, emitter, part in reversed(parts):\n"
            "    if part.kept:\n"
            "        through = emitter.emit(part) or through",
            some_rounds(incidents.killed_at("several", "item", "cut")),
            "records of files in the table lost",
        ),
    ],
}


@pytest.mark.parametrize(
    ("kind", "broken"),
    [(kind, broken) for kind, lines in BROKEN.items() for broken in lines],
    ids=lambda one: one.name,
)
def test_a_broken_line_is_noticed(build, seed, tmp_path, kind, broken):
    """With a safety line taken out, the rig complains; so that its silence says something."""
    package = broken_copy(tmp_path, broken)
    with (
        tally.uncounted(),
        build(kind, Random(seed), package) as rig,
        pytest.raises(AssertionError, match=broken.match),
    ):
        broken.scenario(rig)
