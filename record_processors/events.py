"""What the log tells of, by names that stay: with ``logFormat = json`` they are ``event``.

Each is declared once. Those of every pipeline stand here, those of a destination or a transformer
on its class (``events``); the reference lists them all, with what to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Event(NamedTuple):
    """Something that happens: what it is called, what it means, what a person then does."""

    name: str
    means: str
    remedy: str = ""

    def of(self, **fields: object) -> Mapping[str, Any]:
        """Return the ``extra`` of a log call: the event's name and what else a machine reads."""
        return {"event": self.name, "fields": fields}


# A child and its shard.
SHARD_BEGINS = Event("shard-begins", "A child has the shard, and reads from `position` on.")
SHARD_ENDED = Event("shard-ended", "A reshard ended the shard, and everything of it is delivered.")
FLUSHED = Event("flushed", "Everything is delivered and checkpointed, for a stop.")
LEASE_LOST = Event(
    "lease-lost", "The shard is another host's, or the daemon stops: nothing more is written."
)
ENDED = Event(
    "ended",
    "The child ends with 70, after an error that no try can mend; nothing is lost.",
    "read `message`, mend what it names; the daemon must be started again",
)
DAEMON_ENDED = Event(
    "daemon-ended",
    "The last line of `run`: why the daemon ended, and with which `code`.",
    "nothing after a stop that was asked for (0); else mend what the message names, start again",
)
# What comes of records.
RECORDS_READ = Event("records-read", "What came of the records since the start of this life.")
ALL_FILTERED_OUT = Event(
    "all-filtered-out",
    "Not one of the first records was kept.",
    "look at `filter`, `filterExpression`, and at what the transformer makes no rows of",
)
DEAD_LETTERS = Event(
    "dead-letters",
    "Records, rows or a file can go nowhere else, and are kept with the reason.",
    "look at them where `url` says; mend the cause, and put them back",
)
DURABLE_ALREADY = Event("durable-already", "An earlier life delivered the records up to `through`.")
FILE_WRITTEN = Event("file-written", "A file of rows is in S3.")
FILE_FOUND = Event(
    "file-found", "An earlier life, or another process, wrote the file: it is taken as it is."
)
MADE_OTHERWISE = Event(
    "made-otherwise",
    "The file that was found is of another transformer or filter, or other settings of them. Its "
    "rows stay; what comes after `last` is made by this file's.",
    "nothing, if they were changed on purpose",
)
# What fails for a while.
TRIED_AGAIN = Event("tried-again", "A call failed for a passing reason.", "nothing, if it passes")
OUTAGE = Event(
    "outage",
    "A service is down or busy; the shard waits, and goes on by itself.",
    "look at the service; raise the retention of the stream before it keeps less than the backlog",
)
OUTAGE_OVER = Event("outage-over", "The service is back, and the shard goes on.")
PAUSED = Event("paused", "Nothing is loaded until `until`, on purpose.")

OF_EVERY_PIPELINE = [each for each in list(vars().values()) if isinstance(each, Event)]
