"""What a metric is: its name, its unit, one sentence about it, and what was gathered of it.

Each is declared once, as a constant of the module that counts it, and shown in the reference if its
destination names it in ``measures``. Gathering is an addition in this process; whoever sends takes
what has come since the last time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar, Literal, NamedTuple

Unit = Literal["count", "bytes", "milliseconds"]

# The values of one time that are kept between two sendings; of more, the rate is told. It is also
# what CloudWatch takes of one metric: …/AmazonCloudWatch/latest/monitoring/
# CloudWatch_Embedded_Metric_Format_Specification.html
MOST_VALUES = 100


class Sample(NamedTuple):
    """What has come of a metric: under one value of its tag, if it has one."""

    tag: str
    values: Sequence[float]
    rate: float = 1.0
    """Which part of all values these are."""


class Metric:
    """One metric. ``tag`` is by what it is told apart, beside application and shard."""

    kind: ClassVar[str]
    declared: ClassVar[dict[str, Metric]] = {}
    """Every metric of this process by its name."""

    def __init__(self, name: str, help: str, unit: Unit = "count", tag: str = "") -> None:  # noqa: A002
        self.name = name
        self.help = help
        self.unit = unit
        self.tag = tag
        Metric.declared[name] = self

    def take(self) -> Iterator[Sample]:
        """Yield what has come since the last time, and begin anew."""
        raise NotImplementedError


class Counter(Metric):
    """Counts what happens."""

    kind = "counter"

    def __init__(self, name: str, help: str, unit: Unit = "count", tag: str = "") -> None:  # noqa: A002
        super().__init__(name, help, unit, tag)
        self._new: dict[str, float] = {}

    def add(self, number: float = 1, tag: str = "") -> None:
        """Count so many more."""
        self._new[tag] = self._new.get(tag, 0) + number

    def take(self) -> Iterator[Sample]:
        """Yield what was counted; nothing of nothing."""
        new, self._new = self._new, {}
        return (Sample(tag, [number]) for tag, number in new.items() if number)


class TimeSpent(Counter):
    """Adds up the time of what happens often, in milliseconds: ``with SPENT: …``, not nested."""

    def __init__(self, name: str, help: str) -> None:  # noqa: A002
        super().__init__(name, help, "milliseconds")
        self._began = 0.0

    def __enter__(self) -> None:
        """Take the time of what is done meanwhile."""
        self._began = time.monotonic()

    def __exit__(self, *_: object) -> None:
        """Add it, also if that failed."""
        self.add((time.monotonic() - self._began) * 1000)


class Gauge(Metric):
    """Says how something stands. Nothing is said until it is known."""

    kind = "gauge"
    read: Callable[[], float | None] = staticmethod(lambda: None)
    """Returns how it stands; whoever knows puts itself here."""

    def set(self, value: float | None) -> None:
        """Let it stand at a value."""
        self.read = lambda: value

    def take(self) -> Iterator[Sample]:
        """Yield how it stands."""
        value = self.read()
        return iter([] if value is None else [Sample("", [value])])


class Timer(Metric):
    """Takes the time of what happens not too often: ``with TIMER: …``, not nested.

    Each time is told, in milliseconds.
    """

    kind = "timer"

    def __init__(self, name: str, help: str) -> None:  # noqa: A002
        super().__init__(name, help, "milliseconds")
        self._began = 0.0
        self._forget()

    def _forget(self) -> None:
        self._values: list[float] = []
        self._count = 0

    def __enter__(self) -> None:
        """Take the time of what is done meanwhile."""
        self._began = time.monotonic()

    def __exit__(self, *_: object) -> None:
        """Keep it, also if that failed."""
        self._count += 1
        if len(self._values) < MOST_VALUES:
            self._values.append((time.monotonic() - self._began) * 1000)

    def take(self) -> Iterator[Sample]:
        """Yield the times taken."""
        values, count = self._values, self._count
        self._forget()
        return iter([Sample("", values, len(values) / count)] if values else [])
