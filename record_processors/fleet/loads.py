"""How often loads go out that wait for each other: played, as there is no formula for it.

Each child gathers files until it has enough, or the first has waited long enough; then it waits for
the lock, loads, and takes nothing meanwhile. What has come by then is in its next load.
"""

from __future__ import annotations

import heapq
from typing import NamedTuple

from ..config.work import Loads

PLAYED_SECONDS = 4 * 3600
SETTLED_SECONDS = 3600  # what is before it is not counted


class Cadence(NamedTuple):
    """How loads go out."""

    an_hour: float
    files: float
    """Of one load."""
    longest: float | None
    """Seconds until a file is loaded, at most; None if more come than can be loaded."""


def play(loads: Loads) -> Cadence:
    """Play some hours. Files come evenly; who has waited longest has the lock next."""
    rate = loads.files / loads.children  # of one child
    taken = [0.0] * loads.children
    # Children that started together would wait for each other for ever.
    ready = [
        (loads.patience * (1 + child / loads.children) + 1 / rate, child)
        for child in range(loads.children)
    ]
    free = 0.0
    count, files, longest = 0, 0.0, 0.0
    while ready and ready[0][0] < PLAYED_SECONDS:
        at, child = heapq.heappop(ready)
        batch = min(loads.most_files, at * rate - taken[child])
        free = end = max(at, free) + loads.lasts
        if at >= SETTLED_SECONDS:
            count += 1
            files += batch
            longest = max(longest, end - (taken[child] + 1) / rate)
        taken[child] += batch
        # The first of the next load has come, or is to come; the last of a full one has, or will.
        first = max(end, (taken[child] + 1) / rate)
        full = max(end, (taken[child] + loads.most_files) / rate)
        heapq.heappush(ready, (min(full, first + loads.patience), child))
    seconds = max(PLAYED_SECONDS, free) - SETTLED_SECONDS
    keeps_up = loads.files * loads.lasts <= loads.most_files
    return Cadence(count / seconds * 3600, files / max(1, count), longest if keeps_up else None)
