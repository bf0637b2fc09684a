"""Whether there are new dead letters: their files are counted, not read."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from ..config.keys import S3_BUCKET
from ..config.resource import Fact
from ..config.setting import Settings
from ..errors import counted
from .clients import Client
from .layout import LETTERS, MARK, dead_letters_folder

DAY = timedelta(days=1)
# Their keys do not begin with a time, so that all must be listed; this many take some ten seconds.
MOST_OBJECTS = 200_000


def new_letters(s3: Client, settings: Settings) -> Fact:
    """Count the files of letters that were written in the last day and are not put back.

    Raises what boto3 does.
    """
    folder, since = dead_letters_folder(settings), datetime.now(timezone.utc) - DAY
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=settings[S3_BUCKET], Prefix=folder, PaginationConfig={"MaxItems": MOST_OBJECTS}
    )
    new = listed = 0
    last: datetime | None = None
    before = ("", False)  # the key that was listed before, and whether it counts
    for page in pages:
        for found in page.get("Contents", ()):
            listed += 1
            key, written = found["Key"], found["LastModified"]
            if key.endswith(MARK):  # listed right after what it is about
                new -= before == (key.removesuffix(MARK), True)
                continue
            before = key, key.endswith(LETTERS) and written > since
            if before[1]:
                new += 1
                last = max(last or written, written)
    value = {"filesInTheLastDay": new, "last": last if new else None, "all": listed < MOST_OBJECTS}
    where = f"s3://{settings[S3_BUCKET]}/{folder}"
    if not new and not value["all"]:
        said = (
            f"not all dead letters are looked at: there are more than {MOST_OBJECTS:,} objects in "
        )
        return Fact("letters", value, said + where, attention=True)
    if not new:
        return Fact("letters", value, "no dead letters in the last day")
    at_least = "" if value["all"] else "at least "
    return Fact(
        "letters",
        value,
        f"{at_least}{counted(new, 'file')} of dead letters in the last day, the last at "
        f"{last:%Y-%m-%d %H:%M:%S} UTC, in {where}: `kinesis-connectors letters {settings.path}` "
        "shows them",
        attention=True,
    )
