"""What all tiers of the crash rig have in common: the seed, and how many are killed by chance."""

import time

import pytest

from crash.rig.tally import SEEDS, count

KILLS = 10  # of the gate, all of them played


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
def kills(request):
    """Return how many are killed by chance in the two tiers; the dear one gets a fifth of many."""
    every = request.config.getoption("--kills")
    real = max(every - KILLS, 0) // 5
    return {"played": every - real, "real": real}
