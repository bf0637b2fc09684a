"""Rounds, until so many were killed."""

import itertools

from crash.rig.tally import TALLY

ROUNDS = 15  # with one pair of streams, one table and one ledger


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
