"""Changes on their way to the table: each behind its condition, or 25 at once without."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import msgspec

from ...aws.failures import ConditionFailed, classified
from ...aws.findings import code_of
from ...aws.json_calls import Calls, Signer
from ...errors import Fatal, Transient
from .items import Change, Item, Key
from .lanes import Lanes

# With answers after 5 ms, 16 threads wrote more a second than 8 did, and 32 no more than 16: by
# then it is the one CPU of the process that they wait for.
LANES = 16

# docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
CHANGES_A_CALL = 25
BYTES_A_CALL = 16 * 1024 * 1024

# What DynamoDB refuses for the sake of one item:
# docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
OF_ONE_ITEM = frozenset({"ItemCollectionSizeLimitExceededException", "ValidationException"})


class Refused(NamedTuple):
    """DynamoDB never takes the change, and why."""

    reason: str


class Waiting(NamedTuple):
    """The change is to be sent again, and why."""

    reason: str


Outcome = Literal["written", "older"] | Refused | Waiting

NOT_BEGUN = Waiting("nothing, as others failed before it")
UNPROCESSED = Waiting("UnprocessedItems")


class Writes(ABC):
    """Sends changes of different keys, in any order."""

    def __init__(self, calls: Calls, table: str) -> None:
        self.calls = calls
        self.table = table
        self.what = f"writing to {table}"

    @abstractmethod
    def send(self, changes: Sequence[Change]) -> Sequence[Outcome]:
        """Return what became of each; all have an end when it returns. Raises Fatal."""

    @abstractmethod
    def close(self) -> None:
        """End threads and connections."""

    def signer(self) -> Signer:
        """Return what signs with the credentials of this moment. Raises Transient, Fatal."""
        with classified(self.what):
            return self.calls.signer()

    def call(self, signer: Signer, operation: str, request: object) -> dict[str, Any]:
        """Call DynamoDB. Raises Transient, Fatal, ConditionFailed, and ItemRefused."""
        try:
            with classified(self.what):
                return self.calls(signer, operation, msgspec.json.encode(request))
        except Fatal as error:
            if code_of(error.__cause__) in OF_ONE_ITEM:
                raise ItemRefused(str(error)) from error
            raise


class ItemRefused(Exception):
    """DynamoDB refuses an item of a request."""


class Guarded(Writes):
    """Puts each item unless what is there is as new, or newer."""

    def __init__(self, calls: Calls, table: str, guard: str) -> None:
        super().__init__(calls, table)
        self.guard = guard
        self.lanes: Lanes[Change, Outcome] = Lanes(LANES)

    def send(self, changes: Sequence[Change]) -> Sequence[Outcome]:
        """Put several at once."""
        signer = self.signer()
        results = self.lanes.run(lambda change: self._put(signer, change), changes)
        return [_outcome(result) for result in results]

    def _put(self, signer: Signer, change: Change) -> Outcome:
        request = {
            "TableName": self.table,
            "Item": change.item,
            "ConditionExpression": "attribute_not_exists(#p) OR #p < :p",
            "ExpressionAttributeNames": {"#p": self.guard},
            "ExpressionAttributeValues": {":p": change.position},
        }
        try:
            self.call(signer, "PutItem", request)
        except ConditionFailed:
            return "older"
        except ItemRefused as error:
            return Refused(str(error))
        return "written"

    def close(self) -> None:
        """End threads and connections."""
        self.lanes.close()
        self.calls.close()


def _outcome(result: Outcome | Transient | None) -> Outcome:
    if isinstance(result, Transient):
        return Waiting(str(result))
    return NOT_BEGUN if result is None else result


class Batched(Writes):
    """Puts and deletes as they come, many a call: who writes last, wins."""

    def __init__(self, calls: Calls, table: str, key_of: Callable[[Item], Key]) -> None:
        super().__init__(calls, table)
        self.key_of = key_of

    def send(self, changes: Sequence[Change]) -> Sequence[Outcome]:
        """Send one call after the other; after one that failed, no more."""
        signer = self.signer()
        found: dict[Key, Outcome] = {}
        try:
            for call in _calls([(change.key, _request(change)) for change in changes]):
                found |= self._sent(signer, call)
        except Transient as error:
            return [found.get(change.key, Waiting(str(error))) for change in changes]
        return [found[change.key] for change in changes]

    def _sent(self, signer: Signer, call: Sequence[tuple[Key, msgspec.Raw]]) -> dict[Key, Outcome]:
        """Send one call; halves of it, if DynamoDB refuses all for the sake of one."""
        request = {"RequestItems": {self.table: [raw for _, raw in call]}}
        try:
            answer = self.call(signer, "BatchWriteItem", request)
        except ItemRefused as error:
            if len(call) == 1:
                return {call[0][0]: Refused(str(error))}
            half = len(call) // 2
            return self._sent(signer, call[:half]) | self._sent(signer, call[half:])
        left = answer.get("UnprocessedItems", {}).get(self.table, [])
        found: dict[Key, Outcome] = {key: "written" for key, _ in call}
        return found | {self.key_of(_item_of(one)): UNPROCESSED for one in left}

    def close(self) -> None:
        """End the connections."""
        self.calls.close()


def _request(change: Change) -> msgspec.Raw:
    request = (
        {"DeleteRequest": {"Key": change.item}}
        if change.deletes
        else {"PutRequest": {"Item": change.item}}
    )
    return msgspec.Raw(msgspec.json.encode(request))


def _item_of(request: Mapping[str, Any]) -> Item:
    found: Item = (
        request["PutRequest"]["Item"]
        if "PutRequest" in request
        else (request["DeleteRequest"]["Key"])
    )
    return found


def _calls(
    requests: Sequence[tuple[Key, msgspec.Raw]],
) -> Iterator[list[tuple[Key, msgspec.Raw]]]:
    """Cut requests into what one call takes; a kilobyte is left for what is around them."""
    call: list[tuple[Key, msgspec.Raw]] = []
    size = 1024
    for key, raw in requests:
        length = len(bytes(raw)) + 1
        if call and (len(call) == CHANGES_A_CALL or size + length > BYTES_A_CALL):
            yield call
            call, size = [], 1024
        call.append((key, raw))
        size += length
    if call:
        yield call
