"""The two calls of Kinesis that carry data, on a short way.

moto passes each record through a dozen objects and reads a request's JSON anew for each of its
parameters. `answer` serves PutRecords and GetRecords straight from the shards, several times
as fast. Whatever is unusual is left to moto, whose errors are the right ones.
"""

import base64
from typing import Any

import msgspec
from moto.core.exceptions import JsonRESTError
from moto.kinesis import models
from moto.kinesis.utils import decompose_shard_iterator

from record_processors.local.kinesis_model import RECORDS_READ, Shard, Stream, now

_ACCOUNT = "123456789012"  # moto's, for credentials that it did not give out

# Kinesis' own bounds of one PutRecords.
_RECORDS_PUT, _BYTES_PUT, _RECORD_BYTES = 500, 10 * 1024 * 1024, 1024 * 1024


class _Entry(msgspec.Struct, rename="pascal", gc=False):
    data: bytes
    partition_key: str
    explicit_hash_key: str | None = None


class _PutRecords(msgspec.Struct, rename="pascal"):
    records: list[_Entry]
    stream_name: str | None = None
    stream_arn: str | None = msgspec.field(name="StreamARN", default=None)


class _GetRecords(msgspec.Struct, rename="pascal"):
    shard_iterator: str
    limit: int = RECORDS_READ
    stream_arn: str | None = msgspec.field(name="StreamARN", default=None)


class _Put(msgspec.Struct, rename="pascal", gc=False):
    sequence_number: str
    shard_id: str


_put_decoder = msgspec.json.Decoder(_PutRecords)
_get_decoder = msgspec.json.Decoder(_GetRecords)


def answer(target: str, region: str, body: bytes) -> dict[str, Any] | None:
    """Serve PutRecords or GetRecords; `None` if it is for moto to serve or to refuse.

    `target` is the X-Amz-Target header, `body` the request's JSON; the answer is made of structs,
    for `msgspec` or `cbor.encode` to write.
    """
    call = _CALLS.get(target)
    if call is None:
        return None
    try:
        return call(models.kinesis_backends[_ACCOUNT][region], body)
    except _FOR_MOTO:
        return None


def _put_records(backend: models.KinesisBackend, body: bytes) -> dict[str, Any] | None:
    request = _put_decoder.decode(body)
    stream = _stream(backend, request.stream_arn, request.stream_name)
    sizes = [len(entry.data) + len(entry.partition_key) for entry in request.records]
    if not 0 < len(sizes) <= _RECORDS_PUT or sum(sizes) > _BYTES_PUT or max(sizes) > _RECORD_BYTES:
        return None
    shards = [stream.shard_of(e.partition_key, e.explicit_hash_key) for e in request.records]
    arrival = now()
    put = [
        _Put(shard.append(entry.data, entry.partition_key, arrival), shard.shard_id)
        for entry, shard in zip(request.records, shards, strict=True)
    ]
    return {"FailedRecordCount": 0, "Records": put}


def _get_records(backend: models.KinesisBackend, body: bytes) -> dict[str, Any] | None:
    request = _get_decoder.decode(body)
    if not 0 < request.limit <= RECORDS_READ:
        return None
    name, shard_id, last = decompose_shard_iterator(request.shard_iterator)
    stream = _stream(backend, request.stream_arn, name)
    shard: Shard = stream.get_shard(shard_id)  # type: ignore[assignment] # made of ours
    records = shard.give(int(last), request.limit)
    reached = records[-1].sequence_number if records else last
    result: dict[str, Any] = {
        "Records": records,
        "MillisBehindLatest": shard.milliseconds_behind(records),
    }
    if shard.ends_at(int(reached)):
        # KCL takes a shard for ended only if there is no iterator and there are children.
        result["ChildShards"] = stream.children(shard)
    else:
        iterator = f"{stream.stream_name}:{shard_id}:{reached}"
        result["NextShardIterator"] = base64.b64encode(iterator.encode()).decode()
    return result


def _stream(backend: models.KinesisBackend, arn: str | None, name: str | None) -> Stream:
    return backend.describe_stream(arn, name)  # type: ignore[return-value] # made of ours


_CALLS = {
    "Kinesis_20131202.PutRecords": _put_records,
    "Kinesis_20131202.GetRecords": _get_records,
}
# A request that does not fit, an iterator of nobody's, and what moto or a shard refuses.
_FOR_MOTO = (msgspec.MsgspecError, ValueError, JsonRESTError)
