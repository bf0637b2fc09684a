"""A fleet on one machine: real daemons as its hosts, each with its own way to each service.

KCL's intervals are those of the shipped file, where its waits are what is measured. Hosts on one
machine have one load of the processors, which KCL takes for no host's when it is not on EC2: it
balances by the throughput of the leases instead.
"""

import itertools
import os
import re
import signal
import time
from pathlib import Path

import boto3

from crash.rig.comparison import Comparison
from crash.rig.real import ROWS, family, signal_to
from crash.rig.reshard import open_shards, rescale
from crash.rig.source import Source
from crash.rig.stalls import MEASURED, Measured, Stalls
from crash.rig.tally import count
from crash.rig.way import Way
from record_processors.config.keys import STREAM_NAME
from record_processors.errors import EXIT_USAGE
from record_processors.local.children import Child
from record_processors.local.intervals import QUICK
from support.paths import TESTS
from support.two_stages import PROGRAM, TwoStages

SERVICES = {"Kinesis": "kinesisEndpoint", "DynamoDB": "dynamoDBEndpoint", "S3": "s3Endpoint"}
AS_SHIPPED = dict.fromkeys(QUICK)  # KCL's defaults, or the shipped file's values
BATCH = {"bufferRecordCountLimit": "1000", "bufferMillisecondsLimit": "3000"}
PATIENCE = 300  # seconds for whatever must happen
RECORDS, PAUSE = 24, 0.4  # of the load: so many, then so many seconds
IS_WELL = "Initialization complete. Starting worker loop."  # KCL's Scheduler


class Host:
    """One host: a daemon under its own name, in its own folder, on its own ways."""

    def __init__(self, name, both, folder, endpoint, **changes):
        self.name = name
        self.ways = {service: Way(endpoint) for service in SERVICES}
        home = folder / name
        home.mkdir()
        path = home / Path(both.one.path).name
        ways = {key: self.ways[service].endpoint for service, key in SERVICES.items()}
        text = Path(both.one.path).read_text().replace(both.one.path, str(path))
        for key, value in {**ways, **changes}.items():
            text, times = re.subn(rf"(?m)^{key} = .*$", f"{key} = {value}", text)
            assert times == 1, f"{key} is {times} times in {path}"
        path.write_text(f"{text}\nworkerId = {name}\n")
        self.home, self.path, self.log = home, path, folder / f"{name}.log"
        self.start()

    def start(self):
        """Start its daemon."""
        environment = {**os.environ, "TMPDIR": str(self.home), "PYTHONPATH": str(TESTS)}
        command = [PROGRAM, "run", str(self.path)]
        self.daemon = Child.start(self.name, command, environment, self.log, grace=PATIENCE)

    def tend(self):
        """Start it again if it has ended, as the unit does; tell whether it had."""
        if not self.has_left:
            return False
        code = self.daemon.stop()  # and what is left of its group
        assert code != EXIT_USAGE, self.daemon.tail()
        self.start()
        return True

    @property
    def is_well(self):
        """Whether its daemon looks for leases."""
        return IS_WELL in self.log.read_text()

    @property
    def has_left(self):
        return self.daemon.process.poll() is not None

    def leave(self):
        """Ask its daemon to stop, as the unit does when the group's hook lets the host go."""
        self.daemon.process.send_signal(signal.SIGTERM)

    def vanish(self):
        """Kill all its processes at once."""
        for one in family(self.daemon.process.pid):
            signal_to(one, signal.SIGKILL)
        count("kills", "a host at once")

    def close(self):
        self.daemon.stop()
        for way in self.ways.values():
            way.close()


