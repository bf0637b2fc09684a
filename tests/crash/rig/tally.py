"""What happened in all runs of the rig, for the end of the report."""

from collections import Counter
from contextlib import contextmanager

TALLY = Counter()
KINDS = Counter()
SEEDS = []
OF_EACH = Counter()  # what was counted of each destination, by its name

COLUMNS = ("kills", "zombies", "lost answers", "reshards", "rows compared", "losses", "duplicates")

LINES = (
    "kills",
    "zombies",
    "reshards",
    "adoptions",
    "412s",
    "lost answers",
    "throttled checkpoints",
    "bad rows",
    "rounds",
    "rows compared",
    "duplicates",
    "losses",
    "seconds",
)


def count(what, *kinds, times=1):
    """Count what happened, and of which kinds it was: ``count("kills", "played", "at steps")``."""
    TALLY[what] += times
    for kind in kinds:
        KINDS[what, kind] += times


@contextmanager
def uncounted():
    """Forget what is counted meanwhile: what a broken program does says nothing of the real one."""
    before = [(counter, counter.copy()) for counter in (TALLY, KINDS, OF_EACH)]
    try:
        yield
    finally:
        for counter, was in before:
            counter.clear()
            counter.update(was)


@contextmanager
def counted_of(destination):
    """Count what is counted meanwhile as that destination's, too."""
    before = TALLY.copy()
    try:
        yield
    finally:
        for what in COLUMNS:
            OF_EACH[destination, what] += TALLY[what] - before[what]


def told():
    """Return all counts, as plain values that another process can be sent."""
    return [dict(TALLY), dict(KINDS), list(SEEDS), dict(OF_EACH)]


def add(told):
    """Add what another process counted."""
    tally, kinds, seeds, of_each = told
    TALLY.update(tally)
    KINDS.update(kinds)
    SEEDS.extend(seeds)
    OF_EACH.update(of_each)


def lines():
    """Say each number, and the kinds that it is the sum of."""
    for what in LINES:
        kinds = [f"{n:,} {key[1]}" for key, n in sorted(KINDS.items()) if key[0] == what]
        more = f"  ({', '.join(kinds)})" if kinds else ""
        yield f"{what:22}{TALLY[what]:>9,}{more}"
    yield f"{'seeds':22}{', '.join(map(str, SEEDS)) or '-':>9}"
    if destinations := dict.fromkeys(destination for destination, _ in OF_EACH):
        yield f"{'of these':22}{''.join(f'{what:>15}' for what in COLUMNS)}"
        for destination in destinations:
            numbers = (OF_EACH[destination, what] for what in COLUMNS)
            yield f"  {destination:20}{''.join(f'{number:>15,}' for number in numbers)}"
