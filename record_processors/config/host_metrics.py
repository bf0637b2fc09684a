"""What a host of a stack tells beside its children: if its daemon is well, what `status` finds."""

from __future__ import annotations

from .metric import Counter, Gauge

HEALTHY = Gauge("daemon.healthy", "1 if `health` finds the daemon of this host well, else 0.")
RESTARTS = Counter("daemon.restarts", "How often systemd has started the daemon again.")
BEHIND = Gauge(
    "pipeline.behind",
    "The age of the oldest record that is not checkpointed, as `status` says: also in an outage, "
    "in which `millis_behind_latest` stays as it was at the last call. While a shard cannot be "
    "looked at, as one that is read at full speed, it may rise, and does not fall.",
    "milliseconds",
)
WITHOUT_OWNER = Gauge(
    "shards.without_owner", "Shards that no daemon has, or one that is silent, as `status` says."
)
LETTERS = Gauge("letters.files", "Files of dead letters of the last day that are not put back.")
ATTENTION = Gauge(
    "status.attention",
    "For how many reasons beside lag, owners and letters `status` wants a person.",
)
OF_A_HOST = (HEALTHY, RESTARTS, BEHIND, WITHOUT_OWNER, LETTERS, ATTENTION)
