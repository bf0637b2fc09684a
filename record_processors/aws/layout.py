"""Where in the bucket a pipeline's things are: what their keys begin with."""

from __future__ import annotations

from datetime import datetime, timezone

from ..config.keys import APPLICATION_NAME, DEAD_LETTER_PREFIX, S3_PREFIX
from ..config.setting import Settings


def files_folder(settings: Settings) -> str:
    """Return where files of rows are, in folders of the hours of their arrival."""
    return f"{settings[S3_PREFIX]}{settings[APPLICATION_NAME]}/"


def dead_letters_folder(settings: Settings) -> str:
    """Return where dead letters are."""
    return f"{settings[DEAD_LETTER_PREFIX]}{settings[APPLICATION_NAME]}/"


def file_key(folder: str, shard: str, position: str, arrival: int, extension: str) -> str:
    """Name a file of rows by the first record kept in it: shard, position and hour of arrival.

    ``arrival`` is in milliseconds since 1970 UTC. The key is a function of the source alone, never
    of the clock, the worker, or where the file ends.
    """
    hour = datetime.fromtimestamp(arrival / 1000, timezone.utc)
    return f"{folder}{hour:%Y/%m/%d/%H}/{shard}-{position}{extension}"
