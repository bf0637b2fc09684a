"""The last file of each shard, found without a look at all files: hour by hour, from now back."""

from __future__ import annotations

import re
from collections.abc import Collection
from concurrent.futures import Executor
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple

from ..aws.clients import Client
from ..aws.layout import LAYOUT, files_folder, hour_folders
from ..config.keys import S3_BUCKET
from ..config.setting import Settings
from ..flow.record import Position

HOURS = 24  # further back is not looked
FIRST, AT_ONCE = 3, 8  # how many folders are listed together
# Of one folder; one of a day or more, as ``s3Layout`` may say, may hold any number.
MOST_OBJECTS = 100_000

NAME = re.compile(r"(?P<shard>.+)-(?P<position>[0-9]+-[0-9]+)(\.[^/]*)?")
HOUR = timedelta(hours=1)


class LastFile(NamedTuple):
    """The last file of a shard: its first position, its key, its size, when it was written."""

    position: Position
    key: str
    bytes: int
    written: datetime


class Files:
    """What was found: of each shard the last file, and what was written in the last hour."""

    def __init__(self) -> None:
        self.last: dict[str, LastFile] = {}
        self.recent = 0
        self.recent_bytes = 0

    def add(self, found: dict[str, Any], now: datetime) -> None:
        """Take in one object of a listing, if it is a file of rows."""
        name = NAME.fullmatch(found["Key"].rpartition("/")[2])
        if name is None:
            return
        position = Position.parse(name["position"])
        file = LastFile(position, found["Key"], found["Size"], found["LastModified"])
        self._take(name["shard"], file)
        if file.written > now - HOUR:
            self.recent += 1
            self.recent_bytes += file.bytes

    def merge(self, other: Files) -> None:
        """Take in what was found elsewhere."""
        for shard, file in other.last.items():
            self._take(shard, file)
        self.recent += other.recent
        self.recent_bytes += other.recent_bytes

    def _take(self, shard: str, file: LastFile) -> None:
        if shard not in self.last or file > self.last[shard]:
            self.last[shard] = file


def last_files(
    s3: Client, settings: Settings, shards: Collection[str], now: datetime, pool: Executor
) -> Files:
    """Look for the last file of these shards; those of others are told that are found on the way.

    A folder is that of the hour of arrival, which is long ago where a pipeline catches up: it goes
    on back while it finds files that were written in the last hour. Raises what boto3 does.
    """
    hours = [now - HOUR * back for back in range(HOURS)]
    folders = iter(dict.fromkeys(hour_folders(settings[LAYOUT], hour) for hour in hours))
    files, most = Files(), FIRST
    while group := list(islice(folders, most)):
        found = list(pool.map(lambda folder: _listed(s3, settings, folder, now), group))
        for one in found:
            files.merge(one)
        if files.last.keys() >= set(shards) and not found[-1].recent:
            break
        most = AT_ONCE
    return files


def _listed(s3: Client, settings: Settings, folder: str, now: datetime) -> Files:
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=settings[S3_BUCKET],
        Prefix=f"{files_folder(settings)}{folder}/",
        Delimiter="/",
        PaginationConfig={"MaxItems": MOST_OBJECTS},
    )
    files = Files()
    for page in pages:
        for found in page.get("Contents", ()):
            files.add(found, now)
    return files
