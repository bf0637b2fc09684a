"""The alarms of the stack, and where they are told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..config.host_metrics import ATTENTION, BEHIND, HEALTHY, LETTERS, RESTARTS, WITHOUT_OWNER
from ..config.keys import APPLICATION_NAME
from ..config.metric import Metric
from ..config.setting import Settings
from ..kcl.metric_formats import NAMESPACE
from .hosts import GROUP
from .text import fill, logical_id

TOPIC = """\
# ---- alarms ----

# Where they are told. AlarmEmail, if it is said, must confirm a first mail. Whoever else is to
# hear subscribes to it too: aws sns subscribe --topic-arn …
Topic:
  Type: AWS::SNS::Topic
  Metadata:
    checkov:
      skip:
        - id: CKV_AWS_26
          comment: Alarms cannot write to a topic under AWS's own key; their text is no secret
  Properties:
    TopicName: !Sub "${AWS::StackName}-alarms"

Mail:
  Type: AWS::SNS::Subscription
  Condition: HasAlarmEmail
  Properties:
    TopicArn: !Ref Topic
    Protocol: email
    Endpoint: !Ref AlarmEmail

# Each is made when the first hosts are well and have told so (DependsOn). The metrics daemon.*,
# shards.*, letters.* and status.* are the report of a host, which it makes each minute; AWS it asks
# each five.

@alarms@"""

ALARM = """\
@id@:
  Type: AWS::CloudWatch::Alarm
  DependsOn: @group@
  Properties:
    AlarmDescription: >-
      @application@ - @why@
      First: @then@.
    Namespace: @namespace@
    MetricName: @metric@
    Dimensions: [{Name: application, Value: "@application@"}]
    Statistic: @statistic@
    ComparisonOperator: @comparison@
    Threshold: @threshold@
    Period: @period@
    EvaluationPeriods: @periods@
    TreatMissingData: @missing@
    AlarmActions: [!Ref Topic]
    OKActions: [!Ref Topic]

"""


class Alarm(NamedTuple):
    """One alarm, of each pipeline."""

    name: str
    why: str
    metric: Metric
    statistic: str
    comparison: str
    threshold: str
    period: int
    periods: int
    missing: str
    then: str
    """What whoever is woken does first."""


ABOVE, BELOW = "GreaterThanThreshold", "LessThanThreshold"

ALARMS = (
    Alarm(
        "Behind",
        "Records wait too long: a host is too small or away, or what it writes to is down.",
        BEHIND,
        # A report may come a minute late: what was true stays true until the next.
        *("Maximum", ABOVE, "!Ref BehindMilliseconds", 300, 1, "ignore"),
        "kinesis-connectors status says which shard, and why",
    ),
    Alarm(
        "NoHealthyHost",
        "For five minutes no host at all had a daemon that was well, or none told anything.",
        HEALTHY,
        *("Maximum", BELOW, "1", 60, 5, "breaching"),
        "look at the last lines of the log group, and at the activity of the Auto Scaling group",
    ),
    Alarm(
        "SickHost",
        "For ten minutes a host has not been well, be the others so: its shards wait.",
        HEALTHY,
        *("Minimum", BELOW, "1", 60, 10, "notBreaching"),
        "the log group has the reasons; kinesis-connectors health, on each host, says which it is",
    ),
    Alarm(
        "DeadLetters",
        "Records or rows were refused in the last day. They are kept, and the rest goes on.",
        LETTERS,
        *("Maximum", ABOVE, "0", 300, 1, "notBreaching"),
        "kinesis-connectors letters says why; redrive puts them back once that is mended",
    ),
    Alarm(
        "Restarts",
        "A child ended, and its daemon was started again: it goes on from its last checkpoint.",
        RESTARTS,
        *("Sum", ABOVE, "0", 300, 1, "notBreaching"),
        "the last line before the new start in the log group says why",
    ),
    Alarm(
        "WithoutOwner",
        "Nobody reads a shard: a host has vanished, or maxLeasesForWorker is too low.",
        WITHOUT_OWNER,
        *("Maximum", ABOVE, "0", 300, 3, "notBreaching"),
        "kinesis-connectors status says which; more hosts, or a higher maxLeasesForWorker",
    ),
    Alarm(
        "Attention",
        "Whatever else status wants a person for: records lost, or a ledger that stays locked.",
        ATTENTION,
        *("Maximum", ABOVE, "0", 300, 3, "notBreaching"),
        "kinesis-connectors status says why",
    ),
)


def alarms(pipelines: Sequence[Settings]) -> str:
    """Return the topic, and the alarms of each pipeline."""
    return fill(
        TOPIC,
        alarms="".join(
            _alarm(one, settings[APPLICATION_NAME]) for settings in pipelines for one in ALARMS
        ),
    )


def alarm_id(alarm: Alarm, application: str) -> str:
    """Return the logical id of an alarm."""
    return f"{logical_id(application)}{alarm.name}"


def _alarm(alarm: Alarm, application: str) -> str:
    return fill(
        ALARM,
        id=alarm_id(alarm, application),
        group=GROUP,
        why=alarm.why,
        then=alarm.then,
        namespace=NAMESPACE,
        metric=alarm.metric.name,
        application=application,
        statistic=alarm.statistic,
        comparison=alarm.comparison,
        threshold=alarm.threshold,
        period=str(alarm.period),
        periods=str(alarm.periods),
        missing=alarm.missing,
    )
