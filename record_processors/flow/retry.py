"""Tries again what failed for a passing reason. The only place that does."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, ClassVar, TypeVar

import tenacity

from ..config.keys import BACKOFF_INTERVAL, LONGEST_WAIT, OUTAGE_PATIENCE, RETRY_LIMIT
from ..config.setting import Settings
from ..errors import Fatal, TakenInPart, Transient, Unavailable
from ..events import OUTAGE, OUTAGE_OVER, PAUSED, TRIED_AGAIN, Event
from . import trouble
from .metrics import RETRIES

log = logging.getLogger(__name__)

Result = TypeVar("Result")

SECONDS_BETWEEN = 60.0  # two lines of one outage


class Retry:
    """Calls an action until it succeeds, at most ``limit`` times.

    What is Unavailable is tried for ``patience`` seconds at least, however often that is. Waits
    between the tries grow exponentially from ``interval`` milliseconds, with full jitter. While
    something moves (TakenInPart), all that begins anew: only what is in vain counts. Meanwhile the
    KCL keeps the lease: the wait is the back-pressure.

    With ``parent``, the id of the process that must be alive, nothing is tried once that is gone.
    ``service`` is whom it calls, for the metrics; no wait is longer than ``longest`` seconds.
    """

    daemon: ClassVar[int | None] = None
    """The id of the daemon that this process is a child of; None in a command of its own."""

    def __init__(
        self,
        limit: int,
        interval: int,
        parent: int | None = None,
        patience: float = 0,
        service: str = "other",
        longest: float = LONGEST_WAIT,
    ) -> None:
        self.service = service
        self.limit = limit
        self.interval = interval / 1000
        self.longest = longest
        self.patience = patience
        self._parent = parent

    @classmethod
    def from_settings(cls, settings: Settings, service: str = "other") -> Retry:
        """Take ``retryLimit``, ``backoffInterval``, ``outagePatience``; ``daemon`` must live."""
        limit, interval = settings[RETRY_LIMIT], settings[BACKOFF_INTERVAL]
        return cls(limit, interval, cls.daemon, settings[OUTAGE_PATIENCE], service)

    def __call__(self, what: str, action: Callable[[], Result]) -> Result:
        """Return what ``action`` returns.

        Raises Fatal when it raised Transient too often or for too long, or when the daemon is gone;
        whatever else it raises goes through.
        """
        failures = Failures(what, self.service, self.limit, self.patience)

        def attempt() -> Result:
            self._insist_on_parent(what)
            return action()

        try:
            result = tenacity.Retrying(
                retry=tenacity.retry_if_exception_type(Transient),
                stop=failures.are_final,
                wait=tenacity.wait_random_exponential(self.interval, self.longest),
                after=failures.add,
                before_sleep=failures.report,
                reraise=True,
            )(attempt)
        except Transient as error:
            raise Fatal(failures.given_up(error)) from error
        finally:
            trouble.over(what)
        failures.end()
        return result

    def pause(self, what: str, end: Callable[[], datetime | None]) -> None:
        """Wait on purpose, until ``end`` returns None instead of when the pause will end."""
        told = None
        try:
            while (until := end()) is not None:
                self._insist_on_parent(what)
                trouble.pause(until)
                if until != told:
                    fields = PAUSED.of(what=what, until=f"{until:%Y-%m-%dT%H:%M:%SZ}")
                    said = "%s: pauses until %s", what, f"{until:%Y-%m-%d %H:%M:%SZ}"
                    log.info(*said, extra=fields)
                told = until
                tenacity.nap.sleep(LONGEST_WAIT)
        finally:
            if told is not None:
                trouble.pause(None)

    def _insist_on_parent(self, what: str) -> None:
        if self._parent not in {None, os.getppid()}:
            # The shard is another process's by now: a record that we write would be a zombie's.
            raise Fatal(f"{what}: the daemon that started this process is gone")


class Failures:
    """What failed of one call since something moved last; of its tries, tenacity keeps the count.

    The log tells of each until there were ``limit``, then of one a minute.
    """

    def __init__(self, what: str, service: str, limit: int, patience: float) -> None:
        self.what = what
        self.service = service
        self.limit = limit
        self.patience = patience
        self.others = 0  # than Unavailable
        self.seconds = 0.0
        self._told_at = 0.0  # of ``seconds``

    def add(self, state: tenacity.RetryCallState) -> None:
        """Count one more, or begin anew."""
        error = _error_of(state)
        if isinstance(error, TakenInPart):
            state.attempt_number, state.start_time, state.idle_for = 0, time.monotonic(), 0.0
            self.others, self._told_at = 0, 0.0
        elif not isinstance(error, Unavailable):
            self.others += 1
        self.seconds = max(state.seconds_since_start or 0.0, state.idle_for)

    def are_final(self, state: tenacity.RetryCallState) -> bool:
        """Whether the last one was one too many."""
        if isinstance(_error_of(state), Unavailable):
            return state.attempt_number >= self.limit and self.seconds >= self.patience
        return self.others >= self.limit

    def report(self, state: tenacity.RetryCallState) -> None:
        """Tell of the last one, which is to be tried again."""
        error, tries = _error_of(state), state.attempt_number
        RETRIES.add(1, self.service)
        if isinstance(error, TakenInPart):
            trouble.over(self.what)
            log.warning("%s: %s", self.what, error, extra=self._of(TRIED_AGAIN, state))
            return
        trouble.failing(self.what, error)
        if not isinstance(error, Unavailable) or self.seconds >= self.patience:
            log.warning(
                *("%s: try %d of %d: %s", self.what, tries, self.limit, error),
                extra=self._of(TRIED_AGAIN, state),
            )
        elif tries < self.limit:
            log.warning(
                *("%s: try %d: %s", self.what, tries, error), extra=self._of(TRIED_AGAIN, state)
            )
        elif self.seconds - self._told_at >= SECONDS_BETWEEN:
            self._told_at = self.seconds
            log.warning(
                "%s: fails since %s, %d tries: %s; it is tried until %s (outagePatience)",
                *(self.what, _time(-self.seconds), tries, error),
                _time(self.patience - self.seconds),
                extra=self._of(OUTAGE, state),
            )

    def end(self) -> None:
        """Tell that it goes on, if it was told that it does not."""
        if self._told_at:
            fields = OUTAGE_OVER.of(what=self.what, seconds=int(self.seconds))
            log.warning(
                "%s: goes on, after %d minutes", *(self.what, self.seconds // 60), extra=fields
            )

    def _of(self, event: Event, state: tenacity.RetryCallState) -> Mapping[str, Any]:
        error, tries = str(_error_of(state)), state.attempt_number
        return event.of(what=self.what, error=error, tries=tries, seconds=int(self.seconds))

    def given_up(self, error: Transient) -> str:
        """Return the sentence that ends the process."""
        spent = f"{self.limit} tries (retryLimit)"
        if isinstance(error, Unavailable) and self.patience:
            spent = f"{self.seconds:.0f} seconds (outagePatience)"
        return f"{self.what}: given up after {spent}: {error}"


def _error_of(state: tenacity.RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


def _time(seconds: float) -> str:
    """Return the time of day, in UTC, so many seconds from now."""
    return f"{datetime.now(timezone.utc) + timedelta(seconds=seconds):%H:%M:%SZ}"


class Once(Retry):
    """A single try: for a part of an action that is itself tried again as a whole.

    What it raises goes through, Transient too, which then says what was tried.
    """

    def __init__(self) -> None:
        super().__init__(1, 0)

    def __call__(self, what: str, action: Callable[[], Result]) -> Result:
        """Return what ``action`` returns."""
        try:
            return action()
        except Transient as error:
            raise type(error)(f"{what}: {error}") from error
