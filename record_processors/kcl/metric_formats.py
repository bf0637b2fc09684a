"""Metrics as datagrams: StatsD's lines with tags, or CloudWatch's embedded metric format.

docs.datadoghq.com/extend/dogstatsd/datagram_shell, which Telegraf, CloudWatch's agent and
Prometheus' statsd_exporter read too;
docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/
CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec

from ..config.metric import Metric, Sample

PREFIX = "kinesis_connectors"
NAMESPACE = "KinesisConnectors"

# What passes the narrowest of usual networks in one piece, with the headers of IPv6 and UDP.
BYTES_A_DATAGRAM = 1400

TYPES = {"counter": "c", "gauge": "g", "timer": "ms"}
UNITS = {"count": "Count", "bytes": "Bytes", "milliseconds": "Milliseconds"}
NO_TAG_VALUE = re.compile(r"[^\w./-]", re.ASCII)  # that would end a tag, or a line


class Point(NamedTuple):
    """What has come of one metric."""

    metric: Metric
    sample: Sample


Points = list[Point]
Format = Callable[[Points, Mapping[str, str], float], Iterator[bytes]]
"""Makes datagrams of points and their tags; the last is the time, in seconds since 1970."""


def log_group(application: str) -> str:
    """Return the log group that CloudWatch's agent puts the documents of a pipeline in."""
    return f"kinesis-connectors/{application}/metrics"


def taken() -> Points:
    """Take what has come of every metric since the last time."""
    return [Point(one, sample) for one in Metric.declared.values() for sample in one.take()]


def statsd(points: Points, tags: Mapping[str, str], now: float) -> Iterator[bytes]:
    """Yield lines, as many in a datagram as it holds."""
    del now
    datagram = b""
    for line in _lines(points, tags):
        if datagram and len(datagram) + 1 + len(line) > BYTES_A_DATAGRAM:
            yield datagram
            datagram = b""
        datagram += b"\n" * bool(datagram) + line
    if datagram:
        yield datagram


def _lines(points: Points, tags: Mapping[str, str]) -> Iterator[bytes]:
    for metric, sample in points:
        own = {metric.tag: sample.tag} if metric.tag else {}
        said = ",".join(
            f"{name}:{NO_TAG_VALUE.sub('_', value)}" for name, value in {**tags, **own}.items()
        )
        rate = f"|@{sample.rate:.6f}" if sample.rate < 1 else ""
        for value in sample.values:
            # Whole numbers, as some agents read no other in a counter.
            line = f"{PREFIX}.{metric.name}:{round(value)}|{TYPES[metric.kind]}{rate}|#{said}"
            yield line.encode()


def emf(points: Points, tags: Mapping[str, str], now: float) -> Iterator[bytes]:
    """Yield documents: one for each value of a tag, as it has a member of its own, in parts."""
    by_tag: dict[tuple[str, str], Points] = {}
    for point in points:
        tag = point.metric.tag
        by_tag.setdefault((tag, point.sample.tag if tag else ""), []).append(point)
    for (tag, value), some in by_tag.items():
        yield from _documents(some, {**tags, **({tag: value} if tag else {})}, len(tags), now)


def _documents(
    points: Points, members: Mapping[str, str], common: int, now: float
) -> Iterator[bytes]:
    names = list(members)
    own = names[common:]
    # Of the tags that all have, the first alone, then more and more: an application, a shard.
    dimensions = [[*names[:count], *own] for count in range(1, common + 1)]
    document = {
        "_aws": {
            "Timestamp": int(now * 1000),
            "LogGroupName": log_group(members["application"]),
            "CloudWatchMetrics": [
                {
                    "Namespace": NAMESPACE,
                    "Dimensions": dimensions,
                    "Metrics": [
                        {"Name": metric.name, "Unit": UNITS[metric.unit]} for metric, _ in points
                    ],
                }
            ],
        },
        **members,
        **{metric.name: _value(sample) for metric, sample in points},
    }
    body = msgspec.json.encode(document)
    if len(body) <= BYTES_A_DATAGRAM:
        yield body
        return
    halves = _halves(points)
    if not halves:
        yield body
    for half in halves:
        yield from _documents(half, members, common, now)


def _value(sample: Sample) -> float | list[float]:
    values = [round(value, 1) for value in sample.values]
    return values if len(values) > 1 else values[0]


def _halves(points: Points) -> Iterable[Points]:
    """Return points in two parts, or the values of the only one; none if it has one alone."""
    if middle := len(points) // 2:
        return points[:middle], points[middle:]
    ((metric, sample),) = points
    middle = len(sample.values) // 2
    parts = (sample.values[:middle], sample.values[middle:]) if middle else ()
    return [[Point(metric, sample._replace(values=part))] for part in parts]


FORMATS: Mapping[str, Format] = {"statsd": statsd, "emf": emf}
