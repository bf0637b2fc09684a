"""Hosts of a fleet come, go, vanish and are cut off, under load: ``--fleet`` alone runs it.

Each test brings the fleet to the hosts that it needs, so that each runs alone; together they have
one fleet, which starts with one host. It takes KCL's own waits, some minutes a test.
"""

from contextlib import closing
from random import Random

import pytest

from crash.rig.fleet import SERVICES, Fleet
from crash.rig.real import ROWS
from record_processors.fleet.balance import Intervals, even_out

SHARDS, HOSTS = 8, 3
CUT_SECONDS = 120  # longer than KCL takes to give a silent host's shards to others
MOST_STALL = 60  # seconds that no shard may stand still when hosts are replaced as planned


@pytest.fixture(scope="module")
def fleet(stack, tmp_path_factory, request):
    random = Random(request.config.getoption("--crash-seed"))
    shards = getattr(request, "param", SHARDS)
    folder, name = tmp_path_factory.mktemp("fleet"), f"fleet{shards}"
    with closing(Fleet(stack, folder, name, random, shards)) as built:
        yield built


@pytest.fixture(scope="module")
def intervals(fleet):
    return Intervals.of(fleet.both.one)


def test_scale_out(fleet, intervals):
    """From one host to three: both new ones get shards, and none stands still for long."""
    fleet.of(1)
    spread = even_out([SHARDS, 0, 0], intervals)
    found = fleet.measure(
        "scale out, 1 -> 3",
        fleet.start,
        fleet.start,
        condition=lambda: max(fleet.stalls.held(fleet.hosts)) <= max(spread.leases),
        foretold=f"{spread.seconds:.0f} s from the first move to the last, "
        f"{'+'.join(map(str, spread.leases))}",
    )
    assert found.stall <= MOST_STALL


def test_rolling_replacement(fleet):
    """All hosts replaced, each after a new one is well: no shard stands still for long."""
    fleet.of(HOSTS)

    def replace_all():
        for old in list(fleet.hosts):
            fleet.new_one()
            fleet.leave(old)
            fleet.until(fleet.flows, f"all flow without {old}")

    found = fleet.measure("rolling replacement of 3, new ones first", replace_all)
    assert found.stall <= MOST_STALL


def test_a_follower_vanishes(fleet, intervals):
    """A host that vanishes without a word: its shards are read by the others."""
    fleet.of(HOSTS)
    leader = fleet.leader()
    vanished = next(name for name in fleet.hosts if name != leader)
    fleet.measure(
        "a follower vanishes",
        lambda: fleet.vanish(vanished),
        foretold=f"at most {intervals.waits().of_a_host:.0f} s",
    )


def test_the_leader_vanishes(fleet, intervals):
    """The leader vanishes without a word: another leads, and all shards are read."""
    fleet.of(HOSTS)
    leader = fleet.leader()
    fleet.measure(
        "the leader vanishes",
        lambda: fleet.vanish(leader),
        foretold=f"at most {intervals.waits().of_the_leader:.0f} s",
    )


def test_scale_in(fleet):
    """From three hosts to one, the leader among those that go: no shard stands still for long."""
    fleet.of(HOSTS)
    leader = fleet.leader()
    stays = next(name for name in fleet.hosts if name != leader)
    going = [name for name in fleet.hosts if name != stays]
    found = fleet.measure("scale in, 3 -> 1, the leader goes", lambda: fleet.leave(*going))
    assert found.stall <= MOST_STALL


@pytest.mark.parametrize("service", SERVICES)
def test_a_host_is_cut_off(fleet, service):
    """A host is kept from one service for a while, and comes back: the table is exact."""
    fleet.of(HOSTS)
    leader = fleet.leader()
    host = next(name for name in fleet.hosts if name != leader)
    fleet.measure(
        f"cut off from {service} for {CUT_SECONDS} s, and back",
        lambda: fleet.cut_off([host], [service], CUT_SECONDS),
    )


def test_a_zone_is_cut_off(fleet, intervals):
    """Half of the hosts, with the one that leads, lose all services, and come back as zombies."""
    fleet.of(4)
    leader = fleet.leader()
    zone = [leader, next(name for name in fleet.hosts if name != leader)]
    fleet.measure(
        f"a zone of two is cut off for {CUT_SECONDS} s, and back",
        lambda: fleet.cut_off(zone, list(SERVICES), CUT_SECONDS),
        foretold=f"at most {intervals.waits().of_the_leader:.0f} s",
    )


def test_rolled_back(fleet):
    """A change of the filter is rolled back when one host of three has it: the table is exact.

    It keeps the same rows in other words, so that they can be compared; to the files it is another.
    """
    fleet.of(HOSTS)
    old = next(iter(fleet.hosts))

    def change_and_change_back():
        changed = fleet.new_one(filterExpression=f"{ROWS['filterExpression']} && rows > `0`")
        fleet.leave(old)
        fleet.until(lambda: fleet.flows() and fleet.has_each_a_lease(), "the change delivers")
        fleet.new_one()
        fleet.leave(changed)

    found = fleet.measure("a change of the filter, rolled back half-way", change_and_change_back)
    assert found.stall <= MOST_STALL


@pytest.mark.parametrize("fleet", [4], indirect=True)
def test_reshard(fleet):
    """From 4 shards to 16, then to 2, under load: parents before children, the table is exact."""
    fleet.of(2)
    for before, after in ((4, 16), (16, 2)):
        fleet.measure(f"reshard, {before} -> {after}", lambda to=after: fleet.reshard(to))
