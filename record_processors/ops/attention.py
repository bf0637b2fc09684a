"""What of a pipeline's leases needs a person, and why: one sentence for each reason."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, timezone

from ..config.kcl_settings import REPORT_INTERVAL
from ..config.setting import Settings
from .lag import BUSY, HARMLESS
from .shown import clock, span
from .status import Pipeline, Shard

# KCL's workers report their load; one that has missed so many reports is not heard of any more.
REPORTS_MISSED = 4


def judge(pipeline: Pipeline, settings: Settings, limit: int) -> None:
    """Note what needs a person; ``limit`` is how many seconds a shard may be behind."""
    if not pipeline.shards:
        pipeline.needs("noLeases", "there are no leases: no daemon has read anything yet")
    read = worst_first(shard for shard in pipeline.shards if shard.state in {"reading", "no owner"})
    late = [shard for shard in read if (shard.behind or 0) > limit]
    lost = [shard for shard in read if shard.lost and (shard.behind is None or shard in late)]
    unknown = [shard for shard in read if is_unknown(shard) and shard.unknown != BUSY]
    busy = [shard for shard in read if shard.unknown == BUSY]
    alone = [shard for shard in read if not shard.owner]
    silence = timedelta(milliseconds=settings[REPORT_INTERVAL] * REPORTS_MISSED)
    since = datetime.now(timezone.utc) - silence
    silent = [shard for shard in read if (shard.owner_heard_of or since) < since]
    if lost:
        note(pipeline, "recordsLost", lost, "records lost: {}: {.lost}")
    if late:
        how = f"more than {span(limit)} behind: {{}}, by {span(late[0].behind or 0)}"
        note(pipeline, "behind", late, how + _until_lost(late[0], pipeline))
    if alone:
        note(pipeline, "noOwner", alone, "without an owner, so that no daemon reads it: {}")
    if silent:
        heard = clock(silent[0].owner_heard_of)
        how = f"the owner is silent: {{}} of {{.owner}}, which was last heard of at {heard}"
        note(pipeline, "silentOwner", silent, how)
    if unknown:
        note(pipeline, "notKnown", unknown, "not known how far behind: {}: {.unknown}")
    if busy:  # which somebody reads
        how = "too busy to be looked at, and so not known how far behind: {}: {.unknown}"
        pipeline.said.append(_sentence(how, busy))


def worst_first(shards: Iterable[Shard]) -> list[Shard]:
    """Put in order by what a person looks at first."""
    return sorted(
        shards,
        key=lambda one: (
            not one.lost,
            one.state != "no owner",
            not is_unknown(one),
            -(one.behind or 0),
            one.shard,
        ),
    )


def is_unknown(shard: Shard) -> bool:
    """Whether it could not be found out how far behind a shard is, though it should be."""
    return bool(shard.unknown) and shard.unknown not in HARMLESS


def unknown_shards(pipeline: Pipeline) -> list[Shard]:
    """Return those of which it could not be found out: the pipeline may be further behind."""
    return [shard for shard in pipeline.shards if is_unknown(shard)]


def note(pipeline: Pipeline, kind: str, shards: Sequence[Shard], how: str) -> None:
    """Note one reason, of which ``how`` says the shards, and then something of the worst."""
    pipeline.needs(kind, _sentence(how, shards), *(shard.shard for shard in shards))


def _sentence(how: str, shards: Sequence[Shard]) -> str:
    worst = shards[0]
    who = worst.shard if len(shards) == 1 else f"{len(shards):,} shards, above all {worst.shard}"
    return how.format(who, worst)


def _until_lost(worst: Shard, pipeline: Pipeline) -> str:
    """Say when records are lost, if that is nearer than where it is read."""
    if pipeline.retention_hours is None:
        return ""
    kept = pipeline.retention_hours * 3600
    if (left := max(kept - (worst.behind or 0), 0)) > kept / 2:
        return ""
    return f"; the stream keeps records for {span(kept)}, so that they are lost in {span(left)}"
