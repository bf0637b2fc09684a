"""``amazon_kclpy``'s loop, with the traps of its messages closed."""

from __future__ import annotations

import json
import sys
from typing import TextIO

from amazon_kclpy import dispatch, kcl, messages

from .errors import Fatal
from .processor import RecordProcessor, crash_boundary


def serve(processor: RecordProcessor, source: TextIO, sink: TextIO) -> None:
    """Read the daemon's messages from ``source`` and answer on ``sink`` until the input ends."""
    with crash_boundary("the daemon's messages"):
        loop = kcl.KCLProcess(processor, source, sink, sys.stderr)
        loop.io_handler.load_action = load_action
        loop.run()


def load_action(line: str) -> object:
    """Decode one message of the daemon, as ``amazon_kclpy`` would.

    Raises Fatal at the end of input, which is only decoded when an answer is awaited, and for what
    is no message.
    """
    if not line:
        raise Fatal("the daemon is gone, and with it the answer to a checkpoint")
    try:
        action = json.loads(line, object_hook=_decode)
    except (ValueError, LookupError, TypeError, dispatch.MalformedAction) as error:
        raise Fatal(f"the daemon sent no message of its protocol: {error!r}") from error
    if not isinstance(action, (messages.MessageDispatcher, messages.CheckpointInput)):
        raise Fatal(f"the daemon sent no message of its protocol, but {type(action).__name__}")
    return action


def _decode(found: dict[str, object]) -> object:
    if found.get("approximateArrivalTimestamp", 0) is None:
        found["approximateArrivalTimestamp"] = 0  # amazon_kclpy cannot read None
    return dispatch.message_decode(found)
