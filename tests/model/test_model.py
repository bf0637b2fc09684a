"""A model of delivery: whatever dies, whenever, the table is the stream, each record once.

The program itself runs, from the daemon's pipes to the clients of S3, Kinesis, DynamoDB and
Redshift; see ``simulation``. ``--hypothesis-profile thorough`` tries 10,000 histories.
"""

import itertools
import random
import sys

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from model.simulated_kcl import (
    BASIC,
    ITEMS,
    ITEMS_AND_FILES,
    STAGE_ONE,
    TRIES,
    World,
    simulated,
)
from model.simulation import Outcome

HISTORIES, STEPS = 150, 60  # of the gate
ALL = 9  # steps: to the end of what can be done
# A call of stage two takes no more than 7, from LOCK to COMMIT; 19, if rows are left out.
FEW = [*range(1, 8), 9, 11, 13, 15, 16, 17, 18]
FAULTS = [outcome for outcome in Outcome if outcome is not Outcome.DONE]
CHOICES = {}  # what each strategy chooses of


def one_of(*choices):
    """Choose of every combination with one draw: draws are most of what a history costs."""
    values = list(itertools.product(*choices)) if len(choices) > 1 else list(*choices)
    strategy = st.sampled_from(values)
    CHOICES[strategy] = values
    return strategy


def some_lists(values, most, count):
    """Make many lists of some of ``values``, the simplest first."""
    chance = random.Random(0)
    return sorted(
        (chance.choices(values, k=chance.randint(1, most)) for _ in range(count)), key=len
    )


