"""A plan as what JSON can hold."""

from __future__ import annotations

from typing import Any

from ..config.component import Destination
from ..config.keys import APPLICATION_NAME, STREAM_NAME
from .plan import Plan
from .planned import Planned


def as_json(plan: Plan) -> dict[str, Any]:
    """Return the plan as one object, whose names stay."""
    size = plan.size
    return {
        "pipelines": [_as_json(plan, one) for one in plan.pipelines],
        "hosts": {
            "type": size.type.name,
            "count": size.hosts,
            "gibNeeded": size.gib,
            "vcpusNeeded": size.vcpus,
            "secondsWithoutOne": plan.waits.of_a_host,
            "secondsWithoutTheLeader": plan.waits.of_the_leader,
            "secondsUntilOneMoreHasItsShare": plan.one_more.seconds,
        },
        "dollarsAMonth": dict(plan.dollars),
        "limits": [
            {
                "what": limit.what,
                "now": limit.now,
                "most": limit.most,
                "used": limit.used,
                "remedy": limit.remedy,
                "source": limit.source,
            }
            for limit in plan.limits
        ],
    }


def _as_json(plan: Plan, one: Planned) -> dict[str, Any]:
    leases = plan.leases[one.settings[APPLICATION_NAME]]
    found = {
        "application": one.settings[APPLICATION_NAME],
        "destination": one.settings.texts[Destination.named_by],
        "stream": one.settings[STREAM_NAME],
        **one.load._asdict(),
        "batchesASecond": one.batches,
        "vcpus": one.vcpus,
        "aSecond": {bought.what: bought.a_second for bought in one.work.bought},
        "leaseTable": {
            "writesASecond": leases.writes,
            "readsASecond": leases.reads,
            "dollarsAMonth": leases.dollars_a_month,
        },
    }
    if one.loads and one.work.loads:
        found["loads"] = {
            "what": one.work.loads.what,
            "anHour": one.loads.an_hour,
            "filesEach": one.loads.files,
            "longestSeconds": one.loads.longest,
        }
    return found
