"""What the demonstration prints: a line for each thing that happened."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


def say(label: str, text: str, seconds: float | None = None) -> None:
    """Print one line of what happened."""
    took = "" if seconds is None else f"{seconds:5.0f} s"
    print(f"{label:<11} {text:<100} {took}".rstrip(), flush=True)


@contextmanager
def saying(label: str) -> Iterator[list[str]]:
    """Print a line, with how long it took, of what the body puts into the list.

    A terminal shows meanwhile that the body is at work.
    """
    if sys.stdout.isatty():
        print(f"{label:<11} …", end="\r", flush=True)
    began, told = time.monotonic(), list[str]()
    yield told
    say(label, " · ".join(told), time.monotonic() - began)
