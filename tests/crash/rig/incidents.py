"""What is done to the played daemons' children. Each returns what it is called, and the deed."""

import signal
import time

from crash.rig.reshard import reshard
from crash.rig.tally import count
from crash.rig.wires import SERVICES, STATEMENTS, STEPS

BROKEN = ("503", "503-after", "cut", "cut-after", "late")
RESHARDS = (0.7, 0.3)  # how often each stage's stream is, beside the other
LONGEST = 0.4  # seconds until a random moment: a batch or two


def killed_at(stage, step, kind):
    """Kill the child at a step: ``cut`` before it has its effect, ``cut-after`` after."""

    def act(rig):
        struck = []
        while not any(struck):  # None: it was dead already when its request came by
            happened = rig.let_happen(
                stage, step, kind, lambda who: struck.append(rig.kill(who)), _linger(rig)
            )
            if not happened:
                return
        count("kills", "played, at steps")

    return f"stage {stage} killed at {step} ({kind})", act


def killed_sometime(stage):
    """Kill a child at a random moment."""

    def act(rig):
        life = rig.pick(stage)
        time.sleep(rig.random.uniform(0, LONGEST))
        if not life.done.is_set() and not life.is_ours:
            rig.kill(life)
            life.done.wait()
            count("kills", "played, at random")

    return f"stage {stage} killed at random", act


def orphaned(stage):
    """Let the daemon vanish: nobody answers the child, and a new one takes its shard at once."""

    def act(rig):
        life = rig.pick(stage)
        time.sleep(rig.random.uniform(0, LONGEST))
        life.orphan()
        life.done.wait()
        count("kills", "played, of the daemon")

    return f"stage {stage} orphaned", act


def twin(stage):
    """Start a second child on the shard of one that works on."""

    def act(rig):
        rig.end(rig.take_over(rig.pick(stage)))
        count("zombies", "played, awake")

    return f"a twin in stage {stage}", act


def frozen_at(stage, step, kind, *, wakes_last=False):
    """Stop the child at a step until another has gone on; ``delay``: so its request is late.

    One that wakes last does so when all that was put is done: nothing is written over its own.
    """

    def act(rig):
        stopped = []

        def wake(fault):
            (zombie,) = stopped
            owner = rig.take_over(zombie) if zombie else None
            if wakes_last:
                rig.rest(stage)
            fault.released.set()
            if zombie:
                zombie.process.send_signal(signal.SIGCONT)
                rig.end(zombie)
                rig.end(owner)  # if that was another by then
                count("zombies", "played, frozen")

        rig.let_happen(stage, step, kind, lambda who: stopped.append(rig.stop(who)), wake)

    return f"stage {stage} frozen at {step} ({kind}{', wakes last' if wakes_last else ''})", act


def answer_lost(stage, step, kind):
    """Lose a request or its answer; or let the request arrive after it has been repeated."""

    def act(rig):
        if rig.let_happen(stage, step, kind, meanwhile=_linger(rig)):
            count("lost answers", f"of {_service(step)}")

    return f"stage {stage} gets no answer at {step} ({kind})", act


def throttled(stage):
    """Refuse a checkpoint for a passing reason."""

    def act(rig):
        if rig.let_happen(stage, "checkpoint", "ThrottlingException"):
            count("throttled checkpoints")

    return f"a checkpoint of stage {stage} throttled", act


def resharded(stage):
    """Split a shard, or merge two when there are many."""

    def act(rig):
        application = rig.stages[stage]
        reshard(application.kinesis, application.stream, rig.random)
        application.look_at_shards()
        count("reshards", "played")

    return f"the stream of stage {stage} resharded", act


def at_random(random, steps=STEPS):
    """Choose what is to happen next; kills mostly. ``steps`` are those of each stage."""
    stage = random.choice(list(steps))
    step = random.choice(steps[stage])
    before_or_after = random.choice(["", "-after"])
    passing = [one for one in steps[stage] if one != "checkpoint"]
    lossy = random.choice(passing)
    kinds = BROKEN if _service(lossy) != "Redshift" else BROKEN[2:]
    choices = {
        killed_at(stage, step, f"cut{before_or_after}"): 6,
        killed_sometime(stage): 5,
        orphaned(stage): 2,
        twin(stage): 1.5,
        frozen_at(stage, step, f"delay{before_or_after}"): 1.5,
        answer_lost(stage, lossy, random.choice(kinds)): 4,
        killed_at(stage, lossy, "late"): 1,
        throttled(stage): 1,
        **{resharded(each): often for each, often in zip(steps, RESHARDS, strict=False)},
    }
    return random.choices(list(choices), list(choices.values()))[0]


def _linger(rig):
    """Return what keeps a late request back until the next life, or the next try, has come by."""

    def linger(fault):
        if fault.kind == "late":
            time.sleep(rig.random.uniform(0.1, 1))

    return linger


def _service(step):
    if step in STATEMENTS:
        return "Redshift"
    return SERVICES.get(step, "S3")
