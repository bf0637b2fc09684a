"""How many hosts of which type some pipelines take, what they cost in a month, and why."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ..aws.prices import HOURS_A_MONTH
from ..config.kcl_settings import MAX_LEASES
from ..config.keys import INPUT_SHARDS, STREAM_NAME
from ..config.setting import Settings
from ..config.work import Load
from ..errors import counted
from ..kcl.heap import LARGEST_HEAP, SHARE, need, records_at_once
from .planned import SHARD_BYTES, in_order, work_of
from .processors import MEASURED_BYTES, vcpus
from .units import memory_percent

PRICED = "on demand, Linux, us-east-1, November 2025; aws.amazon.com/ec2/pricing/on-demand"

# Of a type's memory; the rest is the firmware's and the kernel's. Karpenter's default, for one, is
# to leave out so much: karpenter.sh/docs/reference/settings (vm-memory-overhead-percent).
USABLE = 1 - 0.075


class InstanceType(NamedTuple):
    """A type of EC2's with Arm processors. ``vcpus`` are those that it may use all the time.

    Of t4g that is its baseline: docs.aws.amazon.com/AWSEC2/latest/UserGuide/
    burstable-credits-baseline-concepts.html
    """

    name: str
    gib: int
    vcpus: float
    dollars_an_hour: float

    @property
    def usable_gib(self) -> float:
        """What Linux shows of it."""
        return self.gib * USABLE

    @property
    def dollars_a_month(self) -> float:
        """What one costs."""
        return self.dollars_an_hour * HOURS_A_MONTH


TYPES = (  # by price
    InstanceType("t4g.small", 2, 0.4, 0.0168),
    InstanceType("t4g.medium", 4, 0.4, 0.0336),
    InstanceType("t4g.large", 8, 0.6, 0.0672),
    InstanceType("m7g.large", 8, 2, 0.0816),
    InstanceType("m7g.xlarge", 16, 4, 0.1632),
    InstanceType("m7g.2xlarge", 32, 8, 0.3264),
    InstanceType("m7g.4xlarge", 64, 16, 0.6528),
    InstanceType("m7g.8xlarge", 128, 32, 1.3056),
)
USUAL_HOSTS, MOST_HOSTS = 2, 500


class Size(NamedTuple):
    """Hosts for some pipelines."""

    type: InstanceType
    hosts: int
    """As many as run when the load is as usual."""
    most: int
    """Beyond which more do nothing; at least one more than usual, for a replacement."""
    gib: float
    """What one host needs of memory."""
    vcpus: float

    @property
    def dollars_a_month(self) -> float:
        """What the usual hosts cost."""
        return self.hosts * self.type.dollars_a_month


class WrongSize(Exception):
    """No hosts are such that all shards are read; why, and the remedy, in one sentence."""


def shards_of(settings: Settings, said: Mapping[str, int]) -> int:
    """Return how many shards the stream of a pipeline has: as was said, or as `create` makes."""
    return said.get(settings[STREAM_NAME], settings[INPUT_SHARDS])


def size(
    pipelines: Sequence[Settings],
    said: Mapping[str, int],
    hosts: int | None,
    all_vcpus: float | None = None,
) -> Size:
    """Choose the cheapest type that holds all shards while one of the hosts is away.

    ``said`` is how many shards a stream has, by its name. ``hosts`` is how many there shall be;
    None: two, or one if no pipeline has more than one shard; and more if the largest type is too
    small for that. ``all_vcpus`` is what all hosts together need; None: each shard may be full.
    Raises WrongSize, and Unplannable.
    """
    if all_vcpus is None:
        all_vcpus = full_vcpus(pipelines, said)
    useful = max(shards_of(each, said) for each in pipelines)
    for count in [hosts] if hosts else range(min(USUAL_HOSTS, useful), MOST_HOSTS + 1):
        gib = _bytes_on_one(pipelines, said, count) / 2**30
        vcpus = all_vcpus / count
        for one in TYPES:
            if one.usable_gib >= gib and one.vcpus >= vcpus:
                return Size(one, count, max(useful, count + 1), gib, vcpus)
    memory = f"{gib:,.0f} GiB" if gib < math.inf else f"a heap above {LARGEST_HEAP // 2**30} GiB"
    raise WrongSize(
        f"{count} hosts are too few: each would need {memory} and {vcpus:,.0f} vCPUs, and "
        f"{TYPES[-1].name} has {TYPES[-1].gib} and {TYPES[-1].vcpus}; name more with --hosts"
    )


def full_vcpus(pipelines: Sequence[Settings], said: Mapping[str, int]) -> float:
    """Return what all take together if each shard is as full as packed records can make it.

    A stream that one of them writes brings what that makes of its own. Raises Unplannable.
    """
    written: dict[str, Load] = {}
    total = 0.0
    for settings in in_order(pipelines):
        shards = shards_of(settings, said)
        full = Load(shards * SHARD_BYTES / MEASURED_BYTES, MEASURED_BYTES, shards)
        load = written.get(settings[STREAM_NAME], full)
        work = work_of(settings, load)
        if work.onwards:
            written[work.onwards.stream] = work.onwards.load
        delivered = min(load.records, shards * work.cost.most)
        total += vcpus(settings, load._replace(records=delivered, shards=shards), work.cost)
    return total


def _bytes_on_one(pipelines: Sequence[Settings], said: Mapping[str, int], hosts: int) -> float:
    """Return the memory of a host that holds all, and each within the limit of its unit."""
    each = [_bytes_of(one, shards_of(one, said), hosts) for one in pipelines]
    limits = [memory_percent(one, pipelines) or 100 for one in pipelines]
    return max(sum(each), *(need * 100 / of for need, of in zip(each, limits, strict=True)))


def _bytes_of(settings: Settings, shards: int, hosts: int) -> float:
    """Return what a pipeline needs for its part of the shards, while another host is away.

    It is infinite if one daemon cannot hold them.
    """
    most = settings[MAX_LEASES] or shards
    if most * hosts < shards:
        raise WrongSize(
            f"{settings.path}: maxLeasesForWorker = {most} on {counted(hosts, 'host')} leaves "
            f"{shards - most * hosts} of the {shards} shards of {settings[STREAM_NAME]} unread; "
            "raise it, or name more hosts with --hosts"
        )
    part = min(most, -(-shards // max(1, hosts - 1)))
    needed = need(part, records_at_once(settings))
    return int(needed.all / SHARE) if needed.heap <= LARGEST_HEAP else math.inf
