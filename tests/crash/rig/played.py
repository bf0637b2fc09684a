"""The rig with the KCL played: both stages' children, on wires that kill, cut and delay."""

import os
import time

from crash.rig.comparison import Comparison
from crash.rig.kcl import Application
from crash.rig.play import QUICK_RETRIES, STEADY, Play
from crash.rig.poison import refuse_poison
from crash.rig.source import Source
from crash.rig.tally import count
from crash.rig.wires import NEEDS, STEPS, Wires
from support.child_talk import environment_of_child
from support.paths import TESTS
from support.two_stages import TwoStages


class Rig(Play):
    """Two pipelines, what is put into them, and what is done to them."""

    limits = {"one": (3, 60), "two": (1, 12)}  # noqa: RUF012 - never written to
    going_on = {"one": 10, "two": 2}  # noqa: RUF012 - in stage two the zombie may hold the lock
    needs = NEEDS

    def __init__(self, stack, folder, name, random, package=None):
        wires = Wires(stack, name)
        stages = {"one": {**STEADY, **QUICK_RETRIES}, "two": QUICK_RETRIES}
        pipelines = {stage: {**stages[stage], **wires.properties(stage)} for stage in STEPS}
        self.both = TwoStages(stack, folder, name, **pipelines)
        refuse_poison(self.both)
        source = Source(self.both, random)
        environment = {**environment_of_child(package), **stack.environment}
        environment["PYTHONPATH"] += os.pathsep + str(TESTS)
        applications = {
            stage: Application(stage, settings, self.both.kinesis, environment, random)
            for stage, settings in (("one", self.both.one), ("two", self.both.two))
        }
        self.last_poison = 0.0
        super().__init__(applications, wires, source, Comparison(self.both, source), random)

    def close(self):
        self.wires.close()
        for application in self.stages.values():
            application.close()
        self.both.close()
        count("412s", times=self.wires.refused)

    def settle(self):
        self.wires.redshift.deliver_all()  # a late statement's transaction may hold the ledger

    def put_some(self):
        self.source.put(self.random.randint(2, 12))
        if self.random.random() < (1 if self.wanted["junk"] else 0.05):
            self.source.put_junk()
        if self.random.random() < 0.25:
            self.source.put_poison(may_be_untold=False)
        # Others cost the loader many failures; too many of them, and a round is spent on that.
        is_time = time.monotonic() > self.last_poison + 1
        if is_time and (self.wanted["poison"] or self.random.random() < 0.04):
            self.source.put_poison()
            self.last_poison = time.monotonic()
