"""The stack: a CloudFormation template of a fleet of hosts that run some pipelines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from ..config.kcl_rules import notes_of_worker
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
from .text import fill, logical_id
from .units import insist_on_names, shipped, stop_seconds
from .user_data import user_data

# What may stand in a request; a larger template is put in a bucket first, else `aws cloudformation
# deploy` refuses it: docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/
# cloudformation-limits.html
MOST_BYTES_IN_A_REQUEST = 51_200

METRICS_HERE = "emf://127.0.0.1:25888"  # where CloudWatch's agent listens

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
    program: str
    """Which program that is: its version, or its source."""
    size: Size
    shards: Mapping[str, int]
    command: str
    """What the template says that it was made by."""


def template(stack: Stack) -> str:
    """Return the template, as YAML. Raises Unfit, and NotOnOneHost as `user_data` does.

    If no request holds it, the command at its head names a bucket.
    """
    text = _template(stack)
    return _template(stack, " --s3-bucket BUCKET") if is_too_large(text) else text


def is_too_large(text: str) -> bool:
    """Whether a template must be put in a bucket to be deployed."""
    return len(text.encode()) > MOST_BYTES_IN_A_REQUEST


def _template(stack: Stack, bucket: str = "") -> str:
    pipelines = stack.pipelines
    insist_on_metrics(pipelines)
    insist_on_workers(pipelines)
    insist_on_names(pipelines)
    names = [settings[APPLICATION_NAME] for settings in pipelines]
    if len({logical_id(name) for name in names}) < len(names):
        raise Unfit(
            f"{', '.join(names)}: two differ in no letter or digit, and others the names of a "
            "stack's resources do not have; make a stack of each"
        )
    if len(names) > MOST_PIPELINES:
        raise Unfit(
            f"{len(names)} files: a role takes the policies of {MOST_PIPELINES}; make two stacks"
        )
    secrets = list(secrets_of(pipelines))
    regions = {settings[REGION] for settings in pipelines} - {None}
    script = user_data(
        pipelines, stack.source, before(pipelines), after(), {METRICS.key: METRICS_HERE}
    )
    text = fill(
        shipped("stack.yaml"),
        names=" and ".join(names),
        command=stack.command,
        why="\n".join(f"# {line}".rstrip() for line in why(pipelines, stack.size, stack.shards)),
        stack="kinesis-connectors",
        bucket=bucket,
        region=f" --region {regions.pop()}" if len(regions) == 1 else "",
        more="".join(f" \\\n#     {one.parameter}=arn:aws:secretsmanager:…" for one in secrets),
        decisions=metadata(pipelines, stack.program),
        description=json.dumps(f"kinesis-connectors: {', '.join(names)}"),
        hosts=str(stack.size.hosts),
        most=str(stack.size.most),
        type=stack.size.type.name,
        secrets="".join(_parameter(one) for one in secrets),
        hosts_of=hosts(
            script,
            ports(pipelines),
            max(map(stop_seconds, pipelines)),  # they stop at the same time
        ),
        rights=rights(
            pipelines,
            [one for one, _ in log_groups(pipelines)],
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


def insist_on_workers(pipelines: Sequence[Settings]) -> None:
    """Raise Unfit where a file makes one worker of all hosts."""
    for settings in pipelines:
        for sentence in notes_of_worker(settings):
            raise Unfit(f"{settings.path}: {sentence}; take the line out")
