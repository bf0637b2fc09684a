"""How many hosts, of which type: enough memory and processors, for the least money."""

import pytest

from record_processors.config.properties import load
from record_processors.fleet.planned import of_destination
from record_processors.fleet.sizes import TYPES, WrongSize, full_vcpus, size
from support.fakes import STAGE_TWO, properties


@pytest.fixture
def one(tmp_path):
    (tmp_path / "one").mkdir()
    return load(properties(tmp_path / "one", {"maxRecords": "5000"}))


@pytest.fixture
def two(tmp_path):
    (tmp_path / "two").mkdir()
    changes = {"applicationName": "loads", "streamName": "manifests", "maxRecords": "1000"}
    return load(properties(tmp_path / "two", changes, STAGE_TWO))


@pytest.mark.parametrize(
    ("shards", "hosts", "type_and_count", "most"),
    [
        (1, None, ("t4g.small", 1), 2),
        (4, None, ("t4g.small", 2), 4),
        (4, 1, ("t4g.small", 1), 4),
        (12, 3, ("t4g.medium", 3), 12),  # 1.86 GiB: Linux shows 1.85 of 2
        (10, None, ("t4g.large", 2), 10),  # 3.2 GiB, and half a processor all the time
        (16, 2, ("m7g.large", 2), 16),  # t4g.large gives 0.6 processors all the time
        (64, 4, ("m7g.large", 4), 64),
    ],
)
def test_the_cheapest_that_does(one, shards, hosts, type_and_count, most):
    """Each host holds its part also while one is away; more hosts than shards are not needed."""
    found = size([one], {"events": shards}, hosts)
    assert ((found.type.name, found.hosts), found.most) == (type_and_count, most)


def test_pipelines_that_share_a_host(one, two, tmp_path):
    """The larger one fits into its share of four fifths; by its own count of shards, no more."""
    alone = size([one], {"events": 4}, 2)
    both = size([one, two], {"events": 4, "manifests": 1}, 2)
    assert both.gib == pytest.approx(alone.gib / 0.4)
    counted = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        said = {"applicationName": name, "maxRecords": "5000", "maxLeasesForWorker": "4"}
        counted.append(load(properties(tmp_path / name, said)))
    assert size(counted, {"events": 4}, 2).gib == pytest.approx(2 * alone.gib)


def test_processors_are_those_that_the_destination_takes():
    """An item of DynamoDB costs many times a row of a file; a file that is loaded, next to none."""
    shards = {"events": 4, "manifests": 1}
    files, items = (full_vcpus(of_destination(name), shards) for name in ("s3", "dynamodb"))
    assert items > 2 * files
    assert full_vcpus(of_destination("redshift-manifest"), shards) < 1.1 * files


def test_more_hosts_where_the_largest_is_too_small(one):
    """What the largest type cannot hold while one is away goes to more hosts."""
    found = size([one], {"events": 1000}, None)
    assert found.hosts > 2
    few = found.hosts - 1
    with pytest.raises(WrongSize, match=rf"^{few} hosts are too few: each would need "):
        size([one], {"events": 1000}, few)


def test_no_daemon_holds_more_shards_than_its_heap(one):
    """Java's heap has an end before the largest host's memory has: then there are more hosts."""
    with pytest.raises(WrongSize, match=r"^1 hosts are too few: each would need a heap above 31 "):
        size([one], {"events": 300}, 1)
    assert size([one], {"events": 300}, None).hosts == 3


def test_types_are_by_price():
    """The first that does is the cheapest."""
    prices = [one.dollars_an_hour for one in TYPES]
    assert prices == sorted(prices)
