"""The stream of Kinesis that a destination writes to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from ..config.component import Contradiction
from ..config.keys import STREAM_NAME, STREAMS
from ..config.resource import Failed, Finding
from ..config.setting import Setting, Settings
from ..config.types import STREAM, matching, whole_number
from .findings import about
from .stream import Stream, unless_denied

OUTPUT_STREAM = Setting(
    "kinesisOutputStream",
    matching(STREAM, "a stream's name"),
    "The stream that is written to: rows, or the names of the files that stage two is to load.",
    required=True,
    example="manifests",
    note="One shard takes 1,000 of them a second.",
    section=STREAMS,
)
OUTPUT_SHARDS = Setting(
    "kinesisOutputStreamShardCount",
    whole_number(),
    "How many shards `create` gives kinesisOutputStream, if it has to make it.",
    1,
    unit="shards",
    section=STREAMS,
)


def writes_to_itself(settings: Settings) -> Iterator[Contradiction]:
    """Refuse a pipeline that would read what it writes, for ever."""
    if settings[OUTPUT_STREAM] == settings[STREAM_NAME]:
        yield OUTPUT_STREAM.key, "kinesisOutputStream is the stream that is read (streamName)"


class OutputStream(Stream):
    """The stream that ``kinesisOutputStream`` names; ``action`` is how it is written to."""

    action: ClassVar[str]

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, OUTPUT_STREAM, OUTPUT_SHARDS)

    def probe(self) -> Iterator[Finding]:
        """Look at it. Nothing is put on it: whoever reads it would take it for the real thing."""
        yield self.looked_at()
        place = about(OUTPUT_STREAM, self.name)
        yield Finding("note", f"{place}: kinesis:{self.action} was not tried")

    def look(self) -> Iterator[Finding]:
        """Look whether it is there; without the right to, it is written to all the same."""
        try:
            yield from super().look()
        except Failed as failure:
            yield unless_denied(failure)
