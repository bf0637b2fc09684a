"""The extras of the package: libraries that only some commands and destinations need."""

from __future__ import annotations

from importlib.util import find_spec

from .errors import Fatal


def missing(extra: str, *modules: str) -> str:
    """Return what to say if a module of an extra is not installed; "" if all are."""
    absent = [name for name in modules if find_spec(name) is None]
    if not absent:
        return ""
    return f"{absent[0]} is not installed; pip install 'kinesis-connectors[{extra}]'"


def insist_on(extra: str, *modules: str) -> None:
    """Raise Fatal if a module of an extra is not installed."""
    if sentence := missing(extra, *modules):
        raise Fatal(sentence)
