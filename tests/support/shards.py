"""Which shard a record goes to."""

from hashlib import md5


def shard_of(key, shards):
    """Return its number, of so many shards that a stream was made with: they share the range."""
    point = int.from_bytes(md5(key.encode(), usedforsecurity=False).digest(), "big")
    return point * shards >> 128
