"""What must not change while hosts are replaced one by one, and whether it does.

A shard goes from one host to another in the midst of its chain of files: what decides the files,
and what is read, must be the same on both. The template says what that is; CloudFormation is asked
for the one that is deployed before another takes its place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from ..aws.clients import Client
from ..aws.layout import LAYOUT
from ..config.fingerprint import fingerprint
from ..config.keys import (
    APPLICATION_NAME,
    DESTINATION,
    FILTER,
    S3_BUCKET,
    S3_PREFIX,
    STREAM_NAME,
    TRANSFORMER,
)
from ..config.registry import chosen
from ..config.setting import Setting, Settings
from ..files.compression import COMPRESSION
from ..ops.pipelines import chain_writer

KEY = "DecidesTheFiles"
OF_FILES: Sequence[Setting[Any]] = (
    *(S3_BUCKET, S3_PREFIX, COMPRESSION, LAYOUT),
    *(TRANSFORMER, FILTER),
)
MADE_BY = "the fingerprint of transformer and filter"
PROGRAM = "the program"

Decisions = Mapping[str, Mapping[str, str]]
"""The values of the settings in question by their keys, by application."""


class ChangesInMidStream(Exception):
    """What a shard would not survive whole; every change, each in a sentence."""


def decisions(pipelines: Sequence[Settings], program: str) -> Decisions:
    """Return what decides the files of each pipeline; ``program`` is its version, or its source."""
    return {
        settings[APPLICATION_NAME]: {**dict(_of(settings)), PROGRAM: program}
        for settings in pipelines
    }


def _of(settings: Settings) -> Iterator[tuple[str, str]]:
    classes = chosen(settings.texts)
    destination = classes.destination
    lasting: list[Setting[Any]] = [STREAM_NAME, DESTINATION]
    for one in (*destination.members.values(), destination):
        lasting += one.lasting
    writes_files = chain_writer(settings) is not None
    if writes_files:
        lasting += [*OF_FILES, *classes.transformer.declares, *classes.filter.declares]
    for setting in dict.fromkeys(lasting):
        yield setting.key, str(settings[setting])
    if writes_files:
        yield MADE_BY, fingerprint(settings)


def metadata(pipelines: Sequence[Settings], program: str) -> str:
    """Return it as a member of a template's metadata, on one line."""
    return f"{KEY}: {json.dumps(decisions(pipelines, program))}"


def deployed(cloud_formation: Client, stack: str) -> Decisions:
    """Return what decides the files of a stack as it is. Raises what boto3 does."""
    body = cloud_formation.get_template(StackName=stack)["TemplateBody"]
    found = re.search(rf"^ *{KEY}: (.*)$", str(body), re.MULTILINE)
    return cast("Decisions", json.loads(found[1])) if found else {}


def insist_on_the_same(
    pipelines: Sequence[Settings], program: str, stack: str, before: Decisions
) -> None:
    """Raise ChangesInMidStream if anything is other than in the stack as it is, or missing."""
    after = decisions(pipelines, program)
    if gone := before.keys() - after.keys():
        raise ChangesInMidStream(
            f"{stack} runs {', '.join(sorted(gone))}, and none of the files has that "
            "applicationName: nobody would read its stream from where it is, and a new name begins "
            "anew. Name its file too, with the applicationName that it had; if it is to end, leave "
            "out --replacing"
        )
    told = [
        f"{name}: {key} was {before[name].get(key, 'not said')} and is {now.get(key, 'not said')}"
        for name, now in after.items()
        for key in dict.fromkeys([*before.get(name, ()), *now])
        if name in before and before[name].get(key) != now.get(key)
    ]
    if told:
        raise ChangesInMidStream(
            f"{'; '.join(told)}. That must not change while hosts are replaced one by one: let all "
            f"of them flush and end first ({drain(stack)}; wait until the group has no host), then "
            "deploy this one, made without --replacing, as the README says under A fleet"
        )


def drain(stack: str) -> str:
    """Return the command by which all hosts flush and end."""
    return (
        f"aws autoscaling update-auto-scaling-group --auto-scaling-group-name {stack} "
        "--min-size 0 --max-size 0 --desired-capacity 0"
    )
