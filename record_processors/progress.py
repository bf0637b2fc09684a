"""One line that tells how far long work has come."""

from __future__ import annotations

import sys
import time
from typing import TextIO

BAR = 28  # characters


class Progress:
    """Rewrites its line on a terminal; elsewhere, prints one now and then."""

    def __init__(self, label: str, what: str, total: int | None, out: TextIO = sys.stdout) -> None:
        self.label = label
        self.what = what
        self.total = total
        self.out = out
        self.pause = 0.2 if out.isatty() else 10.0
        self.done = 0
        self.started = self._shown = time.monotonic()

    def __call__(self, done: int) -> None:
        """Show that ``done`` are done, unless something was shown a moment ago."""
        self.done = done
        if time.monotonic() - self._shown >= self.pause:
            self._show(done, "\r" if self.out.isatty() else "\n")

    def finish(self, done: int) -> None:
        """Show the end of it."""
        self._show(done, "\n")

    def _show(self, done: int, end: str) -> None:
        self._shown = time.monotonic()
        seconds = self._shown - self.started
        rate = f"{done / seconds:,.0f}/s" if seconds > 0 else ""
        part = min(done / self.total, 1.0) if self.total else 0.0
        bar = f" {'━' * int(BAR * part):<{BAR}} {part:4.0%}" if self.total else ""
        line = f"{self.label:<11} {done:,} {self.what}{bar} {rate:>9}"
        self.out.write(f"{line:<112} {seconds:5.0f} s{end}")
        self.out.flush()
