"""How leases are spread, as KCL itself spreads them."""

import pytest

from record_processors.fleet.balance import Intervals, balanced, even_out

INTERVALS = Intervals(failover=10, assignment=20, report=30)

# What KCL 3.1.3 did: its ``LeaseAssignmentManager``, run on tables in memory, each lease of the
# same throughput, each host's load as many as its leases. Shards, hosts, new hosts; seconds until
# the last move, moves, the fewest and the most leases of a host.
AS_KCL_DID = [
    (12, 1, 2, 180, 8, 4, 4),
    (16, 2, 1, 120, 5, 5, 6),
    (64, 4, 4, 180, 32, 8, 8),
    (100, 10, 1, 480, 9, 9, 10),
    (200, 10, 1, 960, 17, 17, 19),
    (1000, 50, 1, 1020, 18, 18, 20),
    (1000, 50, 50, 180, 500, 10, 10),
]


def joined(shards, hosts, new):
    each = [shards // hosts + (host < shards % hosts) for host in range(hosts)]
    return even_out([*each, *[0] * new], INTERVALS)


@pytest.mark.parametrize(
    ("shards", "hosts", "new", "seconds", "moved", "fewest", "most"), AS_KCL_DID
)
def test_new_hosts(shards, hosts, new, seconds, moved, fewest, most):
    """New hosts get their share in the rounds, and by the moves, that KCL took."""
    found = joined(shards, hosts, new)
    assert (found.seconds, found.moved) == (seconds, moved)
    assert (min(found.leases), max(found.leases)) == (fewest, most)


@pytest.mark.parametrize(
    ("shards", "hosts", "new", "moved"), [(1000, 50, 25, 305), (1000, 45, 5, 92)]
)
def test_some_new_hosts(shards, hosts, new, moved):
    """Where KCL draws leases by lot, the moves are as many, give or take a few."""
    assert joined(shards, hosts, new).moved == pytest.approx(moved, rel=0.1)


def test_ten_thousand_shards_on_five_hundred_hosts():
    """Twice the hosts have half of the shards each within minutes, one more gets one a minute."""
    assert joined(10_000, 250, 250).seconds <= 300
    one = joined(10_000, 500, 1)
    assert one.moved * 60 == pytest.approx(one.seconds, abs=120)
    assert one.leases[-1] == 19


def test_what_is_even_stays():
    """Within a tenth of the average nothing moves."""
    assert list(balanced([10, 10, 11], [10.0, 10.0, 10.9])) == []


def test_waits():
    """A vanished host is out of the running after two missed reports, a leader after its lock."""
    assert INTERVALS.waits() == (90, 170)
    assert INTERVALS._replace(report=10).waits().of_a_host == 50
