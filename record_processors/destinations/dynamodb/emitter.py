"""Each row an item: the last one of its key, by position, is what the table holds."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

from ...aws.clients import ANSWER_SECONDS, client
from ...aws.failures import call
from ...aws.prices import MILLION_DYNAMODB_WRITES, NEW_TABLE_WRITES, WRITE_UNIT_BYTES
from ...config.component import Contradiction, Shipped
from ...config.metric import Counter
from ...config.resource import Failed, Resource
from ...config.setting import Settings
from ...config.shipped import DAEMON
from ...config.work import Bought, Cost, Limit, Load, Work
from ...errors import BAD_DATA, Fatal, Rejection, counted
from ...extras import insist_on
from ...flow.batch import Batch
from ...flow.emitter import Emitter
from ...flow.in_part import NotTaken, send_all
from ...flow.retry import Retry
from .items import Change, Items, Key, Shape, key_of
from .settings import DATA_TABLE, DECLARED, NO_GUARD, POSITION, contradictions, guard_of
from .table import EXTRA, Table
from .writes import LANES, Batched, Guarded, Refused, Waiting, Writes

if TYPE_CHECKING:
    from ...aws.json_calls import Calls

log = logging.getLogger(__name__)

ITEMS = Counter("dynamodb.items", "Items written or deleted, the last of each key of a batch.")
OLDER = Counter(
    "dynamodb.older", "Items left as they were, since the table held what was as new, or newer."
)

Row = Any  # bytes that are one JSON object, or a dict


class DynamoDBEmitter(Emitter[Row]):
    """Writes each batch's last item of every key, unless the table holds a newer one."""

    accepts = frozenset({"json", "dict"})
    declares = DECLARED
    measures = (*Emitter.measures, ITEMS, OLDER)
    # A thousand keys by sixteen at once, each answered at the last moment.
    longest_try = 64 * ANSWER_SECONDS
    shipped = Shipped(
        "dynamodb",
        "Records of a Kinesis stream become items of a DynamoDB table: for each key the last one.",
        {
            **DAEMON,
            "connectorDestination": "dynamodb",
            "applicationName": "flights-to-dynamodb",
            "transformer": "json",
            "filter": "all",
            "bufferRecordCountLimit": "1000",
            "bufferByteSizeLimit": "1048576",
            "bufferMillisecondsLimit": "1000",
            "kinesisInputStreamShardCount": "4",
            "dynamoDBKey": "id",
            "dynamoDBPositionAttribute": "_position",
        },
    )

    def __init__(self, settings: Settings, table: Table, calls: Calls, retry: Retry) -> None:
        self.settings = settings
        self.table = table
        self.calls = calls
        self.retry = retry
        self.at_the_end = ExitStack()  # a process may end before it has a shard

    @classmethod
    def contradictions(cls, settings: Settings) -> Iterator[Contradiction]:
        """Return what contradicts itself."""
        return contradictions(settings)

    @classmethod
    def no_redrive(cls, settings: Settings) -> str:
        """Without the guard, an old record would take the place of newer ones of its key."""
        if guard_of(settings):
            return ""
        return (
            f"{POSITION.key} = {NO_GUARD}: an old record would take the place of a newer item; put "
            "it on the stream instead, mended, if it is still the last one of its key"
        )

    @classmethod
    def extras(cls, settings: Settings) -> Sequence[str]:
        """Return that of its client."""
        del settings
        return EXTRA[:1]

    @classmethod
    def resources(cls, settings: Settings) -> Sequence[Resource]:
        """Return the table."""
        return [Table(settings)]

    @classmethod
    def work(cls, settings: Settings, load: Load) -> Work:
        """Write an item for each record, as long as it is, none of them of the same key."""
        units = load.records * math.ceil(load.bytes / WRITE_UNIT_BYTES)
        return Work(
            Cost(161.7, 1_407) if guard_of(settings) else Cost(54.4, 4_067),
            [Bought("writes of items", units, MILLION_DYNAMODB_WRITES)],
            [
                Limit(
                    f"writes a second of a new {settings[DATA_TABLE]}",
                    units,
                    NEW_TABLE_WRITES,
                    "an on-demand table doubles what it takes within 30 minutes; or raise its warm "
                    "throughput beforehand",
                    "docs.aws.amazon.com/amazondynamodb/latest/developerguide/warm-throughput.html",
                )
            ],
        )

    @classmethod
    def from_settings(cls, settings: Settings) -> DynamoDBEmitter:
        """Make the client; the table is looked at when the shard is known.

        Raises Fatal without the extra.
        """
        insist_on(*EXTRA)
        from ...aws.json_calls import Calls  # noqa: PLC0415 - it stands on the extra

        calls = Calls(client("dynamodb", settings), LANES)
        return cls(settings, Table(settings), calls, Retry.from_settings(settings, "dynamodb"))

    def start(self, shard: str, format: str, null: str | None) -> None:  # noqa: A002
        """Ask the table for its key. Raises Fatal."""
        super().start(shard, format, null)
        name = self.settings[DATA_TABLE]
        shape = self._look()
        self.items = Items.from_settings(self.settings, shape)
        guard = guard_of(self.settings)
        self.writes: Writes = (
            Guarded(self.calls, name, guard)
            if guard
            else Batched(self.calls, name, partial(key_of, shape.keys))
        )
        self.at_the_end.callback(self.calls.close)

    def emit(self, batch: Batch[Row]) -> None:
        """Write the last change of each key; where it is refused, the one before it.

        That may be for the table's sake, if it is another by now: then nothing is rejected.
        """
        versions = self._versions(batch)
        changes = [of_key.pop() for of_key in versions.values()]
        while changes:
            refused = self._write(changes)
            if refused and self._look() != self.items.shape:
                raise Fatal(f"{self.table.place}: its key or an index has changed: start again")
            for change, reason in refused:
                batch.reject(change.record, reason)
            changes = [of_key.pop() for change, _ in refused if (of_key := versions[change.key])]

    def _look(self) -> Shape:
        """Ask the table for its key. Raises Fatal."""
        what = f"looking at {self.table.place}"
        try:
            return call(self.retry, what, lambda: self.table.shape(self.table.dynamodb))
        except Failed as failure:
            raise Fatal(str(failure)) from failure

    def _versions(self, batch: Batch[Row]) -> dict[Key, list[Change]]:
        """Return the changes of each key in their order; reject what cannot be one."""
        versions: dict[Key, list[Change]] = {}
        for kept in batch.kept:
            try:
                changes = self.items.changes(kept.record, kept.rows)
            except BAD_DATA as error:
                batch.reject(kept.record, Rejection(error).reason)
                continue
            for change in changes:
                versions.setdefault(change.key, []).append(change)
        return versions

    def _write(self, changes: Sequence[Change]) -> list[tuple[Change, str]]:
        """Write changes of different keys; return those that are refused, and why."""
        refused: list[tuple[Change, str]] = []
        older = 0

        def send(waiting: Sequence[Change]) -> NotTaken:
            nonlocal older
            outcomes = self.writes.send(waiting)
            older += outcomes.count("older")
            refused.extend(
                (change, outcome.reason)
                for change, outcome in zip(waiting, outcomes, strict=True)
                if isinstance(outcome, Refused)
            )
            left = {
                place: outcome
                for place, outcome in enumerate(outcomes)
                if isinstance(outcome, Waiting)
            }
            reasons = tuple(one.reason for one in left.values())
            return NotTaken(tuple(left), reasons, any(one.passes for one in left.values()))

        send_all(self.retry, self.writes.what, changes, send)
        ITEMS.add(len(changes) - len(refused) - older)
        OLDER.add(older)
        if older:
            log.info(
                "%s: what %s held was as new already, or newer",
                self.writes.what,
                counted(older, "key"),
            )
        return refused

    def close(self) -> None:
        """End the connections."""
        self.at_the_end.close()
