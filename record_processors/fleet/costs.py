"""What a stack costs in a month, and why it is of this size: lines for a person."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence

from ..aws.prices import (
    ALARM_MONTH,
    DASHBOARD_MONTH,
    DISK_GIB_MONTH,
    FAN_OUT_GIB,
    LOG_GB,
    METRIC_MONTH,
    consumer_dollars,
)
from ..config.component import Destination
from ..config.host_metrics import OF_A_HOST
from ..config.kcl_settings import MAX_RECORDS, is_pushed
from ..config.keys import APPLICATION_NAME, INPUT_SHARDS, STREAM_NAME
from ..config.registry import chosen
from ..config.setting import Settings
from ..errors import counted
from .alarms import ALARMS
from .hosts import DISK_GIB
from .sizes import PRICED, Size, shards_of

WIDTH = 96


def why(pipelines: Sequence[Settings], size: Size, said: Mapping[str, int]) -> Iterator[str]:
    """Yield lines that say how many hosts of which type there are, why, and what that costs."""
    for sentence in _sentences(pipelines, size, said):
        indent = "  " * sentence.startswith("- ")
        yield from textwrap.wrap(sentence, WIDTH, subsequent_indent=indent) or [""]


def _sentences(pipelines: Sequence[Settings], size: Size, said: Mapping[str, int]) -> Iterator[str]:
    one, hosts = size.type, size.hosts
    yield f"{counted(hosts, 'host')} of {one.name} ({one.gib} GiB), at most {size.most}:"
    for settings in pipelines:
        stream, count = settings[STREAM_NAME], shards_of(settings, said)
        how = (
            "--shards"
            if stream in said
            else f"{INPUT_SHARDS.key}; if it has another number, say --shards {stream}=N"
        )
        yield (
            f"- {settings[APPLICATION_NAME]} reads {counted(count, 'shard')} of {stream} (by "
            f"{how}), {_by_what(settings, count)}"
        )
    away = " while another is away" if hosts > 1 else ""
    yield (
        f"- for its part of them a host needs {tenths(size.gib):.1f} GiB{away}, and "
        f"{tenths(size.vcpus):.1f} vCPUs if each shard is full"
    )
    yield ""
    yield f"A month ({PRICED}):"
    total = 0.0
    for what, dollars in items(pipelines, size, said):
        total += dollars
        yield f"- {what}: ${dollars:,.0f}"
    yield (
        f"Together ${total:,.0f}, beside the streams, S3, DynamoDB, KCL's own metrics "
        f"(metricsLevel), logs (${LOG_GB:.2f} a GB), and what goes from one availability zone to "
        "another."
    )


def _by_what(settings: Settings, shards: int) -> str:
    if not is_pushed(settings):
        return f"up to {settings[MAX_RECORDS]:,} records at a time"
    return (
        f"by a fan-out consumer of the stream, which stays when the stack goes: "
        f"${consumer_dollars(shards):,.0f} a month, and ${FAN_OUT_GIB} a GiB that is read"
    )


def tenths(number: float) -> float:
    """Round up to tenths: what is needed is no less."""
    return math.ceil(number * 10) / 10


def items(
    pipelines: Sequence[Settings], size: Size, said: Mapping[str, int]
) -> Iterator[tuple[str, float]]:
    """Yield what the stack itself costs in a month, with what for."""
    hosts = size.hosts
    yield f"{hosts} x {size.type.name}", size.dollars_a_month
    yield f"{counted(hosts, 'disk')} of {DISK_GIB} GiB", hosts * DISK_GIB * DISK_GIB_MONTH
    metrics = 0
    for settings in pipelines:
        destination: type[Destination] = chosen(settings.texts).destination
        metrics += len(destination.measures) * (shards_of(settings, said) + 1) + len(OF_A_HOST)
    yield f"at most {metrics:,} metrics, of shards and pipelines", metrics * METRIC_MONTH
    count = len(pipelines) * len(ALARMS)
    yield f"{count} alarms and a dashboard", count * ALARM_MONTH + DASHBOARD_MONTH
