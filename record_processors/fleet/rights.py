"""What the hosts are allowed: the policy of each pipeline, and what a host of a group needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..aws.arns import Arns, no_pattern
from ..aws.iam import allow, policy
from ..aws.layout import dead_letters_folder
from ..config.keys import APPLICATION_NAME
from ..config.resource import Statement
from ..config.setting import Settings
from ..kcl.assumed_roles import roles_for
from ..kcl.policy import policy_of
from ..kcl.resources import resources
from .text import block, fill, logical_id

ACCOUNT = "${AWS::AccountId}"

# A role takes ten policies: one of each pipeline, that of Systems Manager, and ExtraPolicyArn.
# docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
MOST_PIPELINES = 8

TEMPLATE = """\
# ---- what the hosts are allowed ----

@pipelines@
Role:
  Type: AWS::IAM::Role
  Properties:
    AssumeRolePolicyDocument:
      Version: "2012-10-17"
      Statement:
        - Effect: Allow
          Principal:
            Service: ec2.amazonaws.com
          Action: sts:AssumeRole
    ManagedPolicyArns:
      # A shell without a port or a key.
      - !Sub "arn:${AWS::Partition}:iam::aws:policy/AmazonSSMManagedInstanceCore"
      - !If [HasExtraPolicy, !Ref ExtraPolicyArn, !Ref AWS::NoValue]
      @references@
    # What a host does beside its pipelines.
    Policies:
      - PolicyName: host
        PolicyDocument:
          @host@

Profile:
  Type: AWS::IAM::InstanceProfile
  Properties:
    Roles:
      - !Ref Role
"""

PIPELINE = """\
# @application@: what `kinesis-connectors iam-policy` prints for it, for this account.
@id@Policy:
  Type: AWS::IAM::ManagedPolicy
  Properties:
    Description: What the pipeline @application@ does
    PolicyDocument:
      @policy@

"""


def rights(
    pipelines: Sequence[Settings], log_groups: Sequence[str], source: str, secrets: Sequence[str]
) -> str:
    """Return policies, role and instance profile.

    ``log_groups`` are logical ids; ``source`` is where the program comes from, as in `user_data`;
    ``secrets`` are the parameters of the stack that are ARNs of secrets.
    """
    names = [settings[APPLICATION_NAME] for settings in pipelines]
    return fill(
        TEMPLATE,
        pipelines="".join(
            fill(
                PIPELINE,
                application=name,
                id=logical_id(name),
                policy=block(policy_of(settings, ACCOUNT)),
            )
            for name, settings in zip(names, pipelines, strict=True)
        ),
        references="".join(f"- !Ref {logical_id(name)}Policy\n" for name in names),
        host=block(host_policy(pipelines, log_groups, source, secrets)),
    )


def host_policy(
    pipelines: Sequence[Settings],
    log_groups: Sequence[str],
    source: str,
    secrets: Sequence[str],
) -> Mapping[str, Any]:
    """Return the policy of a host beside its pipelines."""
    here = "${AWS::Region}:${AWS::AccountId}"
    group = "autoScalingGroup:*:autoScalingGroupName/${AWS::StackName}"
    statements = [
        allow(
            "SendLogsAndMetrics",
            "logs: CreateLogStream DescribeLogStreams PutLogEvents",
            *(f"${{{one}.Arn}}" for one in log_groups),
        ),
        allow(
            "LeaveTheGroup",
            "autoscaling: CompleteLifecycleAction SetInstanceHealth",
            f"arn:${{AWS::Partition}}:autoscaling:{here}:{group}",
        ),
        *_looking_for_letters(pipelines),
        *_looking_as_a_host(pipelines),
    ]
    if source.startswith("s3://"):
        bucket, _, folder = source.removeprefix("s3://").rstrip("/").partition("/")
        place = f"arn:${{AWS::Partition}}:s3:::{bucket}"
        inside = f"{folder}/" if folder else ""
        statements += [
            allow("FetchTheProgram", "s3: GetObject", f"{place}/{inside}*"),
            allow(
                "ListTheProgram",
                "s3: ListBucket",
                place,
                when={"StringLike": {"s3:prefix": f"{inside}*"}},
            ),
        ]
    if secrets:
        statements.append(
            allow(
                "ReadPasswords", "secretsmanager: GetSecretValue", *(f"${{{s}}}" for s in secrets)
            )
        )
    return policy(statements)


def _looking_as_a_host(pipelines: Sequence[Settings]) -> Iterator[Statement]:
    """Allow what the report does as the host and the daemon as a role: to look at the shards."""
    for settings in pipelines:
        for thing in resources(settings):
            if roles_for(settings, thing):
                yield from thing.permissions_to_operate(ACCOUNT)


def _looking_for_letters(pipelines: Sequence[Settings]) -> Iterator[Statement]:
    """Allow what the report of a host does and its pipeline does not: to list dead letters."""
    for settings in pipelines:
        yield allow(
            f"ListDeadLettersOf{logical_id(settings[APPLICATION_NAME])}",
            "s3: ListBucket",
            Arns(settings, ACCOUNT).bucket,
            when={"StringLike": {"s3:prefix": f"{no_pattern(dead_letters_folder(settings))}*"}},
        )
