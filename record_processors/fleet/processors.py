"""What of a processor a pipeline takes, daemon and children, as tests/bench/README.md has it."""

from __future__ import annotations

from ..config.setting import Settings
from ..config.work import Cost, Load

# Of the run there that plans go by, four shards as text: 21.3 us a record in reads of 10,000,
# and 25.9 in reads of 1,000. So a read has its price, and of the rest 5.1 us are the child's.
READ_MICROS = (25.9 - 21.3) / (1 / 1_000 - 1 / 10_000)
DAEMON_MICROS = 21.3 - READ_MICROS / 10_000 - 5.1

MEASURED_BYTES = 300  # of a record; a longer one is taken to cost more by its length

MOST_READS = 5  # a second: docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html
IDLE, REDUCED = "idleTimeBetweenReadsInMillis", "millisBehindLatestThresholdForReducedTps"
KCL_IDLE = 1500


def vcpus(settings: Settings, load: Load, cost: Cost) -> float:
    """Return how many processors carry a load, without a backlog."""
    longer = max(1.0, load.bytes / MEASURED_BYTES)
    records = load.records * (DAEMON_MICROS + cost.micros) * longer
    return (records + load.shards * reads(settings) * READ_MICROS) / 1e6


def reads(settings: Settings) -> float:
    """Return how often a second a shard without a backlog is read."""
    idle = int(settings.texts.get(IDLE, KCL_IDLE))
    reduced = int(settings.texts.get(REDUCED, 0))
    return min(MOST_READS, 1000 / max(idle, reduced))
