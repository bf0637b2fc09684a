"""Looks at pipelines from outside: leases, streams, files, and what their resources tell.

Nothing is changed. What cannot be looked at is told as such, and keeps nobody from seeing the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import datetime, timezone

from ..aws.clients import client
from ..aws.findings import ERRORS, PROBE_SECONDS, impatient, not_aws, quick_client, why
from ..aws.output_stream import OUTPUT_STREAM
from ..config.keys import APPLICATION_NAME, STREAM_NAME
from ..config.resource import Failed
from ..config.setting import Settings
from ..kcl.leases import Lease, heard_of, read_leases
from ..kcl.resources import resources
from ..kcl.tables import LEASES, table_name
from .attention import judge, unknown_shards
from .lag import ShardReader
from .last_files import last_files
from .pipelines import chain_writer
from .status import EndToEnd, File, Pipeline, Shard, State, Status, Written

THREADS = 10  # as many connections as a client keeps


def look(each: Sequence[Settings], behind: int, patience: float = 0) -> Status:
    """Look at some pipelines; what is more than ``behind`` seconds behind needs a person.

    Of each, ``patience`` seconds may be waited for a shard that others read at full speed.
    """
    pipelines = [_look_at(settings, behind, patience) for settings in each]
    delays = list(_end_to_end(each, pipelines))
    return Status(datetime.now(timezone.utc), pipelines, delays)


def _look_at(settings: Settings, behind: int, patience: float) -> Pipeline:
    pipeline = Pipeline(
        application=settings[APPLICATION_NAME],
        properties=settings.path,
        stream=settings[STREAM_NAME],
    )
    hasty = impatient(settings)  # somebody waits for the answer
    with _noting(pipeline, "dynamodb:Scan"):
        dynamodb = quick_client("dynamodb", hasty)
        if (leases := read_leases(dynamodb, settings)) is None:
            pipeline.needs(
                "noLeaseTable",
                f"there is no lease table {table_name(settings, LEASES)} yet: no daemon has run",
            )
            return pipeline
        heard: Mapping[str, datetime] = {}
        with suppress(*ERRORS):  # it only says more of the owners
            heard = heard_of(dynamodb, settings)
        pipeline.shards = list(_shards(leases, heard))
        with ThreadPoolExecutor(THREADS) as pool:
            _read_stream(pipeline, hasty, leases, pool, patience)
        judge(pipeline, settings, behind)
    if chain_writer(settings) is not None:
        with _noting(pipeline, "s3:ListBucket"), ThreadPoolExecutor(THREADS) as pool:
            _look_for_files(pipeline, hasty, pool)
    for resource in resources(hasty):
        with _noting(pipeline):
            for fact in resource.state():
                pipeline.facts[fact.name] = fact.value
                pipeline.said.append(fact.sentence)
                if fact.attention:
                    pipeline.needs(fact.name, fact.sentence)
    return pipeline


@contextmanager
def _noting(pipeline: Pipeline, permission: str = "") -> Iterator[None]:
    """Note what keeps us from looking, and go on with the rest."""
    try:
        yield
    except Failed as failure:
        pipeline.needs("notLookedAt", f"not all can be seen: {failure}")
    except ERRORS as error:
        pipeline.needs("notLookedAt", f"not all can be seen: {why(error, permission)}")
    except LookupError as error:
        pipeline.needs("notLookedAt", f"not all can be seen: {not_aws(error).sentence}")


def _shards(leases: Sequence[Lease], heard: Mapping[str, datetime]) -> Iterator[Shard]:
    unended = {lease.shard for lease in leases if not lease.is_ended}
    for lease in leases:
        waits_for = tuple(parent for parent in lease.parents if parent in unended)
        state: State
        if lease.is_ended:
            state = "ended"
        elif waits_for:
            state = "waiting"
        else:
            state = "reading" if lease.owner else "no owner"
        yield Shard(
            shard=lease.shard,
            state=state,
            owner=lease.owner,
            owner_heard_of=heard.get(lease.owner or ""),
            owner_switches=lease.owner_switches,
            counter=lease.counter,
            checkpoint=str(lease.checkpoint),
            waits_for=waits_for,
        )


def _read_stream(
    pipeline: Pipeline,
    settings: Settings,
    leases: Sequence[Lease],
    pool: Executor,
    patience: float,
) -> None:
    """Find out how far behind each shard is that is to be read."""
    kinesis = client("kinesis", settings, read_seconds=PROBE_SECONDS)  # ShardReader tries again
    with suppress(*ERRORS):  # the pipeline itself needs no right to that
        found = kinesis.describe_stream_summary(StreamName=pipeline.stream)
        pipeline.retention_hours = found["StreamDescriptionSummary"]["RetentionPeriodHours"]
    reader = ShardReader(kinesis, settings, patience)
    read = [
        (shard, lease)
        for shard, lease in zip(pipeline.shards, leases, strict=True)
        if shard.state in {"reading", "no owner"}
    ]
    lags = pool.map(reader.lag, [lease for _, lease in read])
    for (shard, _), lag in zip(read, lags, strict=True):
        shard.checkpoint_arrived = lag.reached
        shard.unknown, shard.lost = lag.unknown, lag.lost
        if lag.behind is not None:
            shard.behind = lag.behind.total_seconds()
    known = [shard.behind for shard in pipeline.shards if shard.behind is not None]
    most = max(known, default=None)
    # Nobody may be told 0 of the others alone.
    pipeline.behind = None if most == 0 and unknown_shards(pipeline) else most


def _look_for_files(pipeline: Pipeline, settings: Settings, pool: Executor) -> None:
    """Find the last file of each shard."""
    wanted = {shard.shard for shard in pipeline.shards if shard.state == "reading"}
    s3, now = quick_client("s3", settings), datetime.now(timezone.utc)
    files = last_files(s3, settings, wanted, now, pool)
    for shard in pipeline.shards:
        if file := files.last.get(shard.shard):
            shard.last_file = File(file.key, file.bytes, file.written)
    pipeline.written_in_the_last_hour = Written(files.recent, files.recent_bytes)


def _end_to_end(each: Sequence[Settings], pipelines: Sequence[Pipeline]) -> Iterator[EndToEnd]:
    """Add up what two stages are behind, where one reads what the other writes.

    A record that the second stage has not got yet was announced so long ago as that is behind, and
    had waited before for about as long as the first one is behind.
    """
    for first, one in zip(each, pipelines, strict=True):
        for second, two in zip(each, pipelines, strict=True):
            if OUTPUT_STREAM in first and first[OUTPUT_STREAM] == second[STREAM_NAME]:
                known = not any(
                    stage.behind is None or unknown_shards(stage) for stage in (one, two)
                )
                seconds = (one.behind or 0) + (two.behind or 0) if known else None
                yield EndToEnd((one.application, two.application), seconds)
