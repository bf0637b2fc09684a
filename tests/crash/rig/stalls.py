"""How long the shards of a stream stand still, as KCL's lease table shows it."""

import time
from typing import NamedTuple

from record_processors.kcl.leases import read_leases
from record_processors.kcl.tables import COORDINATOR, table_name

LEADER = "Leader"  # the key of its lock: DynamoDBLockBasedLeaderDecider of KCL 3.1.3

MEASURED = []  # what each event took, for the end of the report


class Measured(NamedTuple):
    """What one event took, in seconds."""

    event: str
    flow: float
    """Until each shard is read by a host that is there, and has made a checkpoint under it."""
    stall: float
    """The longest that one shard made no checkpoint."""
    leases: str
    """Of each host, in the end."""
    restarts: int
    """Of daemons that ended by themselves."""
    foretold: str = ""


class Stalls:
    """Looks at the leases of one pipeline, as often as it is told to."""

    def __init__(self, dynamodb, settings):
        self.dynamodb, self.settings = dynamodb, settings
        self.begin()

    def begin(self):
        """Count from now on."""
        self.began = time.monotonic()
        self.leases = []
        self._moved = {}  # by shard: the last checkpoint, and when it was first seen
        self._taken = {}  # by shard: who reads it, and the first checkpoint seen under that owner
        self._longest = 0.0

    @property
    def seconds(self):
        """Return how many have passed since the beginning."""
        return time.monotonic() - self.began

    @property
    def longest(self):
        """Return for how many seconds a shard stood still at most; or does, at this moment."""
        now = time.monotonic()
        return max([self._longest, *(now - when for _, when in self._moved.values())])

    def look(self):
        """See which checkpoints have moved, and who has which lease."""
        leases = read_leases(self.dynamodb, self.settings) or []
        now = time.monotonic()
        self.leases = [lease for lease in leases if not lease.is_ended]
        for lease in self.leases:
            checkpoint, when = self._moved.get(lease.shard, (None, self.began))
            if checkpoint != lease.checkpoint:
                self._longest = max(self._longest, now - when)
                self._moved[lease.shard] = lease.checkpoint, now
            owner, _ = self._taken.get(lease.shard, (None, None))
            if owner != lease.owner:
                self._taken[lease.shard] = lease.owner, lease.checkpoint
        for ended in self._moved.keys() - {lease.shard for lease in self.leases}:
            _, when = self._moved.pop(ended)
            self._longest = max(self._longest, now - when)

    def flows(self, hosts, shards):
        """Tell whether these hosts, and nobody else, deliver these shards, and no others."""
        return {lease.shard for lease in self.leases} == set(shards) and all(
            lease.owner in hosts and self._taken[lease.shard] != (lease.owner, lease.checkpoint)
            for lease in self.leases
        )

    def held(self, hosts):
        """Return how many leases each host has."""
        owners = [lease.owner for lease in self.leases]
        return [owners.count(host) for host in hosts]

    def leader(self):
        """Return the worker that assigns the leases, if there is one."""
        table = table_name(self.settings, COORDINATOR)
        key = {COORDINATOR.key: {"S": LEADER}}
        item = self.dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item", {})
        return item.get("ownerName", {}).get("S")


def lines():
    """Yield the table of what was measured."""
    yield f"{'event':52}{'all flow':>10}{'stall':>8}  {'leases':14}{'restarts':10}foretold"
    for one in MEASURED:
        yield (
            f"{one.event:52}{one.flow:>8.0f} s{one.stall:>6.0f} s  {one.leases:14}"
            f"{one.restarts:<10}{one.foretold}"
        )
