"""The rig with real daemons: JVMs and their children killed, stopped, woken; their streams cut.

No answer is lost here unless its client is killed with it: in the played tier, clients live on.
"""

import os
import re
import signal
import time
from contextlib import suppress
from pathlib import Path

import psutil

from crash.rig.comparison import Comparison
from crash.rig.poison import refuse_poison
from crash.rig.reshard import merge, open_shards, reshard, split
from crash.rig.source import Source
from crash.rig.tally import count
from crash.rig.wires import NEEDS, STEPS, Wires, arm, pid_at
from record_processors.config.keys import STREAM_NAME
from record_processors.local.children import Child
from support.paths import TESTS
from support.two_stages import PROGRAM, TwoStages

PATIENCE = 180  # seconds until everything put has drained
KEYS = {
    "clientVersionConfig": "CLIENT_VERSION_CONFIG_COMPATIBLE_WITH_2X",  # quicker to take over
    "shutdownGraceMillis": "2000",
    "backoffInterval": "20",
    "bufferMillisecondsLimit": "300",
}
ROWS = {
    "transformer": "crash.rig.several:Several",
    "filter": "jmespath",
    "filterExpression": "!skip",
}


class RealRig:
    """Two pipelines and their daemons, each started again when it ends, as systemd would."""

    def __init__(self, stack, folder, name, random):
        self.folder, self.random = folder, random
        self.wires = Wires(stack, name)
        stages = {
            "one": {**KEYS, **ROWS, "bufferRecordCountLimit": "15"},
            "two": {**KEYS, "bufferRecordCountLimit": "4"},
        }
        pipelines = {stage: {**stages[stage], **self.wires.properties(stage)} for stage in STEPS}
        self.both = TwoStages(stack, folder, name, **pipelines)
        self.streams = {
            "one": self.both.one[STREAM_NAME],
            "two": self.both.two[STREAM_NAME],
        }
        refuse_poison(self.both)
        self.source = Source(self.both, random)
        self.comparison = Comparison(self.both, self.source)
        self.hosts = {}  # the daemons, by stage and host
        self.guests = []  # those of ``hosts`` that leave when the round is over
        self.logs = []
        self.story = []
        for stage in STEPS:
            self.start(stage)

    def start(self, stage, host="a"):
        """Start a daemon; each host has its own temporary folder and name."""
        home = self.folder / host
        home.mkdir(exist_ok=True)
        settings = {"one": self.both.one, "two": self.both.two}[stage]
        text = Path(settings.path).read_text() + f"\nworkerId = {host}\n"
        path = home / Path(settings.path).name
        text = text.replace(settings.path, str(path))
        if host != "a":  # whose lock is not that of "a": its DynamoDB has another name
            text = re.sub(r"(?m)^(dynamoDBEndpoint = http://)127\.0\.0\.1", r"\1localhost", text)
        path.write_text(text)
        log = self.folder / f"{stage}-{host}-{len(self.logs)}.log"
        self.logs.append(log)
        environment = {**os.environ, "TMPDIR": str(home), "PYTHONPATH": str(TESTS)}
        command = [PROGRAM, "run", str(path)]
        self.hosts[stage, host] = Child.start(stage, command, environment, log, grace=30)
        return self.hosts[stage, host]

    def close(self):
        for daemon in self.hosts.values():
            for one in family(daemon.process.pid):
                signal_to(one, signal.SIGCONT)
            daemon.stop()
        self.wires.close()
        self.both.close()
        count("adoptions", times=sum(log.read_text().count("taken as it is") for log in self.logs))
        count("412s", times=self.wires.refused)

    # One round.

    def round(self, *deeds):
        """Do them one after the other under load; drain; compare."""
        self.story = [" ".join(map(str, deed)) for deed in deeds]
        for name, *arguments in deeds:
            getattr(self, name)(*arguments)
            self.insist(self.comparison.never_wrong())
        self.until(self.comparison.is_drained, "everything has drained", puts=False)
        self.insist(self.comparison.in_the_end())
        for guest in self.guests:
            self.hosts.pop(guest).stop()
        self.guests = []
        count("rounds")

    def last_look(self):
        """Stop every daemon and compare once more: no zombie may have written on."""
        for key in list(self.hosts):
            self.hosts.pop(key).stop()
        self.insist(self.comparison.in_the_end())

    def insist(self, wrong):
        said = "\n".join(wrong)
        assert not wrong, f"after {', '.join(self.story)}:\n{said}"

    def until(self, condition, what, puts=True):
        """Wait for what must happen, under load; start again what has ended."""
        end = time.monotonic() + PATIENCE
        while self.tend() or not (found := condition()):
            if puts:
                self.source.put(self.random.randint(2, 12))
            if time.monotonic() > end:
                tails = "\n\n".join(f"{d.log}\n{d.tail()}" for d in self.hosts.values())
                wrong = self.comparison.in_the_end()
                raise AssertionError(f"still waiting until {what}: {self.story} {wrong}\n{tails}")
            time.sleep(0.2)
        return found

    def tend(self):
        """Start again what has ended; tell whether something had."""
        ended = [key for key, daemon in self.hosts.items() if daemon.process.poll() is not None]
        for key in ended:
            self.hosts[key].stop()  # what is left of its group
            self.start(*key)
        return bool(ended)

    # What is done to them.

    def children(self, stage, host="a"):
        """Return the shards' processes; Java, their parent, is between them and `run`."""
        run = self.hosts[stage, host].process.pid
        return [one for one in family(run)[1:] if one.ppid() != run]

    def until_working(self, stage, host="a"):
        """Wait until every open shard has a child."""
        self.until(lambda: self.works_on(stage, host), f"stage {stage} works on host {host}")

    def works_on(self, stage, host):
        """Tell whether every open shard of a stage has a child on that host."""
        log = self.hosts[stage, host].log
        said = log.read_text() if log.exists() else ""
        shards = open_shards(self.both.kinesis, self.streams[stage])
        return all(f"{one['ShardId']} - begins after" in said for one in shards)

    def strike_at(self, stage, step, kind, victim):
        """Kill the child, or its daemon, that is at the step."""
        struck = []

        def strike(address):
            daemon, pid = self.hosts[stage, "a"].process, pid_at(address)
            if pid in [one.pid for one in family(daemon.pid)]:  # not so: an orphan, or dead already
                struck.append(daemon)
                # A checkpoint is the JVM's own request, whichever is to be killed.
                os.kill(daemon.pid if victim == "daemon" else pid, signal.SIGKILL)

        while not struck:
            place = self.wires.place(stage, step)
            fault = arm(place, kind, strike)
            needs = NEEDS.get((stage, step))
            if needs:
                {"junk": self.source.put_junk, "poison": self.source.put_poison}[needs]()
            self.until(fault.arrived.is_set, f"stage {stage} comes to {step}")
        self.until(lambda: struck[0].poll() is not None, f"the daemon of stage {stage} has ended")
        count("kills", f"real, {'child' if victim == 'child' else 'daemon'} at steps")

    def kill_sometime(self, stage, victim):
        self.until_working(stage)
        time.sleep(self.random.uniform(0, 1))
        self.source.put(10)
        children = self.children(stage)
        daemon = self.hosts[stage, "a"].process
        if victim == "child" and children:
            signal_to(self.random.choice(children), signal.SIGKILL)
        else:
            daemon.kill()
        count("kills", f"real, {victim} at random")
        self.until(lambda: daemon.poll() is not None, f"the daemon of stage {stage} has ended")

    def zombies(self, stage):
        """Stop a daemon and its children until another host has gone on; then wake them."""
        self.until_working(stage)
        stopped = family(self.hosts[stage, "a"].process.pid)
        for one in stopped:
            signal_to(one, signal.SIGSTOP)
        other = self.start(stage, "b")
        wrote = {"one": "wrote s3://", "two": "loaded "}[stage]

        def went_on():
            return self.works_on(stage, "b") and wrote in other.log.read_text()

        self.until(went_on, "the other host has gone on")
        for one in stopped:
            signal_to(one, signal.SIGCONT)
        count("zombies", "real, by SIGSTOP", times=len(stopped) - 2)  # less `run` and Java
        self.until(
            lambda: (
                "nothing more is written" in self.hosts[stage, "a"].log.read_text()
                or self.hosts[stage, "a"].process.poll() is not None
            ),
            "the zombie has noticed",
        )

        self.guests.append((stage, "b"))

    def split(self, stage):
        split(self.both.kinesis, self.streams[stage], self.random)
        count("reshards", "real")

    def merge(self, stage):
        merge(self.both.kinesis, self.streams[stage], self.random)
        count("reshards", "real")

    def reshard(self, stage):
        reshard(self.both.kinesis, self.streams[stage], self.random)
        count("reshards", "real")


def at_random(random):
    """Choose the deeds of one round: kills, reshards, at times a zombie at the end."""
    deeds = []
    for _ in range(random.randint(2, 4)):
        stage = random.choice(list(STEPS))
        step = random.choice([one for one in STEPS[stage] if one != "look"])  # only at a start
        kind, victim = random.choice(["cut", "cut-after"]), random.choice(["child", "daemon"])
        if step == "checkpoint":
            victim = "daemon"
        choices = {
            ("strike_at", stage, step, kind, victim): 4,
            ("kill_sometime", stage, victim): 3,
            ("reshard", "one"): 0.7,
            ("reshard", "two"): 0.3,
        }
        deeds += random.choices(list(choices), list(choices.values()))
    if random.random() < 0.3:
        deeds.append(("zombies", random.choice(list(STEPS))))
    return deeds


def family(pid):
    """Return a process and its descendants, those that live."""
    try:
        one = psutil.Process(pid)
        return [one, *one.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def signal_to(process, number):
    with suppress(psutil.NoSuchProcess):
        process.send_signal(number)
