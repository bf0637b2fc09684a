"""The daemon's messages, decoded by msgspec, with the traps of ``amazon_kclpy``'s closed."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from amazon_kclpy import dispatch, messages

from ..errors import Fatal
from ..flow.record import Record


class _Call(msgspec.Struct, tag_field="action", tag="processRecords", rename="camel"):
    """The one message that is long: the records with their bytes, decoded in one step."""

    records: list[Record]
    millis_behind_latest: int | None = None


class ProcessRecords(messages.ProcessRecordsInput):  # type: ignore[misc]
    """``amazon_kclpy``'s input of ``process_records``, with the records as we have them."""

    def __init__(self, call: _Call) -> None:
        super().__init__(
            {
                "action": "processRecords",
                "records": call.records,
                "millisBehindLatest": call.millis_behind_latest,
            }
        )

    @property
    def delivered(self) -> Sequence[Record]:
        """The records, for processors of ours."""
        return self._records  # type: ignore[no-any-return]

    @property
    def records(self) -> list[messages.Record]:
        """The records as ``amazon_kclpy`` has them, for any other processor."""
        return list(map(_as_amazon_kclpy_has_it, self._records))


def _as_amazon_kclpy_has_it(record: Record) -> messages.Record:
    fields = msgspec.json.decode(msgspec.json.encode(record))  # its bytes in base64 again
    return messages.Record(
        {**fields, "action": "record", "approximateArrivalTimestamp": record.arrival}
    )


_RECORDS = msgspec.json.Decoder(_Call)
_ANY = msgspec.json.Decoder(dict[str, object])


def load_action(line: bytes | memoryview) -> object:
    """Decode one message of the daemon.

    Raises Fatal at the end of input, which is only decoded when an answer is awaited, and for what
    is no message.
    """
    if not line:
        raise Fatal("the daemon is gone, and with it the answer to a checkpoint")
    try:
        return ProcessRecords(_RECORDS.decode(line))
    except msgspec.ValidationError as error:
        return _load_other(line, error)
    except ValueError as error:
        raise Fatal(f"the daemon sent no message of its protocol: {error}") from error


def _load_other(line: bytes | memoryview, error: msgspec.ValidationError) -> object:
    """Decode what is no delivery of records, as ``amazon_kclpy`` would."""
    try:
        action = dispatch.message_decode(_ANY.decode(line))
    except (ValueError, LookupError, TypeError, dispatch.MalformedAction) as other:
        raise Fatal(f"the daemon sent no message of its protocol: {other!r}") from other
    if isinstance(action, messages.ProcessRecordsInput):
        raise Fatal(f"the daemon sent records that are none: {error}")
    if not isinstance(action, (messages.MessageDispatcher, messages.CheckpointInput)):
        raise Fatal(f"the daemon sent no message of its protocol, but {type(action).__name__}")
    return action
