"""The log of a child, on standard error: lines for people, or objects of JSON for machines."""

from __future__ import annotations

import logging
import sys
import threading
import time

TIME = "%Y-%m-%dT%H:%M:%S"


class OneLine(logging.Formatter):
    """One line for an event, whatever a record holds that it tells of; tracebacks come behind."""

    converter = staticmethod(time.gmtime)

    def __init__(self) -> None:
        super().__init__(
            "%(asctime)s.%(msecs)03dZ %(levelname)-5s %(threadName)s - %(message)s", TIME
        )

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the library's name
        """Write line breaks as escapes: no record's text must look like a line of ours."""
        record.message = record.message.replace("\r", "\\r").replace("\n", "\\n")
        return super().formatMessage(record)


class OneObject(logging.Formatter):
    """The same as an object of JSON: beside the message, the event's name and its fields."""

    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        """Return one line; a traceback is a text in it."""
        import msgspec  # noqa: PLC0415 - after the protocol's pipes are out of reach

        application, _, shard = (record.threadName or "").partition(" ")
        told = {
            "time": f"{self.formatTime(record, TIME)}.{record.msecs:03.0f}Z",
            "level": record.levelname,
            "application": application,
            "shard": shard,
            "event": getattr(record, "event", ""),
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
            "traceback": self.formatException(record.exc_info) if record.exc_info else "",
        }
        present = {name: _text(value) for name, value in told.items() if value or value == 0}
        return msgspec.json.encode(present).decode()


def log_to_stderr(name: str) -> None:
    """Log one line per event, in UTC; ``name`` stands in it until the shard's does.

    The one thread's name is what tells the lines of the children apart: see ``initialize``.
    """
    threading.current_thread().name = name
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.addLevelName(logging.WARNING, "WARN")  # as the daemon writes it
    logging.addLevelName(logging.CRITICAL, "FATAL")
    logging.getLogger("botocore").setLevel(logging.WARNING)


def log_as(log_format: str) -> None:
    """Go on as ``logFormat`` says."""
    if log_format == "json":
        for handler in logging.getLogger().handlers:
            handler.setFormatter(OneObject())


def _text(value: object) -> object:
    """Return a value that JSON has; half of a surrogate pair, which UTF-8 lacks, as an escape."""
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    return value if isinstance(value, (int, float, list)) else str(value)
