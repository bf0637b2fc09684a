"""The dashboard of the stack: what `status` says, in pictures."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from typing import Any

from ..config.component import Destination
from ..config.host_metrics import BEHIND, HEALTHY, RESTARTS, WITHOUT_OWNER
from ..config.keys import APPLICATION_NAME
from ..config.metric import Counter, Metric
from ..config.registry import chosen
from ..config.setting import Settings
from ..flow.metrics import (
    MILLIS_BEHIND_LATEST,
    OF_EVERY_PIPELINE,
    RECORDS_FILTERED,
    RECORDS_KEPT,
    RECORDS_READ,
    RECORDS_REFUSED,
)
from ..kcl.metric_formats import NAMESPACE
from .alarms import ALARMS, alarm_id
from .logs import logs_group
from .text import fill

TEMPLATE = """\
# ---- the dashboard ----

# A row of pictures for each pipeline: how far behind, what came in, what went out, who is well.
Dashboard:
  Type: AWS::CloudWatch::Dashboard
  Properties:
    DashboardName: !Ref AWS::StackName
    DashboardBody: !Sub |
      @body@
"""

COLUMNS = 24  # of the grid
# What a widget has if it says nothing: docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/
# CloudWatch-Dashboard-Body-Structure.html
WIDTH = 6
STATISTIC = "Sum"  # of a metric that says no other
MINUTE = 60

Widget = dict[str, Any]


def dashboard(pipelines: Sequence[Settings]) -> str:
    """Return the dashboard."""
    widgets: list[Widget] = [_all_alarms(pipelines), _group()]
    for settings in pipelines:
        widgets += _row(settings)
    return fill(TEMPLATE, body=_written({"widgets": widgets}))


def _written(body: dict[str, Any]) -> str:
    """Write a widget a line: short, and yet to be compared line by line."""
    lines = ",\n ".join(json.dumps(one, separators=(",", ":")) for one in body["widgets"])
    return f'{{"widgets": [\n {lines}\n]}}'


def _row(settings: Settings) -> Iterator[Widget]:
    name = settings[APPLICATION_NAME]
    destination: type[Destination] = chosen(settings.texts).destination
    out = [
        one
        for one in destination.measures
        if one not in OF_EVERY_PIPELINE and isinstance(one, Counter) and one.unit == "count"
    ]
    yield {
        "type": "text",
        "width": COLUMNS,
        "height": 1,
        "properties": {"markdown": f"## {name}: {settings.path}"},
    }
    by_shard = f'SEARCH(\'{{{NAMESPACE},application,shard}} application="{name}" '
    by_shard += f"MetricName=\"{MILLIS_BEHIND_LATEST.name}\"', 'Maximum', {MINUTE})"
    yield _graph(
        "How far behind, by shard (ms)",
        [
            *_series([BEHIND], name, "Maximum", "records that wait"),
            [{"expression": by_shard, "id": "behind", "label": ""}],
        ],
    )
    came_in = [RECORDS_READ, RECORDS_KEPT, RECORDS_FILTERED, RECORDS_REFUSED]
    yield _graph("Records", _series(came_in, name, "Sum"))
    yield _graph("What went out", _series(out, name, "Sum"))
    well = [
        *_series([HEALTHY], name, "SampleCount", "hosts that tell"),
        *_series([HEALTHY], name, "Sum", "hosts that are well"),
        *_series([RESTARTS], name, "Sum"),
        *_series([WITHOUT_OWNER], name, "Maximum"),
    ]
    yield _graph("Daemons", well)
    yield {
        "type": "log",
        "width": COLUMNS,
        "properties": {
            "title": f"{name}: warnings, and why daemons ended",
            "region": "${AWS::Region}",
            "query": f"SOURCE '{logs_group(name)}' | fields @timestamp, @logStream, @message "
            "| filter @message like /WARN|ERROR|FATAL|kinesis-connectors: / "
            "| sort @timestamp desc | limit 50",
        },
    }


def _series(
    metrics: Sequence[Metric], application: str, statistic: str, label: str = ""
) -> list[list[Any]]:
    how = {"stat": statistic} if statistic != STATISTIC else {}
    if label:
        how["label"] = label
    said = [how] if how else []
    return [[NAMESPACE, one.name, "application", application, *said] for one in metrics]


def _graph(title: str, metrics: list[list[Any]]) -> Widget:
    return {
        "type": "metric",
        "properties": {
            "title": title,
            "region": "${AWS::Region}",
            "stat": STATISTIC,
            "period": MINUTE,
            "metrics": list(_shortened(metrics)),
            "yAxis": {"left": {"min": 0}},
        },
    }


def _shortened(rows: Sequence[list[Any]]) -> Iterator[list[Any]]:
    """Write "." for what is as in the row before, as CloudWatch reads it."""
    yield rows[0]
    for before, row in itertools.pairwise(rows):
        names = [one for one in row if isinstance(one, str)]
        shown = ["." if one == old else one for one, old in zip(names, before, strict=False)]
        yield [*shown, *row[len(names) :]]


def _all_alarms(pipelines: Sequence[Settings]) -> Widget:
    arns = [
        f"${{{alarm_id(alarm, settings[APPLICATION_NAME])}.Arn}}"
        for settings in pipelines
        for alarm in ALARMS
    ]
    return {
        "type": "alarm",
        "width": COLUMNS - 2 * WIDTH,
        "properties": {"title": "Alarms", "alarms": arns},
    }


def _group() -> Widget:
    group = ["AutoScalingGroupName", "${AWS::StackName}"]
    metrics: list[list[Any]] = [
        ["AWS/AutoScaling", "GroupInServiceInstances", *group, {"stat": "Average"}],
        ["AWS/EC2", "CPUUtilization", *group, {"stat": "Average", "yAxis": "right"}],
    ]
    widget = _graph("Hosts, and how busy they are (%)", metrics)
    return {**widget, "width": 2 * WIDTH}
