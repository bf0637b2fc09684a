"""How KCL spreads leases over hosts that come and go: by its rules, played in memory.

Read in KCL 3.1.3: ``LeaseAssignmentManager``, ``VarianceBasedLeaseAssignmentDecider`` and
``WorkerMetricStats``. The leader alone assigns leases. It goes by the processor's load that each
worker reports, of which a report counts half, and what was before it the other half; each lease of
a host is taken to be as much of its load as the others.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..config.kcl_settings import ASSIGNMENT_INTERVAL, FAILOVER, REPORT_INTERVAL, REPORTS_MISSED
from ..config.setting import Settings

LOCK_SECONDS = 120  # DynamoDBLockBasedLeaderDecider: a leader's lock that nobody renews any more

# The defaults of reBalanceThresholdPercentage, dampeningPercentage, workerMetricsEMAAlpha and
# varianceBalancingFrequency.
THRESHOLD, DAMPENING, NEWEST, EVERY = 0.1, 0.6, 0.5, 3

SETTLED_ROUNDS = 5  # without a move, after which there will be none
MOST_ROUNDS = 2000


class Waits(NamedTuple):
    """Seconds at most until a vanished host's shards are read by others."""

    of_a_host: float
    of_the_leader: float


class Intervals(NamedTuple):
    """KCL's intervals of one pipeline, in seconds."""

    failover: float
    assignment: float
    report: float

    @classmethod
    def of(cls, settings: Settings) -> Intervals:
        """Return those of a file."""
        failover = settings[FAILOVER]
        assignment = settings[ASSIGNMENT_INTERVAL] or 2 * failover
        return cls(failover / 1000, assignment / 1000, settings[REPORT_INTERVAL] / 1000)

    @property
    def round(self) -> float:
        """From one round of balancing to the next."""
        return self.assignment * EVERY

    def waits(self) -> Waits:
        """Return how long shards wait for a new reader.

        The leader sees in one scan that a lease was renewed, and in one after the failover time
        that it was not again. Until the vanished host has missed its reports it is chosen too, and
        then keeps the lease. A worker looks for new leases twice between two scans. A new leader
        waits for the lock, knows nothing at its first scan, and has to wait for its second.
        """
        noticed = self.assignment * (1 + math.ceil(self.failover / self.assignment))
        forgotten = REPORTS_MISSED * self.report + self.assignment
        found = self.assignment / 2
        again = self.assignment * math.ceil(self.failover / self.assignment)
        return Waits(
            max(noticed, forgotten) + found, LOCK_SECONDS + self.assignment + again + found
        )


class Spread(NamedTuple):
    """How leases are spread in the end, and what that took."""

    seconds: float
    """From the first round to the last that moved something."""
    moved: int
    leases: Sequence[int]
    """Of each host."""


def even_out(leases: Sequence[int], intervals: Intervals) -> Spread:
    """Play until nothing moves. ``leases`` are those of each host; of a new one, 0."""
    held = list(leases)
    loads = [float(each) for each in held]
    reported, moved, last = 0.0, 0, 0
    for number in range(MOST_ROUNDS):
        while reported < number * intervals.round:
            reported += intervals.report
            loads = [
                NEWEST * now + (1 - NEWEST) * load for now, load in zip(held, loads, strict=True)
            ]
        moves = list(balanced(held, loads))
        for giver, taker in moves:
            held[giver] -= 1
            held[taker] += 1
        moved += len(moves)
        last = number if moves else last
        if number - last >= SETTLED_ROUNDS:
            break
    return Spread(last * intervals.round, moved, held)


def balanced(held: Sequence[int], loads: Sequence[float]) -> Iterator[tuple[int, int]]:
    """Yield what one round of balancing moves: from which host to which."""
    average = sum(loads) / len(loads)
    share = sum(held) / len(held)
    upper, lower = average * (1 + THRESHOLD), average * (1 - THRESHOLD)
    if all(lower <= load <= upper for load in loads):
        return
    givers = [host for host, load in enumerate(loads) if load >= upper]
    givers = givers or [max(range(len(loads)), key=loads.__getitem__)]
    takes = {host: held[host] * (1 - average / loads[host]) * DAMPENING for host in givers}
    expected = list(loads)
    # Who has most room comes first; of one without any load, KCL takes it to be once its load.
    takers = [(-_room(load, average), host) for host, load in enumerate(loads)]
    heapq.heapify(takers)
    for giver in sorted(takes, key=takes.__getitem__, reverse=True):
        many = max(1, math.ceil(takes[giver]) - 1) if held[giver] else 0
        for _ in range(many):
            if not takers:
                return
            _, taker = heapq.heappop(takers)
            added = expected[taker] + average / share
            if added > average:
                break  # and it gets none of the others' either
            if taker != giver:
                expected[taker] = added
                yield giver, taker
            heapq.heappush(takers, (-_room(expected[taker], average), taker))


def _room(load: float, average: float) -> float:
    return (average - load) / load if load else 1.0
