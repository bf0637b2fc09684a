"""Tries again what failed for a passing reason. The only place that does."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import TypeVar

import tenacity

from ..config.keys import BACKOFF_INTERVAL, LONGEST_WAIT, RETRY_LIMIT
from ..config.setting import Settings
from ..errors import Fatal, TakenInPart, Transient
from . import trouble
from .metrics import RETRIES

log = logging.getLogger(__name__)

Result = TypeVar("Result")


class Retry:
    """Calls an action until it succeeds, at most ``limit`` times.

    Waits between the tries grow exponentially from ``interval`` milliseconds, with full jitter.
    While something moves (TakenInPart), both begin anew: only what is in vain counts. Meanwhile
    the KCL keeps the lease: the wait is the back-pressure.

    With ``parent``, the id of the process that must be alive, nothing is tried once that is gone.
    ``service`` is whom it calls, for the metrics.
    """

    def __init__(
        self, limit: int, interval: int, parent: int | None = None, service: str = "other"
    ) -> None:
        self.service = service
        self.limit = limit
        self.interval = interval / 1000
        self._parent = parent

    @classmethod
    def from_settings(cls, settings: Settings, service: str = "other") -> Retry:
        """Take ``retryLimit`` and ``backoffInterval``; the daemon must be alive."""
        return cls(settings[RETRY_LIMIT], settings[BACKOFF_INTERVAL], os.getppid(), service)

    def __call__(self, what: str, action: Callable[[], Result]) -> Result:
        """Return what ``action`` returns.

        Raises Fatal when it raised Transient ``limit`` times in a row, or when the daemon is gone;
        whatever else it raises goes through.
        """

        def attempt() -> Result:
            self._insist_on_parent(what)
            return action()

        try:
            return tenacity.Retrying(
                retry=tenacity.retry_if_exception_type(Transient),
                stop=tenacity.stop_after_attempt(self.limit),
                wait=tenacity.wait_random_exponential(self.interval, LONGEST_WAIT),
                after=_count_anew,
                before_sleep=lambda state: self._report(what, state),
                reraise=True,
            )(attempt)
        except Transient as error:
            raise Fatal(
                f"{what}: given up after {self.limit} tries (retryLimit): {error}"
            ) from error
        finally:
            trouble.over(what)

    def _insist_on_parent(self, what: str) -> None:
        if self._parent not in {None, os.getppid()}:
            # The shard is another process's by now: a record that we write would be a zombie's.
            raise Fatal(f"{what}: the daemon that started this process is gone")

    def _report(self, what: str, state: tenacity.RetryCallState) -> None:
        error = _error_of(state)
        RETRIES.add(1, self.service)
        if isinstance(error, TakenInPart):
            trouble.over(what)
            log.warning("%s: %s", what, error)
        else:
            trouble.failing(what, error)
            log.warning("%s: try %d of %d: %s", what, state.attempt_number, self.limit, error)


def _count_anew(state: tenacity.RetryCallState) -> None:
    if isinstance(_error_of(state), TakenInPart):
        state.attempt_number = 0


def _error_of(state: tenacity.RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


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
            raise Transient(f"{what}: {error}") from error
