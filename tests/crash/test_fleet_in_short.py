"""A host of a fleet is replaced, at intervals so short that it takes seconds; ``--fleet`` has all.

The leader stays: others look for its lock once in 30 s, which no setting shortens.
"""

from contextlib import closing
from random import Random

from crash.rig.fleet import Fleet
from record_processors.local.intervals import QUICK


def test_a_host_is_replaced(stack, tmp_path, seed):
    """One starts and another leaves under load: its shards go on, and the table is exact."""
    with closing(Fleet(stack, tmp_path, "short", Random(seed), 4, QUICK)) as fleet:
        fleet.of(2)
        (leaves,) = fleet.hosts.keys() - {fleet.leader()}

        def replace():
            fleet.new_one()
            fleet.leave(leaves)

        fleet.measure("one host of two is replaced", replace)
