"""Changes on their way to the table: each behind its condition, or 25 at once without."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import msgspec

from ...aws.failures import ConditionFailed, classified
from ...aws.findings import code_of
from ...errors import Transient, Unavailable
from .items import Change, Item, Key

if TYPE_CHECKING:
    from ...aws.json_calls import Answer, Calls

LANES = 16  # requests at once

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
    """The change is to be sent again, and why; whether that passes by itself."""

    reason: str
    passes: bool


Answers: TypeAlias = "Iterable[tuple[int, Answer | Exception]]"  # of which request, and what
Call = list[tuple[Key, msgspec.Raw]]
Outcome = Literal["written", "older"] | Refused | Waiting

NOT_BEGUN = Waiting("nothing, as others failed before it", passes=False)  # theirs counts
UNPROCESSED = Waiting("UnprocessedItems", passes=True)  # throttled


class Writes(ABC):
    """Sends changes of different keys, in any order."""

    def __init__(self, calls: Calls, table: str) -> None:
        self.calls = calls
        self.table = table
        self.what = f"writing to {table}"

    @abstractmethod
    def send(self, changes: Sequence[Change]) -> Sequence[Outcome]:
        """Return what became of each; all have an end when it returns. Raises Transient, Fatal."""

    @contextmanager
    def answers(self, operation: str, requests: Iterable[object]) -> Iterator[Answers]:
        """Send requests; on the way out all that were begun have an end. Raises Transient, Fatal.

        The credentials are those of this moment.
        """
        with classified(self.what):
            signer = self.calls.signer()
        bodies = map(msgspec.json.encode, requests)
        with closing(self.calls.each(self.what, signer, operation, bodies)) as answers:
            yield answers


class Guarded(Writes):
    """Puts each item unless what is there is as new, or newer."""

    def __init__(self, calls: Calls, table: str, guard: str) -> None:
        super().__init__(calls, table)
        self.guard = guard

    def send(self, changes: Sequence[Change]) -> Sequence[Outcome]:
        """Put one a call."""
        found: list[Outcome] = [NOT_BEGUN] * len(changes)
        with self.answers("PutItem", map(self._put, changes)) as answers:
            for place, answer in answers:
                found[place] = _outcome(answer)
        return found

    def _put(self, change: Change) -> object:
        return {
            "TableName": self.table,
            "Item": change.item,
            "ConditionExpression": "attribute_not_exists(#p) OR #p < :p",
            "ExpressionAttributeNames": {"#p": self.guard},
            "ExpressionAttributeValues": {":p": change.position},
        }


def _outcome(answer: Answer | Exception) -> Outcome:
    """Return what an answer says of all that was sent. Raises Fatal."""
    if isinstance(answer, ConditionFailed):
        return "older"
    if isinstance(answer, Transient):
        return Waiting(str(answer), isinstance(answer, Unavailable))
    if isinstance(answer, Exception):
        if code_of(answer.__cause__) in OF_ONE_ITEM:
            return Refused(str(answer))
        raise answer
    return "written"


class Batched(Writes):
    """Puts and deletes as they come, many a call: who writes last, wins."""

    def __init__(self, calls: Calls, table: str, key_of: Callable[[Item], Key]) -> None:
        super().__init__(calls, table)
        self.key_of = key_of

    def send(self, changes: Sequence[Change]) -> Sequence[Outcome]:
        """Send calls; then halves of those that DynamoDB refused, until it is for one change."""
        found: dict[Key, Outcome] = {}
        calls = list(_calls([(change.key, _request(change)) for change in changes]))
        while calls:
            calls = [half for call in self._refused(calls, found) for half in _halves(call)]
        return [found.get(change.key, NOT_BEGUN) for change in changes]

    def _refused(self, calls: Sequence[Call], found: dict[Key, Outcome]) -> list[Call]:
        """Send calls, and enter what became of their changes; return those to be sent in halves."""
        requests = ({"RequestItems": {self.table: [raw for _, raw in call]}} for call in calls)
        refused = []
        with self.answers("BatchWriteItem", requests) as answers:
            for place, answer in answers:
                call, outcome = calls[place], _outcome(answer)
                if isinstance(outcome, Refused) and len(call) > 1:
                    refused.append(call)
                    continue
                found |= {key: outcome for key, _ in call}
                if isinstance(answer, dict) and (left := answer.get("UnprocessedItems")):
                    found |= {self.key_of(_item_of(one)): UNPROCESSED for one in left[self.table]}
        return refused


def _halves(call: Call) -> tuple[Call, Call]:
    half = len(call) // 2
    return call[:half], call[half:]


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


def _calls(requests: Sequence[tuple[Key, msgspec.Raw]]) -> Iterator[Call]:
    """Cut requests into what one call takes; a kilobyte is left for what is around them."""
    call: Call = []
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
