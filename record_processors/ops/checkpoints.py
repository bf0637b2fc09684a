"""How far each shard is checkpointed, as KCL's lease table says it."""

from __future__ import annotations

from ..aws.clients import client
from ..aws.failures import call
from ..config.setting import Settings
from ..flow.record import Position
from ..flow.retry import Retry
from ..kcl.leases import read_leases
from ..kcl.tables import LEASES, table_name


def checkpoints(settings: Settings) -> dict[str, Position | str]:
    """Return the checkpoint of each shard that has a lease: a position, or a word of KCL's.

    Nothing if there is no lease table yet. Raises Fatal.
    """
    dynamodb = client("dynamodb", settings)
    leases = call(
        Retry.from_settings(settings),
        f"reading the lease table {table_name(settings, LEASES)}",
        lambda: read_leases(dynamodb, settings),
    )
    return {lease.shard: lease.checkpoint for lease in leases or ()}
