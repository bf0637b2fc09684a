"""Each letter is put back exactly once, at whichever moment `redrive` is killed, and how often."""

import itertools
from contextlib import closing
from random import Random

import pytest

from crash.rig.redriven import Redriven
from crash.rig.tally import SEEDS

KILLS, DEFAULT = 3, 10  # of the gate; and what --kills says if nobody does
OF_ONE = 10  # with the letters of one pair of pipelines
numbers = itertools.count(1)


@pytest.fixture(scope="module")
def kills(request):
    """Return how many are killed: a few in the gate, else as many as ``--kills`` says."""
    every = request.config.getoption("--kills")
    return every if every > DEFAULT else KILLS


def test_redrive_killed_at_random_moments(stack, tmp_path_factory, request, kills):
    """Letters of records, of rows and of files: no row is lost or doubled, no letter stays open."""
    SEEDS.append(request.config.getoption("--crash-seed"))
    random = Random(SEEDS[-1])
    done = 0
    while done < kills:
        folder = tmp_path_factory.mktemp("redriven")
        with closing(Redriven(stack, folder, f"redriven{next(numbers)}", random)) as rig:
            rig.refuse()
            done += rig.kill_some(min(OF_ONE, kills - done))
            rig.compare()
        print(f"{done} of {kills} kills", flush=True)
