"""Carries Kinesis streams into S3 and Redshift, each record exactly once.

The words that a user meets first::

    Record -> Transformer -> Filter -> Buffer -> Batch -> Emitter        together: a Pipeline
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .buffer import Batch, Buffer, Kept
    from .dead_letters import DeadLetters
    from .emitters import Emitter
    from .errors import Fatal, Refused, Rejected, Transient
    from .filters import Filter
    from .pipeline import Pipeline
    from .record import Position, Record
    from .retry import Retry
    from .setting import Setting, Settings
    from .transformers import Transformer

# Where each name lives. A module is imported when one of its names is asked for: the child must
# have moved stdout away before anything can print, and should not pay for what it does not use.
_HOME = {
    "Batch": "buffer",
    "Buffer": "buffer",
    "DeadLetters": "dead_letters",
    "Emitter": "emitters",
    "Fatal": "errors",
    "Filter": "filters",
    "Kept": "buffer",
    "Pipeline": "pipeline",
    "Position": "record",
    "Record": "record",
    "Refused": "errors",
    "Rejected": "errors",
    "Retry": "retry",
    "Setting": "setting",
    "Settings": "setting",
    "Transformer": "transformers",
    "Transient": "errors",
}

__all__ = [
    "Batch",
    "Buffer",
    "DeadLetters",
    "Emitter",
    "Fatal",
    "Filter",
    "Kept",
    "Pipeline",
    "Position",
    "Record",
    "Refused",
    "Rejected",
    "Retry",
    "Setting",
    "Settings",
    "Transformer",
    "Transient",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)