picks = one_of(range(12))
thresholds = one_of([1, 2, 3, 9, 9], [1_000_000, 1_000_000, 60], [1000, 1_000_000])
fates = [
    *[""] * 8,
    "skip",
    "skip",
    "maybe",
    "maybe",
    "bad",
    "refused",
    "poison",
    "poison",
    "nameless",
]
records = some_lists(list(itertools.product(fates, range(3), [False, True])), most=6, count=300)
# How a call goes: some steps, then perhaps something fails, once or until the retries are spent;
# then some steps more, perhaps not to its end.
failures = list(itertools.product(FEW, FAULTS, [1, TRIES]))
ends = [*[ALL] * len(FEW), *FEW]
smooth = list(itertools.product([None], ends))
courses = one_of([None] * (len(failures) // 3) + failures, ends)
beginning = {
    "given": one_of(records),
    "limits": thresholds,
    "course": courses,
    "kind": one_of([True, False], ["true", "false"], [100, 100, 1, 2]),
}


class Delivery(RuleBasedStateMachine):
    """Histories of two stages, with several owners of a shard at once."""

    settings = STAGE_ONE

    def __init__(self):
        super().__init__()
        self.world = World(self.settings)
        self.is_exact = True  # every life begins where a checkpoint was made

    # The stream.

    @initialize(**beginning)
    def begin(self, given, limits, course, kind):
        """Most histories have something to load soon."""
        self.is_exact, self.world.loading["redshiftCopyMandatory"], most = kind
        self.world.most_bad_rows = most
        self.put(0, given)
        life = self.world.begin(self.world.shards[0], *limits)
        life.deliver(len(given))
        go_on(life, course)

    @rule(which=picks, given=one_of(records))
    def put(self, which, given):
        for fate, rows, aggregated in given:
            self.world.put(pick(which, self.open), fate, rows, aggregated=aggregated)

    @precondition(lambda self: len(self.world.shards) < 5)
    @rule(which=picks, merge=one_of([False, True]))
    def reshard(self, which, merge):
        shard, *others = rotated(which, self.open)
        self.world.reshard(shard, others[0] if merge and others else None)

    # A daemon begins a child, or calls it; some steps of what follows go well.

    @precondition(lambda self: self.ready)
    @rule(which=picks, limits=thresholds)
    def begin_stage_one(self, which, limits):
        self.world.begin(pick(which, self.ready), *limits)

    @precondition(lambda self: self.told)
    @rule(which=picks, limits=thresholds)
    def begin_stage_two(self, which, limits):
        self.world.begin(pick(which, self.told), *limits)

    @precondition(lambda self: self.idle)
    @rule(which=picks, count=one_of(range(ALL + 1)), course=courses)
    def deliver(self, which, count, course):
        life = pick(which, self.idle)
        life.deliver(count)
        go_on(life, course)

    @precondition(lambda self: self.overtakable)
    @rule(
        which=picks,
        given=one_of([[]] * len(records) + records),
        counts=one_of(range(ALL + 1), range(ALL + 1)),
        course=one_of(smooth, smooth, smooth),
        is_quicker=one_of([False, True]),
        count=one_of([1, 9, 9, 9]),
    )
    def overtake(self, which, given, counts, course, is_quicker, count):
        """Another takes a shard whose owner does not know: both are fed, then both flush."""
        life = pick(which, self.overtakable)
        if life.shard in self.open:
            self.put(self.open.index(life.shard), given)
        if life in self.idle:
            life.deliver(counts[0])
            go_on(life, course[0])
        other = self.world.begin(life.shard, count, 1_000_000, 1_000_000)
        other.deliver(counts[1])
        go_on(other, course[1])
        for each in (other, life) if is_quicker else (life, other):
            if each in self.idle:
                each.end("shutdownRequested")
            go_on(each, course[2])

    @precondition(lambda self: self.idle)
    @rule(which=picks, course=courses)
    def stop(self, which, course):
        life = pick(which, self.idle)
        life.end("shutdownRequested")
        go_on(life, course)

    @precondition(lambda self: self.at_the_end)
    @rule(which=picks, course=courses)
    def end_shard(self, which, course):
        life = pick(which, self.at_the_end)
        life.end("shardEnded")
        go_on(life, course)

    @precondition(lambda self: self.idle_zombies)
    @rule(which=picks)
    def lose_lease(self, which):
        life = pick(which, self.idle_zombies)
        life.end("leaseLost")
        life.run()
        life.pipes.hang_up()
        life.run()
        assert life.process.code == 0

    # Somebody else has a hand in it.

    @precondition(lambda self: self.restorable)
    @rule(which=picks, back=picks)
    def restore(self, which, back):
        """Put the lease table back to what it was."""
        shard = pick(which, self.restorable)
        shard.move(pick(back, shard.history))

    @precondition(lambda self: not self.is_exact and self.movable)
    @rule(which=picks, at=picks, limits=thresholds, course=courses)
    def begin_anywhere(self, which, at, limits, course):
        """Lose a lease, then read from LATEST, or from what is not expired yet."""
        shard = pick(which, self.movable)
        shard.is_exact = False
        shard.move(pick(at, self.beginnings(shard)))
        life = self.world.begin(shard, *limits)
        life.deliver(ALL)
        go_on(life, course)

    @precondition(lambda self: self.told)
    @rule(
        which=picks, where=one_of(range(2)), how=one_of(["path", "another range", "less", "less"])
    )
    def announce_again(self, which, where, how):
        shard = pick(where, self.told)
        given = pick(which, shard.records[::-1])
        self.world.announce_again(given, how, self.world.manifests[where])

    @precondition(lambda self: not self.world.s3.deleted and self.deletable)
    @rule(which=picks)
    def delete(self, which):
        """Delete a file, loaded or not."""
        self.world.delete(pick(which, self.deletable))

    @precondition(lambda self: self.told or self.world.is_basic)
    @rule(fault=one_of(["", "poison", "nameless", "wide", "wide"]))
    def alter_table(self, fault):
        self.world.alter_table(fault)

    @precondition(lambda self: self.locked_out)
    @rule(which=picks)
    def time_out(self, which):
        """Wait for the ledger until a statement may last no longer."""
        pick(which, self.locked_out).time_out()

    @precondition(lambda self: not self.world.has_table)
    @rule()
    def change_filter(self):
        """Start all with another filter: what was written by the one before stays as it is."""
        self.world.change_filter()

    # What happens then.

    @precondition(lambda self: self.awake)
    @rule(which=picks, course=courses)
    def go_on(self, which, course):
        go_on(pick(which, self.awake), course)

    @precondition(lambda self: self.alive)
    @rule(which=picks)
    def crash(self, which):
        pick(which, self.alive).kill()

    @precondition(lambda self: self.world.late)
    @rule(which=picks)
    def arrive(self, which):
        self.world.arrive(which)

    @rule()
    def pass_time(self):
        self.world.seconds += 2.0

    def teardown(self):
        try:
            self.world.finish()
        finally:
            self.world.close()

    @property
    def open(self):
        return [shard for shard in self.world.shards if not shard.is_closed]

    @property
    def ready(self):
        return [shard for shard in self.world.shards if shard.is_ready]

    @property
    def alive(self):
        return [life for life in self.world.lives if not life.is_over]

    @property
    def awake(self):
        return [life for life in self.alive if not life.process.is_stuck]

    @property
    def idle(self):
        return [life for life in self.alive if life.is_idle and not life.is_told_end]

    @property
    def idle_zombies(self):
        return [life for life in self.idle if not life.is_owner]

    @property
    def overtakable(self):
        return [life for life in self.alive if life.is_owner and life.shard.is_ready]

    @property
    def told(self):
        is_loading = self.world.is_loading
        return [shard for shard in self.world.manifests if shard.records and is_loading]

    @property
    def restorable(self):
        shards = [*self.world.shards, *self.world.manifests]
        return [shard for shard in shards if any(at < shard.checkpoint for at in shard.history)]

    @property
    def movable(self):
        return [shard for shard in self.ready if self.beginnings(shard)]

    def beginnings(self, shard):
        """Return after which records a life may begin: inside a file, if there is one."""
        after = [given.position for given in shard.records if given.position >= shard.deleted]
        places = [f.place for f in self.world.promises.files() if f.place.shard == shard.name]
        inside = [at for at in after for _, first, last in places if first <= at < last]
        return inside or after

    @property
    def deletable(self):
        """The files that nobody needs any more but, perhaps, a load: those first."""
        done = {shard.name: shard.checkpoint for shard in self.world.shards}
        s3, promises = self.world.s3, self.world.promises
        files = [
            file
            for file in promises.files()
            if file.key in s3.objects and file.place.last <= done[file.place.shard]
        ]
        entered = promises.entered()
        return [file for file in files if file.key not in entered] or files

    @property
    def locked_out(self):
        stuck = [life for life in self.alive if life.process.is_stuck]
        return [life for life in stuck if life.process.effect.name == "LOCK"]

    @property
    def at_the_end(self):
        return [life for life in self.idle if life.is_owner and life.has_all]


class DeliveryInOneProcess(Delivery):
    """Histories of a stage that loads its files itself."""

    settings = BASIC


class DeliveryOfItems(Delivery):
    """Histories of a table of items."""

    settings = ITEMS


class DeliveryOfItemsAndFiles(Delivery):
    """Histories of a table of items and, behind it, a chain of files."""

    settings = ITEMS_AND_FILES


def pick(number, things):
    return things[number % len(things)]


def rotated(number, things):
    at = number % len(things)
    return things[at:] + things[:at]


def go_on(life, course):
    """Let a life take its course, unless it comes to its end before."""
    failure, steps = course
    if failure:
        before, fault, times = failure
        take(life, before)
        take(life, times, fault)
    take(life, steps)


def take(life, steps, outcome=Outcome.DONE):
    if steps == ALL:
        life.run()
    while steps and not life.process.is_stuck:
        life.step(outcome)
        steps -= 1


@pytest.fixture(autouse=True)
def services():
    with simulated():
        yield


@pytest.mark.parametrize(
    ("machine", "histories"),
    [
        (Delivery, HISTORIES * 4 // 5),
        (DeliveryInOneProcess, HISTORIES // 5),
        (DeliveryOfItems, HISTORIES // 5),
        (DeliveryOfItemsAndFiles, HISTORIES // 5),
    ],
    ids=["two stages", "in one process", "items", "items and files"],
)
def test_every_history_ends_in_the_same_table(machine, histories):
    """Crashes, zombies, lost and late answers, reshards: rows are exact, and dead letters too."""
    run_state_machine_as_test(
        machine, settings=settings(stateful_step_count=STEPS, max_examples=histories)
    )
    # The rest without Hypothesis, which remembers every choice: gigabytes for ten thousand.
    for _ in range(settings().max_examples - HISTORIES):
        seed = random.SystemRandom().randrange(2**32)
        print(f"seed {seed}")  # which pytest shows of what fails
        one_history(machine, random.Random(seed))


# The rules that lead to most of what can go wrong.
OFTEN = {
    "overtake": 3,
    "go_on": 3,
    "deliver": 3,
    "begin_stage_two": 2,
    "begin_anywhere": 3,
    "restore": 2,
}


def look_for_a_counterexample(kind=Delivery, seed=1):
    """Try history after history, the same ones for a seed, until one ends badly, which raises.

    The rules are those of the model; chosen by Hypothesis they would take three times as long.
    """
    chance = random.Random(seed)
    with simulated():
        while True:
            one_history(kind, chance)


def one_history(kind, chance):
    """Try one history to its end."""
    machine = kind()
    try:
        play(machine, chance)
        machine.world.finish()
    finally:
        machine.world.close()


def play(machine, chance):
    """Begin a history, and go on by chance."""

    def chosen(arguments):
        return {name: chance.choice(CHOICES[of]) for name, of in arguments.items()}

    machine.begin(**chosen(beginning))
    for _ in range(STEPS):
        rules = [r for r in machine.rules if all(may(machine) for may in r.preconditions)]
        (rule,) = chance.choices(rules, [OFTEN.get(r.function.__name__, 1) for r in rules])
        rule.function(machine, **chosen(rule.arguments))


if __name__ == "__main__":
    sys.tracebacklimit = 0
    kind, *seed = sys.argv[1:]
    look_for_a_counterexample(globals()[kind], *map(int, seed))
