"""The stack: a CloudFormation template of a fleet of hosts that run some pipelines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from ..config.keys import APPLICATION_NAME, METRICS, REGION
from ..config.setting import Settings
from ..kcl.resources import resources
from .alarms import alarms
from .costs import why
from .dashboard import dashboard
from .hosts import hosts
from .in_the_group import Secret, after, before, secrets_of
from .logs import log_groups, logs
from .midstream import metadata
from .rights import MOST_PIPELINES, rights
from .sizes import Size
from .text import fill
from .units import stop_seconds
from .user_data import user_data

# What may stand in a request; a larger template is put in a bucket first:
# docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
MOST_BYTES_IN_A_REQUEST = 51_200

METRICS_HERE = "emf://127.0.0.1:25888"  # where CloudWatch's agent listens

TEMPLATE = """\
# A fleet of hosts that run @names@.
#
# Made by: @command@
#
@why@
#
# Deploy, and after each change of a .properties file make this file anew and deploy it again:
#
#   aws cloudformation deploy --stack-name @stack@ --template-file stack.yaml \\
#     --capabilities CAPABILITY_IAM@region@ \\
#     --parameter-overrides VpcId=vpc-… SubnetIds=subnet-…,subnet-… AlarmEmail=you@example.com@more@
AWSTemplateFormatVersion: "2010-09-09"
Description: @description@

Metadata:
  # What must not change while hosts are replaced one by one; `--replacing` compares it.
  @decisions@

Parameters:
  VpcId:
    Type: AWS::EC2::VPC::Id
    Description: The network of the hosts
  SubnetIds:
    Type: List<AWS::EC2::Subnet::Id>
    Description: >-
      Where the hosts are, best in two or three availability zones. From there AWS must be reached,
      through a NAT gateway or VPC endpoints, and so must whatever else the files name.
  AlarmEmail:
    Type: String
    Default: ""
    Description: Who hears of alarms; empty - whoever subscribes to the topic
  MinHosts:
    Type: Number
    Default: @hosts@
    MinValue: 0
    Description: How many hosts run at least; with MaxHosts, 0 ends all, which flush first
  MaxHosts:
    Type: Number
    Default: @most@
    MinValue: 0
    Description: >-
      How many run at most: more than MinHosts, as a new host starts before an old one goes; more
      than the shards of the largest stream do nothing.
  InstanceType:
    Type: String
    Default: @type@
    Description: With Arm processors; for others, change Image too
  Image:
    Type: AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>
    Default: /aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64
    Description: >-
      Amazon Linux 2023. It is the newest at each deployment, so that one may replace the hosts for
      that alone; name another public parameter, or one of your own, to stay with one image.
  BehindMilliseconds:
    Type: Number
    Default: 600000
    Description: How far behind a shard may be until there is an alarm
  @secrets@

Conditions:
  HasAlarmEmail: !Not [!Equals [!Ref AlarmEmail, ""]]

Resources:
  @hosts_of@

  @rights@

  @logs@

  @alarms@

  @dashboard@
Outputs:
  Group:
    Description: The Auto Scaling group
    Value: !Ref Hosts
  Role:
    Description: The role of the hosts, to be allowed what no file names, such as a KMS key
    Value: !GetAtt Role.Arn
  Topic:
    Description: Where alarms are told
    Value: !Ref Topic
  Dashboard:
    Description: How it is
    Value: !Sub "https://console.aws.amazon.com/cloudwatch/home?region=${AWS::Region}#dashboards:name=${AWS::StackName}"
"""

PARAMETER = """\
@parameter@:
  Type: String
  AllowedPattern: "arn:aws[a-z-]*:secretsmanager:.*"
  Description: ARN of the secret in Secrets Manager whose text is @variable@ of @application@
"""


class Unfit(Exception):
    """Pipelines of which no stack can be made, and why, in one sentence."""


class Stack(NamedTuple):
    """What a stack is made of."""

    pipelines: Sequence[Settings]
    source: str
    """Where the program comes from, as in `user_data`."""
    size: Size
    shards: Mapping[str, int]
    command: str
    """What the template says that it was made by."""


def template(stack: Stack) -> str:
    """Return the template, as YAML. Raises Unfit, and NotOnOneHost as `user_data` does."""
    pipelines = stack.pipelines
    insist_on_metrics(pipelines)
    names = [settings[APPLICATION_NAME] for settings in pipelines]
    if len(names) > MOST_PIPELINES:
        raise Unfit(
            f"{len(names)} files: a role takes the policies of {MOST_PIPELINES}; make two stacks"
        )
    secrets = list(secrets_of(pipelines))
    regions = {settings[REGION] for settings in pipelines} - {None}
    script = user_data(
        pipelines, stack.source, before(pipelines), after(pipelines), {METRICS.key: METRICS_HERE}
    )
    text = fill(
        TEMPLATE,
        names=" and ".join(names),
        command=stack.command,
        why="\n".join(f"# {line}".rstrip() for line in why(pipelines, stack.size, stack.shards)),
        stack="kinesis-connectors",
        region=f" --region {regions.pop()}" if len(regions) == 1 else "",
        more="".join(f" \\\n#     {one.parameter}=arn:aws:secretsmanager:…" for one in secrets),
        decisions=metadata(pipelines),
        description=json.dumps(f"kinesis-connectors: {', '.join(names)}"),
        hosts=str(stack.size.hosts),
        most=str(stack.size.most),
        type=stack.size.type.name,
        secrets="".join(_parameter(one) for one in secrets),
        hosts_of=hosts(
            script,
            ports(pipelines),
            max(map(stop_seconds, pipelines)),  # they stop at the same time
            [one for one, _ in log_groups(pipelines)],
        ),
        rights=rights(
            pipelines,
            [name for _, name in log_groups(pipelines)],
            stack.source,
            [one.parameter for one in secrets],
        ),
        logs=logs(pipelines),
        alarms=alarms(pipelines),
        dashboard=dashboard(pipelines),
    )
    return text.replace("…", "...")  # CloudFormation keeps ASCII alone as it is


def _parameter(secret: Secret) -> str:
    return fill(
        PARAMETER,
        parameter=secret.parameter,
        variable=secret.variable,
        application=secret.application,
    )


def ports(pipelines: Sequence[Settings]) -> Iterator[int]:
    """Yield the ports at which what the pipelines use is reached."""
    for settings in pipelines:
        for thing in resources(settings):
            yield from thing.ports()


def insist_on_metrics(pipelines: Sequence[Settings]) -> None:
    """Raise Unfit where metrics go elsewhere than to the agent of the stack."""
    for settings in pipelines:
        if (said := settings.texts.get(METRICS.key, METRICS_HERE)) != METRICS_HERE:
            raise Unfit(
                f"{settings.path}: metrics = {said}: the alarms of the "
                f"stack live on what CloudWatch's agent hears; write metrics = {METRICS_HERE}, or "
                "take the line out, and the stack adds it"
            )
