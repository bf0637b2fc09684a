"""What happened in all runs of the rig, for the end of the report."""

from collections import Counter
from contextlib import contextmanager

TALLY = Counter()
KINDS = Counter()
SEEDS = []

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
    before = [(counter, counter.copy()) for counter in (TALLY, KINDS)]
    try:
        yield
    finally:
        for counter, was in before:
            counter.clear()
            counter.update(was)


def told():
    """Return all counts, as plain values that another process can be sent."""
    return [dict(TALLY), dict(KINDS), list(SEEDS)]


def add(told):
    """Add what another process counted."""
    tally, kinds, seeds = told
    TALLY.update(tally)
    KINDS.update(kinds)
    SEEDS.extend(seeds)


def lines():
    """Say each number, and the kinds that it is the sum of."""
    for what in LINES:
        kinds = [f"{n:,} {key[1]}" for key, n in sorted(KINDS.items()) if key[0] == what]
        more = f"  ({', '.join(kinds)})" if kinds else ""
        yield f"{what:22}{TALLY[what]:>9,}{more}"
    yield f"{'seeds':22}{', '.join(map(str, SEEDS)) or '-':>9}"
