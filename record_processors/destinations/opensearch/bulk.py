"""Sends documents by ``_bulk``, as many at once as a request should hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from ...errors import Transient, counted
from ...flow.batch import Batch
from ...flow.in_part import NotTaken, send_all
from ...flow.retry import Retry
from .client import Client
from .documents import Item
from .errors import Cause, TooLarge, fate_of, passing

# AWS's smaller hosts take 10 MiB, all others 100: docs.aws.amazon.com/opensearch-service/latest/
# developerguide/limits.html#network-limits. OpenSearch likes 5 to 15: docs.opensearch.org/latest/
# tuning-your-cluster/performance, of bulk requests.
BYTES_A_CALL = 5 * 1024 * 1024
# Of its answer, what is looked at. An item without an error must keep its place.
ANSWER = "items.*.status,items.*.error"


class Result(msgspec.Struct):
    """What became of one item."""

    status: int
    error: Cause = msgspec.field(default_factory=Cause)


class Bulk:
    """The documents of one index."""

    def __init__(self, client: Client, index: str, retry: Retry) -> None:
        self.client = client
        self.index = index
        self.retry = retry
        self.what = f"writing to {index} at {client.url}"

    def send(self, items: Iterable[Item], batch: Batch[bytes]) -> None:
        """Send every item, what is busy again, until each is there or rejected. Raises Fatal."""

        def send(waiting: Sequence[Item]) -> NotTaken:
            return self._send(waiting, batch)

        for part in parts(items):
            send_all(self.retry, self.what, part, send)

    def _send(self, items: Sequence[Item], batch: Batch[bytes]) -> NotTaken:
        """Send the items once, in halves if they are too much at once."""
        try:
            results = self._request(items)
        except TooLarge:
            if len(items) == 1:
                size = counted(len(items[0].lines), "byte")
                batch.reject(items[0].record, f"OpenSearch takes no request of {size} (413)")
                return NotTaken((), ())
            half = len(items) // 2
            first, second = (self._send(some, batch) for some in (items[:half], items[half:]))
            places = [*first.places, *(half + place for place in second.places)]
            return NotTaken(places, [*first.reasons, *second.reasons])
        places, reasons = [], []
        for place, (item, result) in enumerate(zip(items, results, strict=True)):
            fate = fate_of(result.status, result.error, self.index)
            if fate == "again":
                places.append(place)
                reasons.append(passing(result.error))
            elif fate == "refused":
                batch.reject(item.record, str(result.error))
        return NotTaken(places, reasons)

    def _request(self, items: Sequence[Item]) -> Sequence[Result]:
        body = b"".join([item.lines for item in items])
        answer = self.client.request(
            self.what, "POST", f"/{self.index}/_bulk", {"filter_path": ANSWER}, body
        )
        try:
            told = msgspec.convert(answer["items"], list[dict[str, Result]])
            results = [result for one in told for result in one.values()]
        except (TypeError, KeyError, msgspec.ValidationError) as error:
            raise Transient(f"an answer that is not OpenSearch's: {error}") from error
        if len(results) != len(items):
            raise Transient(f"an answer of {len(results)} results for {len(items)} documents")
        return results


def parts(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Cut items into what one request should hold; one that is larger goes alone."""
    part: list[Item] = []
    size = 0
    for item in items:
        if part and size + len(item.lines) > BYTES_A_CALL:
            yield part
            part, size = [], 0
        part.append(item)
        size += len(item.lines)
    if part:
        yield part
