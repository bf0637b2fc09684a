"""What mends what an audit finds: commands, as they are typed."""

from __future__ import annotations

import shlex
from datetime import datetime

from ..config.keys import S3_ENDPOINT
from ..config.setting import Settings
from ..flow.record import Position
from ..kcl.leases import TRIM_HORIZON
from .hours import HOUR, said

PROGRAM = "kinesis-connectors"
ASIDE = "set-aside/"  # below the folder of a pipeline's files, where no listing looks


def audit(files: Settings, table: Settings | None) -> str:
    """Look once more."""
    return _typed("audit", *dict.fromkeys([files.path, *([table.path] if table else [])]))


def redrive(settings: Settings) -> str:
    """Put dead letters back."""
    return _typed("redrive", settings.path)


def settle(settings: Settings, url: str) -> str:
    """Say of the letters of a file that they are never to be put back: why, is to be typed.

    As it stands it is refused, so that nobody settles by a word of ours.
    """
    return _typed("letters", settings.path, "--settle", url, "--why", "")


def replay_file(settings: Settings, url: str) -> str:
    """Announce one file again."""
    return _typed("replay", settings.path, "--file", url)


def replay_to_another(settings: Settings, first: datetime, last: datetime) -> str:
    """Announce the files from the first to the last hour on a stream that is to be named."""
    hours = ("--from", said(first), "--to", said(last + HOUR))
    return _typed("replay", settings.path, *hours, "--stream", "NAME")


def replay_records(
    settings: Settings, shard: str, after: Position | None, through: Position
) -> str:
    """Read records of the stream again, as long as it holds them."""
    begin = TRIM_HORIZON if after is None else str(after)
    places = ("--shard", shard, "--after", begin, "--through", str(through))
    return _typed("replay", settings.path, *places)


def set_aside(settings: Settings, url: str, folder: str) -> str:
    """Move a file to where nobody looks for files."""
    bucket, _, key = url.removeprefix("s3://").partition("/")
    endpoint = settings[S3_ENDPOINT]
    where = ["--endpoint-url", endpoint] if endpoint else []
    return shlex.join(["aws", "s3", "mv", url, f"s3://{bucket}/{aside(key, folder)}", *where])


def aside(key: str, folder: str) -> str:
    """Return the key that a file has when it is set aside."""
    return f"{folder}{ASIDE}{key.removeprefix(folder)}"


def _typed(command: str, *words: str) -> str:
    return shlex.join([PROGRAM, command, *words])
