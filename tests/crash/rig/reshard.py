"""Splits and merges, under load."""

import itertools
import threading

_ONE_AT_A_TIME = threading.Lock()  # two incidents of one round may choose the same shard


def reshard(kinesis, stream, random):
    """Split a shard, or merge two when there are many."""
    with _ONE_AT_A_TIME:
        if len(open_shards(kinesis, stream)) > random.randint(1, 2):
            merge(kinesis, stream, random)
        else:
            split(kinesis, stream, random)


def split(kinesis, stream, random):
    _split(kinesis, stream, random.choice(open_shards(kinesis, stream)))


def _split(kinesis, stream, one):
    middle = (_key(one, "Starting") + _key(one, "Ending")) // 2
    kinesis.split_shard(
        StreamName=stream, ShardToSplit=one["ShardId"], NewStartingHashKey=str(middle)
    )


def merge(kinesis, stream, random):
    shards = open_shards(kinesis, stream)
    at = random.randrange(len(shards) - 1)
    _merge(kinesis, stream, *shards[at : at + 2])


def _merge(kinesis, stream, one, other):
    kinesis.merge_shards(
        StreamName=stream,
        ShardToMerge=one["ShardId"],
        AdjacentShardToMerge=other["ShardId"],
    )


def rescale(kinesis, stream, shards):
    """Split the widest shard, or merge the narrowest neighbours, until there are so many."""
    while len(now := open_shards(kinesis, stream)) < shards:
        _split(kinesis, stream, max(now, key=_width))
    while len(now := open_shards(kinesis, stream)) > shards:
        pairs = itertools.pairwise(now)
        _merge(kinesis, stream, *min(pairs, key=lambda pair: sum(map(_width, pair))))


def open_shards(kinesis, stream):
    """Return the shards that take records, in the order of their keys."""
    shards = kinesis.list_shards(StreamName=stream)["Shards"]
    shards = [one for one in shards if "EndingSequenceNumber" not in one["SequenceNumberRange"]]
    return sorted(shards, key=lambda one: _key(one, "Starting"))


def _width(shard):
    return _key(shard, "Ending") - _key(shard, "Starting")


def _key(shard, end):
    return int(shard["HashKeyRange"][f"{end}HashKey"])
