"""How often a buffer's thresholds let a batch go."""

from __future__ import annotations

from ..config.keys import BYTE_LIMIT, MILLISECONDS_LIMIT, RECORD_LIMIT
from ..config.setting import Settings
from ..config.work import Load


def batches(settings: Settings, load: Load) -> float:
    """Return the batches a second of all shards, if every record is kept."""
    each = load.records / load.shards
    if not each:
        return 0.0
    by_time = 1 / (settings[MILLISECONDS_LIMIT] / 1000 + 1 / each)  # counted from its first record
    by_count = each / settings[RECORD_LIMIT]
    return load.shards * max(by_time, by_count, each * load.bytes / settings[BYTE_LIMIT])
