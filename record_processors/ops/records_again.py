"""Records of a stream, through their pipeline once more: to make again the files that they were."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from ..aws.clients import client
from ..config.keys import BYTE_LIMIT, MILLISECONDS_LIMIT, RECORD_LIMIT, STREAM_NAME
from ..config.setting import Settings
from ..errors import Fatal
from ..flow.pipeline import Pipeline
from ..flow.record import Position, Record
from ..flow.retry import Retry
from ..kcl.assembly import assemble
from ..kcl.leases import TRIM_HORIZON
from .aggregate import MAGIC
from .pipelines import chain_names
from .places import record_at
from .shard_reading import records

# One file, as it was, whatever the thresholds are now; but none that memory would not hold, where a
# record takes 300 bytes beside its data. Where the pipeline's limits are higher, hosts hold more.
MOST_RECORDS, MOST_BYTES = 500_000, 256 * 1024 * 1024
LIBRARY = "aws_kinesis_agg"  # which unpacks what the Kinesis Producer Library packed


def again(
    settings: Settings, shard: str, after: Position | None, through: Position
) -> Pipeline[Any]:
    """Live the life of a child between two positions, without a checkpoint; return its pipeline.

    That is what a host does that was paused, and goes on though another owns the shard: nothing
    is written over, and what it writes is what is missing. Of several destinations the one with
    the chain gets the records, the others none again. ``after`` is a record that must still
    be in the stream, else one does not know whether those after it are; or the place just before
    one that must be. None is the beginning.
    Raises Fatal.
    """
    thresholds = {
        RECORD_LIMIT.key: str(max(MOST_RECORDS, settings[RECORD_LIMIT])),
        BYTE_LIMIT.key: str(max(MOST_BYTES, settings[BYTE_LIMIT])),
        MILLISECONDS_LIMIT.key: str(10**9),
    }
    pipeline = assemble(Settings(settings.path, {**settings.texts, **thresholds}))
    pipeline.emitter = pipeline.emitter.only(chain_names(settings))
    pipeline.since = TRIM_HORIZON if after is None else str(after)
    pipeline.start(shard)
    try:
        for some in _between(settings, shard, after, through):
            pipeline.process(some, _no_checkpoint)
        if pipeline.buffer.kept:  # whose file covers all of it, records or not
            pipeline.buffer.pass_over(Record(b"", str(through.sequence), through.sub_sequence))
        pipeline.flush(_no_checkpoint)
    finally:
        pipeline.close()
    return pipeline


def _no_checkpoint(position: Position) -> None:
    """Leave the lease alone: it is another's."""


def _between(
    settings: Settings, shard: str, after: Position | None, through: Position
) -> Iterator[Sequence[Record]]:
    kinesis, stream = client("kinesis", settings), settings[STREAM_NAME]
    is_first = True
    where = TRIM_HORIZON if after is None else Position(record_at(after))
    for page in records(kinesis, stream, shard, where, Retry.from_settings(settings)):
        found = [one for raw in page for one in unpacked(raw)]
        if found and is_first and after and found[0].position.sequence != record_at(after):
            raise Fatal(
                f"{stream} does not hold {after} of {shard} any more, but what comes from "
                f"{found[0].position} on: bring files back from a version or a backup of the bucket"
            )
        is_first = is_first and not found
        begin = after or Position(0)
        yield [one for one in found if begin < one.position <= through]
        if found and found[-1].position >= through:
            return
    raise Fatal(f"{stream} has no record of {shard} yet at {through}, or behind it")


def unpacked(raw: Mapping[str, Any]) -> Iterator[Record]:
    """Yield the records in one of Kinesis' answer, as the KCL does. Raises Fatal."""
    data, number, key = raw["Data"], raw["SequenceNumber"], raw["PartitionKey"]
    arrival = round(raw["ApproximateArrivalTimestamp"].timestamp() * 1000)
    if not data.startswith(MAGIC):
        yield Record(data, number, 0, key, arrival)
        return
    if find_spec(LIBRARY) is None:
        raise Fatal(
            f"record {number} is one of the Kinesis Producer Library, with several in it: to "
            f"unpack it, pip install {LIBRARY}"
        )
    from aws_kinesis_agg.deaggregator import iter_deaggregate_records  # noqa: PLC0415

    whole = {
        "kinesisSchemaVersion": "1.0",
        "sequenceNumber": number,
        "partitionKey": key,
        "approximateArrivalTimestamp": arrival,
        "data": base64.b64encode(data),
    }
    for part in iter_deaggregate_records([{"kinesis": whole}]):
        one = part["kinesis"]
        yield Record(
            base64.b64decode(one["data"]),
            number,
            one.get("subSequenceNumber", 0),
            one["partitionKey"],
            arrival,
        )
