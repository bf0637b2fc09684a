"""The consumer that a file may have left behind on its way back to polling: told, and removed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from ..aws.prices import consumer_dollars
from ..aws.stream import unless_denied
from ..config.resource import Failed, Finding, Outcome
from .consumer import ACTIVE, CREATING, IS_GONE, Consumer


class UnusedConsumer(Consumer):
    """What a file with ``retrievalMode = POLLING`` may have left behind: it is charged for."""

    def probe(self) -> Iterator[Finding]:
        """Tell of it; whoever may not ask needs no right to that, and hears nothing."""
        try:
            status = self.seen()
        except Failed as failure:
            unless_denied(failure)
            return
        if status in {ACTIVE, CREATING}:
            yield Finding(
                "note",
                f"{self.place} is {status}, which retrievalMode = POLLING does not use, and costs "
                f"${consumer_dollars(self.shards):,.0f} a month; when no daemon reads by it any "
                f"more: `kinesis-connectors create {self.settings.path} --remove-consumer`",
            )

    def remove(self, *, dry: bool = False) -> Outcome:
        """Remove it and wait until it is gone; safe to repeat. Raises Fatal."""
        kinesis = self.kinesis
        with self.naming():
            is_there = self.status(kinesis) is not None
            if dry or not is_there:
                return Outcome(str(self), "would be removed" if is_there else "is not there")
            which = self.which(kinesis)
            with suppress(kinesis.exceptions.ResourceNotFoundException):
                kinesis.deregister_stream_consumer(**which)
            self.wait(IS_GONE, which)
        return Outcome(str(self), "removed")
