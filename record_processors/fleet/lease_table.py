"""What KCL reads and writes in DynamoDB, by its intervals.

Read in KCL 3.1.3: ``DynamoDBLeaseCoordinator`` (each worker renews each of its leases, and asks the
index for leases that were given to it), ``LeaseAssignmentManager`` (the leader alone scans the
leases, and what all workers say of themselves), ``PeriodicShardSyncManager`` (the leader scans the
leases once more), ``DynamoDBLockBasedLeaderDecider`` (the others look who leads). A checkpoint is
one write of its lease. No scan is consistent; the look at the lock is.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from ..aws.prices import (
    MILLION_DYNAMODB_READS,
    MILLION_DYNAMODB_WRITES,
    MONTH_SECONDS,
    NEW_TABLE_WRITES,
    READ_UNIT_BYTES,
)
from ..config.kcl_settings import ASSIGNMENT_INTERVAL, FAILOVER, REPORT_INTERVAL
from ..config.setting import Settings
from ..config.work import Limit

EPSILON_MILLIS = 25
AUDIT_SECONDS = 120
HEARTBEAT_SECONDS = 30  # of the leader's lock

LEASE_BYTES = 500
KEYS_BYTES = 100  # of a lease in the index
WORKER_BYTES = 500
EVENTUALLY = 0.5  # of a unit, for a read that need not be consistent


class LeaseTable(NamedTuple):
    """Units of reads and writes a second, of an application's three tables together."""

    renewals: float
    checkpoints: float
    reports: float
    """Of workers and of the leader, that they live."""
    reads: float

    @property
    def writes(self) -> float:
        """All writes."""
        return self.renewals + self.checkpoints + self.reports

    @property
    def dollars_a_month(self) -> float:
        """What they cost, on demand."""
        millions = MONTH_SECONDS / 1e6
        return millions * (
            self.writes * MILLION_DYNAMODB_WRITES + self.reads * MILLION_DYNAMODB_READS
        )

    def limit(self, name: str) -> Limit:
        """Return how much of a new table it takes."""
        return Limit(
            f"writes a second of a new lease table ({name})",
            self.renewals + self.checkpoints,
            NEW_TABLE_WRITES,
            "raise failoverTimeMillis: leases are renewed three times in it; or the table's warm "
            "throughput; or read the stream by two applications, each with a filter",
            "docs.aws.amazon.com/amazondynamodb/latest/developerguide/warm-throughput.html",
        )


def lease_table(settings: Settings, shards: int, checkpoints: float, hosts: int) -> LeaseTable:
    """Return what an application does with so many shards, checkpoints a second, and hosts."""
    failover = settings[FAILOVER]
    assignment = (settings[ASSIGNMENT_INTERVAL] or 2 * failover) / 1000
    report = settings[REPORT_INTERVAL] / 1000
    scan = _units(shards * LEASE_BYTES)
    of_one = _units(math.ceil(shards / hosts) * KEYS_BYTES)
    return LeaseTable(
        renewals=shards / (failover / 3 - EPSILON_MILLIS) * 1000,
        checkpoints=checkpoints,
        reports=hosts / report + 1 / HEARTBEAT_SECONDS,
        reads=scan / assignment
        + scan / AUDIT_SECONDS
        + _units(hosts * WORKER_BYTES) / assignment
        + hosts * of_one / (assignment / 2 - EPSILON_MILLIS / 1000)
        + hosts / assignment,
    )


def _units(size: int) -> float:
    """Return what it costs to read so many bytes in one go."""
    return math.ceil(size / READ_UNIT_BYTES) * EVENTUALLY
