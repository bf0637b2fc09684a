"""What is to be paid for beside the stack itself, in a month."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from ..aws.prices import (
    FAN_OUT_GIB,
    HOURS_A_MONTH,
    MILLION_PUT_UNITS,
    MONTH_SECONDS,
    PUT_UNIT_BYTES,
    SHARD_HOUR,
    consumer_dollars,
)
from ..config.kcl_settings import is_pushed
from ..config.keys import STREAM_NAME
from ..config.work import Bought, Load
from ..errors import counted
from .lease_table import LeaseTable
from .planned import Planned


def bill(
    planned: Sequence[Planned], streams: Mapping[str, Load], leases: Mapping[str, LeaseTable]
) -> Iterator[tuple[str, float]]:
    """Yield the dollars, with what they are for."""
    for stream, load in streams.items():
        hours = load.shards * SHARD_HOUR * HOURS_A_MONTH
        yield f"{counted(load.shards, 'shard')} of {stream}", hours
        units = load.records * math.ceil(load.bytes / PUT_UNIT_BYTES)
        yield f"what is put on {stream}", _of_a_month(Bought("", units, MILLION_PUT_UNITS))
    for one in planned:
        if is_pushed(one.settings):
            gib = one.load.records * one.load.bytes * MONTH_SECONDS / 2**30
            hours = consumer_dollars(one.load.shards)
            yield f"fan-out of {one.settings[STREAM_NAME]}", hours + gib * FAN_OUT_GIB
        for bought in one.work.bought:
            yield bought.what, _of_a_month(bought)
    for name, table in leases.items():
        yield f"leases of {name}, in DynamoDB", table.dollars_a_month


def _of_a_month(bought: Bought) -> float:
    return bought.a_second * MONTH_SECONDS / 1e6 * bought.dollars_a_million
