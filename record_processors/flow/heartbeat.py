"""What a process does now and then as long as it lives: it sends its metrics, says that it is well.

Also while a batch takes long: whoever makes the process wait, or has waited, beats.
"""

from __future__ import annotations

from collections.abc import Callable

at_each: list[Callable[[], None]] = []
"""What each beat calls. Each knows itself whether it is time, and raises nothing."""
at_the_end: list[Callable[[], None]] = []
"""What is called once, after the last one, however the process ends."""


def beat() -> None:
    """Say that the process lives."""
    for each in at_each:
        each()


def end() -> None:
    """Say that it ends."""
    at_each.clear()
    while at_the_end:
        at_the_end.pop()()
