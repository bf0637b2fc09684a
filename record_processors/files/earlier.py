"""What of a shard is in files already, from a record on.

An earlier life may have written files whose checkpoints it did not live to make. With another
transformer or filter than now it kept other records, so that its files begin at others, and lie
under other keys than ours would. So they are listed, from the hour on at which the record arrived:
two requests, and two more for each later hour in which the application wrote files.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

from ..aws.bucket import Bucket
from ..aws.failures import Denied
from ..aws.layout import FILE_NAME, hour_folders, is_in_order_of_time, pattern_of
from ..flow.record import Position, Record
from .formats import ENDINGS

log = logging.getLogger(__name__)

# Kinesis says of the times of arrival that they are approximate: two neighbours in a shard may have
# theirs in another order (API_Record.html of docs.aws.amazon.com/kinesis/latest/APIReference/).
APPROXIMATE = timedelta(seconds=10)
AFTER_SLASH = chr(ord("/") + 1)
AFTER_DIGITS = chr(ord("9") + 1)
FEW = 10  # keys: the first is what is looked for, unless others put things between our folders


class Start(NamedTuple):
    """Where a file begins."""

    first: Position
    key: str


class EarlierFiles:
    """The files of a pipeline, looked through hour after hour."""

    def __init__(self, bucket: Bucket, folder: str, layout: str) -> None:
        self.bucket = bucket
        self.folder = folder
        self.layout = layout
        self.next: Start | None = None
        self.is_known = False  # whether ``next`` says all
        self._head = folder + layout.partition("{")[0]
        self._hour = re.compile(f"{re.escape(folder)}{pattern_of(layout)}/")

    def look(self, shard: str, record: Record) -> Position | None:
        """Return where the first file of the shard begins at ``record`` or after it, if any does.

        It is not known, and None, in folders that are not in the order of time, of a record
        without a time of arrival, and without the right to list (s3:ListBucket). Raises Fatal.
        """
        self.next, self.is_known = None, bool(record.arrival) and is_in_order_of_time(self.layout)
        if self.is_known:
            try:
                self.next = self._first(shard, record)
            except Denied as error:
                self.is_known = False
                log.info("not known what earlier lives wrote: %s", error)
        return self.next.first if self.next else None

    def at(self, start: Start) -> Start | None:
        """Return the file that ``look`` saw, if it begins there or before; None if none does.

        Where nothing is known, it may be the one that would begin there.
        """
        if self.next and self.next.first <= start.first:
            return self.next
        return None if self.is_known else start

    def _first(self, shard: str, record: Record) -> Start | None:
        first: Start | None = None
        for hour in self._hours(record):
            later = [one for one in self._starts(hour, shard) if one.first >= record.position]
            if first:  # around the end of an hour, the next one may have what comes before
                return min([first, *later])
            first = min(later, default=None)
        return first

    def _hours(self, record: Record) -> Iterator[str]:
        """Yield the folder of the hour of a record, and those of all later hours with files."""
        arrived = datetime.fromtimestamp(record.arrival / 1000, timezone.utc)
        times = (arrived - APPROXIMATE, arrived)
        hours = [f"{self.folder}{hour_folders(self.layout, time)}/" for time in times]
        yield from dict.fromkeys(hours)
        hour = hours[-1]
        while later := self._hour_after(hour):
            yield (hour := later)

    def _hour_after(self, hour: str) -> str | None:
        after = hour.rstrip("/") + AFTER_SLASH
        while few := self.bucket.page(self._head, StartAfter=after, MaxKeys=FEW).get("Contents"):
            for one in few:
                if found := self._hour.match(one["Key"]):
                    return found[0]
            after = few[-1]["Key"]
            if after >= self._head + AFTER_DIGITS:
                return None
        return None

    def _starts(self, hour: str, shard: str) -> Iterator[Start]:
        for one in self.bucket.objects(f"{hour}{shard}-"):
            key = one["Key"]
            name = FILE_NAME.fullmatch(key.removeprefix(hour))
            if name and name[1] == shard and name[4] in ENDINGS:
                yield Start(Position(int(name[2]), int(name[3])), key)
