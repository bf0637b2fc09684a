"""Where in the bucket a pipeline's things are: what their keys begin with."""

from __future__ import annotations

import re
from datetime import datetime, timezone

from ..config.keys import APPLICATION_NAME, DEAD_LETTER_PREFIX, S3, S3_PREFIX
from ..config.setting import Setting, Settings
from ..config.types import KEY_BYTES, ValueType, did_you_mean

LAYOUTS = {
    "date": "{yyyy}/{MM}/{dd}/{HH}",
    "hive": "year={yyyy}/month={MM}/day={dd}/hour={HH}",
}
_FIELD = r"\{(?:yyyy|MM|dd|HH)\}"
_FOLDER = rf"(?:[A-Za-z0-9=._-]|{_FIELD})+"
_LAYOUT_BYTES = KEY_BYTES // 4  # as much as s3Prefix; application, shard and position come as well


def _read_layout(value: str) -> str:
    layout = LAYOUTS.get(value, value)
    if not re.search(_FIELD, layout):
        near = did_you_mean(value, LAYOUTS)
        raise ValueError(f"not date, hive, or folders with {{yyyy}}, {{MM}}, {{dd}}, {{HH}}{near}")
    for folder in layout.split("/"):
        if not re.fullmatch(_FOLDER, folder) or not folder.strip("."):
            raise ValueError(
                f"{folder or 'nothing'} between its slashes is not A-Z a-z 0-9 = . _ - and the "
                "fields {yyyy}, {MM}, {dd}, {HH}"
            )
    if len(layout) > _LAYOUT_BYTES:
        raise ValueError(f"more than {_LAYOUT_BYTES} bytes")
    return layout


LAYOUT = Setting(
    "s3Layout",
    ValueType("date, hive, or folders with {yyyy}, {MM}, {dd}, {HH} in them", _read_layout),
    "The folders of files of rows, by the hour (UTC) at which the first record of a file arrived.",
    LAYOUTS["date"],
    default_in_words="date",
    example="dt={yyyy}-{MM}-{dd}/hour={HH}",
    note=f"date: {LAYOUTS['date']}. hive: {LAYOUTS['hive']}.",
    section=S3,
)


def files_folder(settings: Settings) -> str:
    """Return where files of rows are, in folders as ``s3Layout`` says."""
    return f"{settings[S3_PREFIX]}{settings[APPLICATION_NAME]}/"


def dead_letters_folder(settings: Settings) -> str:
    """Return where dead letters are."""
    return f"{settings[DEAD_LETTER_PREFIX]}{settings[APPLICATION_NAME]}/"


# What keys of letters end in; and of what says beside them that they are put back, behind that.
LETTERS = ".jsonl"
MARK = ".redriven"
# The folder, in that of letters and in that of files, of what is put back, and of what that left.
REDRIVEN = "redriven/"


def file_key(
    folder: str, layout: str, shard: str, position: str, arrival: int, extension: str
) -> str:
    """Name a file of rows by the first record kept in it: shard, position and hour of arrival.

    ``arrival`` is in milliseconds since 1970 UTC. The key is a function of the source alone, never
    of the clock, the worker, or where the file ends.
    """
    hour = datetime.fromtimestamp(arrival / 1000, timezone.utc)
    return f"{folder}{hour_folders(layout, hour)}/{shard}-{position}{extension}"


FILE_NAME = re.compile(r"(.+)-(\d+)-(\d+)((?:\.[a-z]+)*)")
"""A file's name in its folders: shard, the two numbers of its first position, and its ending."""


def hour_folders(layout: str, hour: datetime) -> str:
    """Return the folders of an hour (UTC)."""
    return layout.format(yyyy=f"{hour:%Y}", MM=f"{hour:%m}", dd=f"{hour:%d}", HH=f"{hour:%H}")


def pattern_of(layout: str) -> str:
    """Return the pattern of such folders: each field that the layout has is a group of its name."""
    seen: set[str] = set()

    def group(field: re.Match[str]) -> str:
        name = field[1]
        if name in seen:
            return f"(?P={name})"
        seen.add(name)
        return rf"(?P<{name}>\d{{{len(name)}}})"

    return re.sub(r"\\\{(yyyy|MM|dd|HH)\\\}", group, re.escape(layout))


def is_in_order_of_time(layout: str) -> bool:
    """Whether the folders of hours come in their order when they are sorted as text."""
    fields = re.findall(_FIELD, layout)
    return fields == ["{yyyy}", "{MM}", "{dd}", "{HH}"][: len(fields)]


def hour_of(found: re.Match[str]) -> datetime:
    """Return the hour that folders name, or the first of it if they have no more than a day.

    Raises ValueError for what is no time.
    """
    parts = {"yyyy": "1970", "MM": "01", "dd": "01", "HH": "00", **found.groupdict()}
    return datetime(
        int(parts["yyyy"]),
        int(parts["MM"]),
        int(parts["dd"]),
        int(parts["HH"]),
        tzinfo=timezone.utc,
    )
