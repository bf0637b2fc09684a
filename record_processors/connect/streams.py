"""The stream that is read, and the one that files are announced on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from ..aws import Client
from ..setting import Setting
from ..settings import OUTPUT_STREAM, STREAM_NAME, Settings
from .finding import (
    ERRORS,
    Failed,
    Finding,
    about,
    code_of,
    is_denied,
    quick_client,
    why,
)

Result = TypeVar("Result")

READABLE = {"ACTIVE", "UPDATING"}  # the latter while it is resharded


def source(settings: Settings) -> Iterator[Finding]:
    """Look at the stream as the daemon does, and read at most one record of one shard."""
    kinesis = quick_client("kinesis", settings)
    name = settings[STREAM_NAME]
    yield _look(kinesis, STREAM_NAME, name)
    if settings.texts.get("retrievalMode") == "FANOUT":
        yield Finding(
            "note",
            "retrievalMode = FANOUT: kinesis:RegisterStreamConsumer, DescribeStreamConsumer and "
            "SubscribeToShard are needed, and were not tried",
        )
        return
    yield _read(kinesis, name)


def manifests(settings: Settings) -> Iterator[Finding]:
    """Look at the manifest stream. Nothing is put on it: stage two would take it for a file."""
    kinesis = quick_client("kinesis", settings)
    name = settings[OUTPUT_STREAM]
    yield _look(kinesis, OUTPUT_STREAM, name)
    yield Finding("note", f"{about(OUTPUT_STREAM, name)}: kinesis:PutRecord was not tried")


def _look(kinesis: Client, setting: Setting[str], name: str) -> Finding:
    """Look at a stream; the pipeline itself can do without the right to."""
    try:
        return Finding("ok", _described(kinesis, setting, name))
    except Failed as failure:
        if failure.__cause__ is not None and is_denied(failure.__cause__):
            return Finding("note", f"{failure}; only this command needs it")
        raise


def _described(kinesis: Client, setting: Setting[str], name: str) -> str:
    answer = _tried(
        setting,
        name,
        "kinesis:DescribeStreamSummary",
        lambda: kinesis.describe_stream_summary(StreamName=name),
    )
    found = answer["StreamDescriptionSummary"]
    if (status := found["StreamStatus"]) not in READABLE:
        raise Failed(f"{about(setting, name)}: the stream is {status}, not ACTIVE")
    return f"{about(setting, name)}: {status}, open shards: {found['OpenShardCount']}"


def _read(kinesis: Client, name: str) -> Finding:
    shards = _tried(
        STREAM_NAME,
        name,
        "kinesis:ListShards",
        lambda: kinesis.list_shards(StreamName=name, MaxResults=1),
    )
    iterator = _tried(
        STREAM_NAME,
        name,
        "kinesis:GetShardIterator",
        lambda: kinesis.get_shard_iterator(
            StreamName=name,
            ShardId=shards["Shards"][0]["ShardId"],
            ShardIteratorType="TRIM_HORIZON",
        ),
    )
    place = about(STREAM_NAME, name)
    try:
        kinesis.get_records(ShardIterator=iterator["ShardIterator"], Limit=1)
    except ERRORS as error:
        if code_of(error) == "ProvisionedThroughputExceededException":  # we may, but not now
            return Finding("note", f"{place}: others read it as fast as it may be read")
        raise Failed(f"{place}: {why(error, 'kinesis:GetRecords')}") from error
    return Finding("ok", f"{place}: its records can be read")


def _tried(
    setting: Setting[str], name: str, permission: str, action: Callable[[], Result]
) -> Result:
    try:
        return action()
    except ERRORS as error:
        if code_of(error) == "ResourceNotFoundException":
            reason = "there is no such stream here; `kinesis-connectors create` makes it"
        else:
            reason = why(error, permission)
        raise Failed(f"{about(setting, name)}: {reason}") from error