class Fleet:
    """Stage one on several hosts, stage two on one, and load that never ends."""

    def __init__(self, stack, folder, name, random, shards, intervals=AS_SHIPPED):
        self.folder, self.random = folder, random
        self.endpoint = stack.properties["kinesisEndpoint"]
        one = {**ROWS, **BATCH, **intervals, "idleTimeBetweenReadsInMillis": "500"}
        one |= dict.fromkeys(SERVICES.values(), self.endpoint)
        one["kinesisInputStreamShardCount"] = str(shards)
        self.both = TwoStages(stack, folder, name, one, {"bufferRecordCountLimit": "20"})
        self.source = Source(self.both, random)
        self.comparison = Comparison(self.both, self.source)
        self.stalls = Stalls(boto3.client("dynamodb"), self.both.one)
        self.hosts = {}
        self.gone = []
        self.restarts = 0
        self._numbers = itertools.count(1)
        self.both.start("two")

    def close(self):
        for host in [*self.hosts.values(), *self.gone]:
            host.close()
        self.both.close()

    # Hosts that come and go.

    def start(self, **changes):
        """Start one more."""
        name = f"host{next(self._numbers)}"
        self.hosts[name] = Host(name, self.both, self.folder, self.endpoint, **changes)
        return self.hosts[name]

    def remove(self, *names):
        """Count them out: what they still deliver does not count, and nobody starts them again."""
        gone = [self.hosts.pop(name) for name in names]
        self.gone += gone
        return gone

    def of(self, many):
        """Bring it to so many hosts, each with a lease, all shards flowing; nothing is measured."""
        while len(self.hosts) < many:
            self.start()
        self.stalls.begin()
        self.until(lambda: self.flows() and self.has_each_a_lease(), f"{many} hosts work")

    def new_one(self, **changes):
        """Start one more, wait until it is well, and return its name."""
        host = self.start(**changes)
        self.until(lambda: host.is_well, f"{host.name} is well")
        return host.name

    def leave(self, *names):
        """Let hosts go through the hook, and wait until they have stopped."""
        gone = self.remove(*names)
        for host in gone:
            host.leave()
        self.until(lambda: all(host.has_left for host in gone), f"{names} have left")

    def vanish(self, name):
        """Let a host be gone without a word."""
        for host in self.remove(name):
            host.vanish()

    def cut_off(self, names, services, seconds):
        """Keep hosts from services for so long."""
        ways = [self.hosts[name].ways[service] for name in names for service in services]
        for way in ways:
            way.cut()
        end = time.monotonic() + seconds
        what = f"{', '.join(names)} were without {', '.join(services)} for {seconds} s"
        self.until(lambda: time.monotonic() > end, what)
        for way in ways:
            way.mend()

    def reshard(self, shards):
        """Split shards, or merge them, until there are so many."""
        rescale(self.both.kinesis, self.both.one[STREAM_NAME], shards)

    def leader(self):
        """Return the name of the host that leads."""
        return self.until(lambda: self.stalls.leader() in self.hosts, "a host leads") and (
            self.stalls.leader()
        )

    # What is waited for.

    def shards(self):
        """Return those that take records."""
        stream = self.both.one[STREAM_NAME]
        return [one["ShardId"] for one in open_shards(self.both.kinesis, stream)]

    def flows(self):
        """Tell whether every open shard is delivered by a host of the fleet."""
        return self.stalls.flows(self.hosts, self.shards())

    def has_each_a_lease(self):
        return all(self.stalls.held(self.hosts))

    def until(self, condition, what):
        """Wait for what must happen, under load; start again what ends unasked."""
        end = time.monotonic() + PATIENCE
        while True:
            self.source.put(RECORDS)
            self.stalls.look()
            if found := condition():
                return found
            self.both.daemons["two"].check()
            self.restarts += sum(host.tend() for host in self.hosts.values())
            if time.monotonic() > end:
                tails = "\n\n".join(f"{h.name}\n{h.daemon.tail()}" for h in self.hosts.values())
                leases = "\n".join(map(str, self.stalls.leases))
                raise AssertionError(f"still waiting until {what}:\n{leases}\n{tails}")
            time.sleep(PAUSE)

    def measure(self, event, *deeds, condition=lambda: True, foretold=""):
        """Do it, wait until all shards flow again; compare the table row by row.

        Each deed is called under load, one after the other, and what it took is measured with it.
        """
        self.stalls.begin()
        self.restarts = 0
        for deed in deeds:
            deed()
        self.until(lambda: self.flows() and condition(), f"all flow after: {event}")
        leases = "+".join(map(str, self.stalls.held(self.hosts)))
        flow, stall = self.stalls.seconds, self.stalls.longest
        found = Measured(event, flow, stall, leases, self.restarts, foretold)
        MEASURED.append(found)
        print(found, flush=True)
        self.compare(event)
        return found

    def compare(self, event):
        """Let everything drain, and compare: nothing lost, nothing double."""
        end = time.monotonic() + PATIENCE
        while not self.comparison.is_drained() and time.monotonic() < end:
            time.sleep(1)
        wrong = self.comparison.in_the_end()
        count("rounds")
        assert not wrong, "\n".join([f"after {event}:", *wrong])
