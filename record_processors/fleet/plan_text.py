"""A plan as lines for a person."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from ..config.component import Destination
from ..config.keys import APPLICATION_NAME, STREAM_NAME
from ..errors import counted
from .costs import tenths
from .plan import BUSY_HOST, Plan
from .planned import FULL_SHARD, Planned

WIDTH = 80
LABEL, VALUE = 24, 10
MOST_LIMITS = 5
THREE_DIGITS, THOUSAND = 100, 1000
MINUTES = 600  # seconds, above which they are told as minutes
ALL = 1.0

SOURCES = (
    "Measured: CPU, and what a child delivers, by tests/bench/README.md (AMD EPYC, records of 300 "
    "bytes as JSON; longer ones are taken to cost more by their length, delimited and csv rows "
    "take 4 to 6 us more); memory, by kcl/heap.py.",
    "Read: the intervals of KCL 3.1.3. Played: how it spreads leases, loads that wait for each "
    "other.",
    "Prices: on demand, us-east-1, November 2025. Not in them: what S3, Redshift or OpenSearch "
    "keep, KCL's own metrics, logs, traffic between availability zones.",
)


def lines(plan: Plan) -> Iterator[str]:
    """Yield the plan, at most 80 columns wide."""
    first = plan.pipelines[0].load
    yield (
        f"{_number(first.records)} records/s of {_number(first.bytes)} bytes: "
        f"{_bytes(first.records * first.bytes)}/s, {_bytes(first.records * first.bytes * 86400)} "
        "a day"
    )
    yield ""
    for one in plan.pipelines:
        yield f"{one.settings[APPLICATION_NAME]} ({one.settings.texts[Destination.named_by]})"
        yield from _pipeline(plan, one)
        yield ""
    size = plan.size
    yield "hosts"
    yield from _row(
        size.type.name,
        f"{size.hosts:,}",
        f"each of {size.type.gib} GiB, and needs {tenths(size.gib):.1f} while another is away; "
        f"{tenths(size.vcpus):.1f} vCPUs of {size.type.vcpus:g}",
    )
    if size.hosts > 1:
        yield from _row(
            "without one",
            _time(plan.waits.of_a_host),
            "at most, until others read its shards; without the one that leads, "
            f"{_time(plan.waits.of_the_leader)}",
        )
    if share := plan.one_more.leases[-1]:
        yield from _row(
            "with one more",
            _time(plan.one_more.seconds),
            f"until it has its share of the largest stream, {counted(share, 'shard')}",
        )
    yield ""
    yield "a month"
    total = sum(dollars for _, dollars in plan.dollars)
    for what, dollars in (*plan.dollars, ("together", total)):
        yield f"  {what:<{WIDTH - VALUE - 3}} {f'${dollars:,.0f}':>{VALUE}}"
    yield ""
    yield "what breaks first"
    for limit in plan.limits[:MOST_LIMITS]:
        yield from _wrapped(
            f"{limit.used:6.0%}  {limit.what}: {_number(limit.now)} of {_number(limit.most)}"
            f"{'. It does not hold' if limit.used > ALL else ''}. Then: {limit.remedy}.",
            8,
        )
    yield ""
    assumed = [
        "keys spread evenly",
        f"shards filled to {FULL_SHARD:.0%}",
        f"hosts busy to {BUSY_HOST:.0%}",
        "every record kept",
        *(
            f"a {one.work.loads.what} of {one.work.loads.lasts:g} s, as none was measured"
            for one in plan.pipelines
            if one.work.loads
        ),
    ]
    for sentence in (*SOURCES, f"Assumed: {', '.join(assumed)}."):
        yield from _wrapped(sentence, 2)


def _pipeline(plan: Plan, one: Planned) -> Iterator[str]:
    load = one.load
    each = load.records / load.shards
    yield from _row(
        f"shards of {one.settings[STREAM_NAME]}",
        f"{load.shards:,}",
        f"{_number(each)} records/s, {_bytes(each * load.bytes)}/s each",
    )
    loads = one.work.loads
    if loads is None or loads.files != load.records:  # not of a batch that is one load
        many = load.records / one.batches
        yield from _row(
            "batches",
            _rate(one.batches),
            f"of {_number(many)} records, {_bytes(many * load.bytes)}; a shard has one in "
            f"{_time(load.shards / one.batches)}",
        )
    for bought in one.work.bought:
        yield from _row(
            bought.what, _rate(bought.a_second), f"{_number(bought.a_second * 3600)} an hour"
        )
    if one.loads and loads:
        yield from _row(
            f"{loads.what}s",
            f"{one.loads.an_hour:,.0f}/h",
            f"of {counted(round(one.loads.files), 'file')}, "
            + (
                f"each loaded within {_time(one.loads.longest)}"
                if one.loads.longest is not None
                else "which is fewer than come"
            ),
        )
    yield from _row("vCPUs", f"{one.vcpus:.2f}", "daemon and children, without a backlog")
    leases = plan.leases[one.settings[APPLICATION_NAME]]
    yield from _row(
        "writes of leases",
        _rate(leases.writes),
        f"renewals {_rate(leases.renewals)}, checkpoints {_rate(leases.checkpoints)}; "
        f"reads {_rate(leases.reads)}",
    )


def _row(label: str, value: str, why: str) -> Iterator[str]:
    room = LABEL + VALUE - len(value) - 1
    yield from _wrapped(f"  {label:<{room}} {value}  {why}".rstrip(), LABEL + VALUE + 4)


def _wrapped(text: str, indent: int) -> Iterator[str]:
    yield from textwrap.wrap(text, WIDTH, subsequent_indent=" " * indent, replace_whitespace=False)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= THREE_DIGITS else f"{value:.3g}"


def _bytes(value: float) -> str:
    units = ["B", "kB", "MB", "GB", "TB"]
    while value >= THOUSAND and len(units) > 1:
        value /= THOUSAND
        del units[0]
    return f"{_number(value)} {units[0]}"


def _rate(value: float) -> str:
    for unit, seconds in (("s", 1), ("min", 60)):
        if value * seconds >= 1:
            return f"{_number(value * seconds)}/{unit}"
    return f"{_number(value * 3600)}/h"


def _time(seconds: float) -> str:
    return f"{_number(seconds)} s" if seconds < MINUTES else f"{seconds / 60:.0f} min"
