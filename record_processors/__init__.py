"""Carries Kinesis streams into S3, Redshift, DynamoDB, OpenSearch and other streams.

The words that a user meets first::

    Record -> Transformer -> Filter -> Buffer -> Batch -> Emitter        together: a Pipeline
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .config.resource import Creatable as Creatable
    from .config.resource import CreatableBySql as CreatableBySql
    from .config.resource import Failed as Failed
    from .config.resource import Finding as Finding
    from .config.resource import Resource as Resource
    from .config.setting import Setting as Setting
    from .config.setting import Settings as Settings
    from .errors import Fatal as Fatal
    from .errors import Rejected as Rejected
    from .errors import Rejection as Rejection
    from .errors import Transient as Transient
    from .errors import Unavailable as Unavailable
    from .events import Event as Event
    from .flow.batch import Batch as Batch
    from .flow.batch import Kept as Kept
    from .flow.buffer import Buffer as Buffer
    from .flow.dead_letters import DeadLetters as DeadLetters
    from .flow.emitter import Emitter as Emitter
    from .flow.filter import Filter as Filter
    from .flow.pipeline import Pipeline as Pipeline
    from .flow.record import Position as Position
    from .flow.record import Record as Record
    from .flow.retry import Retry as Retry
    from .flow.transformer import Transformer as Transformer

# A module is imported when one of its names is asked for: the child must have moved stdout away
# before anything can print, and should not pay for what it does not use.
_NAMES = {
    "config.resource": "Creatable CreatableBySql Failed Finding Resource",
    "config.setting": "Setting Settings",
    "errors": "Fatal Rejected Rejection Transient Unavailable",
    "events": "Event",
    "flow.batch": "Batch Kept",
    "flow.buffer": "Buffer",
    "flow.dead_letters": "DeadLetters",
    "flow.emitter": "Emitter",
    "flow.filter": "Filter",
    "flow.pipeline": "Pipeline",
    "flow.record": "Position Record",
    "flow.retry": "Retry",
    "flow.transformer": "Transformer",
}
_HOME = {name: module for module, names in _NAMES.items() for name in names.split()}

__all__ = sorted(_HOME)  # noqa: PLE0605 - its names are those above


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)
