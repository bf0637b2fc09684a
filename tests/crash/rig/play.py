"""What is played with any pipelines' children: rounds of kills, zombies and lost answers."""

import itertools
import re
import signal
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter
from pathlib import Path

import psutil

from crash.rig.kcl import Life
from crash.rig.tally import count
from crash.rig.wires import Place, arm, disarm

PATIENCE = 150  # seconds in which something comes forward, unless it hangs; more than a Talk has
COMING = 60  # seconds until a step comes, as each does again and again: 8 on a busy machine
PUTS = 4  # before a rest: most keys that come often are in one of them
BEGINNING = 15  # seconds that a frozen life lets another have for its start: 8 on a busy machine
STEADY = {
    "transformer": "crash.rig.several:Several",
    "filter": "jmespath",
    "filterExpression": "!skip",
}
QUICK_RETRIES = {"retryLimit": "20", "backoffInterval": "20", "outagePatience": "0"}


class Play(ABC):
    """Pipelines, what is put into them, and what is done to them.

    ``stages`` are their applications by name. ``limits``: between which bufferRecordCountLimit is
    to be, by stage; ``going_on``: the seconds that a frozen life lets another work. ``needs``: what
    must be put for a step to come.
    """

    limits = {}  # noqa: RUF012 - never written to
    going_on = {}  # noqa: RUF012
    needs = {}  # noqa: RUF012

    def __init__(self, stages, wires, source, comparison, random):
        self.stages, self.wires, self.random = stages, wires, random
        self.source, self.comparison = source, comparison
        self.numbers = itertools.count()
        self.story = []  # what was done since the last comparison
        self.wanted = Counter()  # what incidents wait for
        self.is_resting = False  # until the round is over, nothing more is put
        self.tend()

    @abstractmethod
    def put_some(self):
        """Put what is to come in while incidents happen."""

    def settle(self):  # noqa: B027 - most have nothing that is late
        """Let what is late arrive, before the last comparison of a round."""

    # One round.

    def round(self, *incidents):
        """Put records until every incident is over; drain; compare."""
        self.story = [what for what, _ in incidents]
        self.is_resting = False
        self.new_limits()
        errors = []
        threads = [
            threading.Thread(target=self._run, args=(act, errors), daemon=True)
            for _, act in incidents
        ]
        for thread in threads:
            thread.start()
        self.source.put(self.random.randint(5, 15))
        while any(thread.is_alive() for thread in threads):
            self.tend()
            if not self.is_resting:
                self.put_some()
            threads[0].join(0.1)
            if not threads[0].is_alive():
                threads = [*threads[1:], threads[0]]
        if errors:
            raise errors[0]
        self.insist(self.comparison.never_wrong())
        for application in self.stages.values():
            self.drain(application)
        self.settle()
        self.insist(self.comparison.in_the_end())
        count("rounds")

    def tend(self):
        """Do the KCL's part, and pass on what went wrong in it."""
        for application in self.stages.values():
            application.tend()
            self.insist(application.problems)

    def drain(self, application):
        began = moved = time.monotonic()
        progress = application.progress()
        while not application.is_quiet(began):
            self.tend()
            if progress != application.progress():
                progress, moved = application.progress(), time.monotonic()
            if time.monotonic() > moved + PATIENCE:
                states = [
                    f"{lease.shard}: {lease.checkpoint}, owned: {bool(lease.owner)}\n"
                    + (lease.owner.told()[-2000:] if lease.owner else "")
                    for lease in application.leases.values()
                    if not lease.ended
                ]
                self.insist([f"stage {application.stage} does not drain", *states])
            time.sleep(0.02)

    def insist(self, wrong):
        said = "\n".join(wrong)
        assert not said, f"after {', '.join(self.story)}:\n{said}"

    def new_limits(self):
        """Give the lives to come other thresholds."""
        for stage in self.stages:
            records = self.random.randint(*self.limits[stage])
            self.limit(stage, records, self.random.choice([50, 150, 300]))

    def limit(self, stage, records, milliseconds):
        """Write another file: a life that has just begun may read its own only in a while."""
        application = self.stages[stage]
        text = Path(application.properties).read_text()
        limits = {"bufferRecordCountLimit": records, "bufferMillisecondsLimit": milliseconds}
        for key, value in limits.items():
            text = re.sub(rf"(?m)^{key} = .*$", f"{key} = {value}", text)
        changed = application.folder / f"{stage}-{next(self.numbers)}.properties"
        changed.write_text(text.replace(application.properties, str(changed)))
        application.properties = str(changed)

    def begin_with(self, stage, records, milliseconds):
        """Let the next life of a stage have these thresholds, whatever are those of others."""
        self.limit(stage, records, milliseconds)
        self.stages[stage].forget_spares()
        self.tend()

    def begin_anew(self, stage, records, milliseconds):
        """Let every shard of a stage go to a life that has these thresholds."""
        self.begin_with(stage, records, milliseconds)
        leases = [lease for lease in self.stages[stage].leases.values() if not lease.ended]
        for lease in leases:
            assert self.poll(lambda lease=lease: lease.owner and lease.owner.calls, PATIENCE)
            self.stop_in_order(lease.owner)
            self.tend()

    def _run(self, act, errors):
        try:
            act(self)
        except Exception as error:
            errors.append(error)

    # What incidents are made of.

    def place(self, stage, step):
        if step == "checkpoint":
            return Place(self.stages[stage].checkpoints, "checkpoint")
        return self.wires.place(stage, step)

    def let_happen(self, stage, step, kind, strike=lambda _: None, meanwhile=lambda _: None):
        """Arm a fault, wait until it has happened, then go on; tell whether it happened."""
        place = self.place(stage, step)
        needs = self.needs.get((stage, step))
        self.wanted[needs] += 1
        fault = arm(place, kind, strike)
        try:
            if step == "look":  # that is at a start only
                self.hand_over(stage)
            if fault.arrived.wait(COMING):
                meanwhile(fault)
        finally:
            self.wanted[needs] -= 1
            happened = disarm(place, fault)
        return happened

    def pick(self, stage):
        """Return a life that owns a shard, when there is one."""
        owners = self.stages[stage].owners
        assert self.poll(owners, PATIENCE), f"nobody owns a shard of stage {stage}"
        found = owners()
        return self.random.choice(found) if found else self.pick(stage)

    def life_of(self, who):
        """Return the life that was seen on a wire by its address, or itself."""
        if isinstance(who, Life):
            return who
        lives = [life for application in self.stages.values() for life in application.lives]
        return next((life for life in lives if _has_address(life.process.pid, who)), None)

    def kill(self, who):
        life = self.life_of(who)
        if life is None:
            return None
        life.is_ours = True
        life.process.kill()
        return life

    def stop(self, who):
        life = self.life_of(who)
        if life is not None:
            life.process.send_signal(signal.SIGSTOP)
        return life

    def hand_over(self, stage):
        """Tell a life to stop, so that another begins.

        Its end is not waited for: it may be the very life that meets the fault, and is frozen.
        """
        life = self.pick(stage)
        life.ending = life.ending or "shutdownRequested"

    def stop_in_order(self, life):
        """Let a life flush and end."""
        life.ending = life.ending or "shutdownRequested"
        assert life.done.wait(PATIENCE), f"a life does not end\n{life.told()[-2000:]}"

    def take_over(self, zombie):
        """Give the zombie's shard to a new life, and wait until that one has gone on with it.

        Return who owned it until then, which may be nobody any more.
        """
        lease = zombie.lease
        before = lease.checkpoint
        owner = zombie.application.give(lease)
        self.poll(lambda: lease.ended or _has_begun(lease.owner, zombie), BEGINNING)
        seconds = self.going_on[zombie.application.stage]
        self.poll(lambda: lease.checkpoint > before or lease.ended, seconds)
        return owner

    def end(self, zombie):
        """Feed a zombie for some more calls, then tell it that it has lost the lease."""
        if zombie is None:
            return
        enough = zombie.calls + self.random.randint(1, 4)
        self.poll(lambda: zombie.calls >= enough or zombie.done.is_set(), 2)
        zombie.ending = zombie.ending or "leaseLost"
        assert zombie.done.wait(PATIENCE), f"a zombie does not end\n{zombie.told()[-2000:]}"

    def rest(self, stage):
        """Put some for the last time, and wait until a stage is done with all there is."""
        for _ in range(PUTS):
            self.source.put(20)
        self.is_resting = True
        began = time.monotonic()
        assert self.poll(lambda: self.stages[stage].is_quiet(began), PATIENCE), "no rest comes"

    def poll(self, condition, seconds):
        end = time.monotonic() + seconds
        while not (found := condition()) and time.monotonic() < end:
            time.sleep(0.01)
        return found


def _has_begun(owner, zombie):
    return owner is not None and owner is not zombie and owner.calls


def _has_address(pid, address):
    try:
        ends = psutil.Process(pid).net_connections("tcp4")
    except psutil.Error:
        return False
    return any(end.laddr and tuple(end.laddr) == address for end in ends)
