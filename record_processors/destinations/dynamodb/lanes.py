"""Several requests at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Generic, TypeVar

from ...errors import Transient

Job = TypeVar("Job")
Result = TypeVar("Result")


class Lanes(Generic[Job, Result]):
    """A few threads, each of which takes one job after the other.

    They only work and return: what happens is logged and decided by the one thread that runs them,
    whose name is what the log calls the process. Nothing goes on once ``run`` has returned.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._threads = ThreadPoolExecutor(count)

    def run(
        self, work: Callable[[Job], Result], jobs: Sequence[Job]
    ) -> list[Result | Transient | None]:
        """Return for each job what ``work`` made of it; None if it was not begun.

        A lane ends at its first Transient, so that a service that is down is tried no more than
        ``count`` times. What else ``work`` raises ends all lanes; then it is
        raised here.
        """
        results: list[Result | Transient | None] = [None] * len(jobs)
        waiting = deque(range(len(jobs)))

        def lane() -> None:
            while True:
                try:
                    place = waiting.popleft()
                except IndexError:
                    return
                try:
                    results[place] = work(jobs[place])
                except Transient as error:
                    results[place] = error
                    return
                except BaseException:
                    waiting.clear()
                    raise

        running = [self._threads.submit(lane) for _ in range(min(self.count, len(jobs)))]
        try:
            wait(running)
        finally:  # also when a signal ends us
            waiting.clear()
            wait(running)
        for one in running:
            one.result()
        return results

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown()
