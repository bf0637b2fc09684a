"""A model of delivery: whatever dies, whenever, the table is the stream, each record once.

The program itself runs, from the daemon's pipes to the clients of S3, Kinesis and Redshift; see
``simulation``. ``--hypothesis-profile thorough`` tries 10,000 histories.
"""

import sys

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from simulated_kcl import TRIES, World, simulated
from simulation import Outcome

ALL = 9  # steps: to the end of what can be done
picks = st.integers(0, 11)
steps = st.just(ALL) | st.integers(0, ALL)
thresholds = {
    "count": st.sampled_from([1, 2, 3, 9]),
    "size": st.sampled_from([1, 60, 1_000_000]),
    "milliseconds": st.sampled_from([1000, 1_000_000]),
}
fates = st.sampled_from(["", "", "", "", "skip", "bad", "bad", "poison"])
some_records = st.lists(st.tuples(fates, st.integers(0, 2), st.booleans()), min_size=1, max_size=6)
outcomes = st.sampled_from([Outcome.DONE, Outcome.DONE, *Outcome])


class Delivery(RuleBasedStateMachine):
    """Histories of two stages, with several owners of a shard at once."""

    def __init__(self):
        super().__init__()
        self.world = World()

    # The stream.

    @initialize(given=some_records, count=thresholds["count"], steps=steps)
    def begin(self, given, count, steps):
        """Most histories have something to load soon."""
        self.put(0, given)
        life = self.world.begin(self.world.shards[0], count, 1_000_000, 1000)
        life.deliver(len(given))
        go_on(life, steps)

    @rule(which=picks, given=some_records)
    def put(self, which, given):
        for fate, rows, aggregated in given:
            self.world.put(pick(which, self.open), fate, rows, aggregated=aggregated)

    @precondition(lambda self: len(self.world.shards) < 5)
    @rule(which=picks, merge=st.booleans())
    def reshard(self, which, merge):
        shard, *others = rotated(which, self.open)
        self.world.reshard(shard, others[0] if merge and others else None)

    # A daemon begins a child, or calls it; some steps of what follows go well.

    @precondition(lambda self: self.ready)
    @rule(which=picks, **thresholds)
    def begin_stage_one(self, which, count, size, milliseconds):
        self.world.begin(pick(which, self.ready), count, size, milliseconds)

    @precondition(lambda self: self.world.manifests.records)
    @rule(**thresholds)
    def begin_stage_two(self, count, size, milliseconds):
        self.world.begin(self.world.manifests, count, size, milliseconds)

    @precondition(lambda self: self.idle)
    @rule(which=picks, count=st.integers(0, 5), steps=steps)
    def deliver(self, which, count, steps):
        life = pick(which, self.idle)
        life.deliver(count)
        go_on(life, steps)

    @precondition(lambda self: self.overtakable)
    @rule(
        which=picks,
        given=st.just([]) | some_records,
        counts=st.tuples(*[st.integers(0, ALL)] * 2),
        steps=st.tuples(*[steps] * 3),
        is_quicker=st.booleans(),
        **thresholds,
    )
    def overtake(self, which, given, counts, steps, is_quicker, count, size, milliseconds):
        """Another takes a shard whose owner does not know: both are fed, then both flush."""
        life = pick(which, self.overtakable)
        if life.shard in self.open:
            self.put(self.open.index(life.shard), given)
        if life in self.idle:
            life.deliver(counts[0])
            go_on(life, steps[0])
        other = self.world.begin(life.shard, count, size, milliseconds)
        other.deliver(counts[1])
        go_on(other, steps[1])
        for each in (other, life) if is_quicker else (life, other):
            if each in self.idle:
                each.end("shutdownRequested")
            go_on(each, steps[2])

    @precondition(lambda self: self.idle)
    @rule(which=picks, steps=steps)
    def stop(self, which, steps):
        life = pick(which, self.idle)
        life.end("shutdownRequested")
        go_on(life, steps)

    @precondition(lambda self: self.at_the_end)
    @rule(which=picks, steps=steps)
    def end_shard(self, which, steps):
        life = pick(which, self.at_the_end)
        life.end("shardEnded")
        go_on(life, steps)

    @precondition(lambda self: self.idle_zombies)
    @rule(which=picks)
    def lose_lease(self, which):
        life = pick(which, self.idle_zombies)
        life.end("leaseLost")
        life.run()
        life.pipes.hang_up()
        life.run()
        assert life.process.code == 0

    # What happens then.

    @precondition(lambda self: self.awake)
    @rule(which=picks, outcome=outcomes, steps=steps)
    def step(self, which, outcome, steps):
        life = pick(which, self.awake)
        life.step(outcome)
        go_on(life, steps)

    @precondition(lambda self: self.awake)
    @rule(which=picks, outcome=outcomes)
    def outage(self, which, outcome):
        """One thing after the other comes out like that, until the retries are spent."""
        life = pick(which, self.awake)
        for _ in range(TRIES):
            if not life.process.is_stuck:
                life.step(outcome)

    @precondition(lambda self: self.awake)
    @rule(which=picks)
    def run(self, which):
        pick(which, self.awake).run()

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
            self.world.look_at_the_whole()
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
    def at_the_end(self):
        return [life for life in self.idle if life.is_owner and life.has_all]


def pick(number, things):
    return things[number % len(things)]


def rotated(number, things):
    at = number % len(things)
    return things[at:] + things[:at]


def go_on(life, steps):
    """Do some steps that go well."""
    if steps == ALL:
        life.run()
    while steps and not life.process.is_stuck:
        life.step()
        steps -= 1


@pytest.fixture(autouse=True)
def services():
    with simulated():
        yield


def test_every_history_ends_in_the_same_table():
    """Crashes, zombies, lost and late answers, reshards: rows are exact, and dead letters too."""
    run_state_machine_as_test(Delivery, settings=settings(stateful_step_count=60))


# Two owners, in every interleaving of their effects.


def interleavings(begin):
    """Run two lives to their ends in every order of their steps; yield each world at its end.

    ``begin`` makes a world and its two lives. What is not possible at a moment, such as a lock
    that the other holds, is no choice.
    """
    waiting = [[]]
    while waiting:
        choices = waiting.pop()
        world, lives = begin()
        taken = []
        while awake := [life for life in lives if not life.process.is_stuck]:
            if len(taken) < len(choices):
                life = choices[len(taken)]
            else:
                life = lives.index(awake[0])
                waiting += [[*taken, lives.index(other)] for other in awake[1:]]
            taken.append(life)
            lives[life].step()
        yield world
        world.close()


def test_two_owners_of_a_shard_in_every_interleaving():
    """Whichever of two processes writes an object first, the other goes on after it."""

    def begin():
        world = World()
        shard = world.shards[0]
        for fate in ["", "bad", ""]:
            world.put(shard, fate, 1, aggregated=False)
        lives = [world.begin(shard, count, 1000, 1000) for count in (1, 2)]
        for life in lives:
            life.deliver(3)
        return world, lives

    count = 0
    for count, world in enumerate(interleavings(begin), 1):  # noqa: B007
        world.finish()
        world.look_at_the_whole()
    assert count > 100


def test_two_loaders_in_every_interleaving():
    """Whichever of two processes has the ledger first, the other loads nothing twice."""

    def begin():
        world = World()
        shard = world.shards[0]
        for fate in ["", "", "poison"]:
            world.put(shard, fate, 1, aggregated=False)
        life = world.begin(shard, 1, 1000, 1000)
        life.deliver(3)
        life.run()
        lives = [world.begin(world.manifests, count, 1000, 1000) for count in (2, 3)]
        for life in lives:
            life.deliver(3)
        return world, lives

    count = 0
    for count, world in enumerate(interleavings(begin), 1):  # noqa: B007
        world.finish()
        world.look_at_the_whole()
    assert count > 100


def test_a_manifest_that_arrives_late_is_nobody_elses():
    """A manifest that was on its way when its writer died does not change what the next loads."""
    world = World()
    for _ in range(2):
        world.put(world.shards[0], "", 1, aggregated=False)
    life = world.begin(world.shards[0], 1, 1000, 1000)
    life.deliver(2)
    life.run()
    first = world.begin(world.manifests, 1, 1000, 1000)
    first.deliver(1)
    go_until(first, "put two/manifests")
    first.step(Outcome.LATE)
    first.kill()
    late_put, server_notices = world.late
    server_notices()
    second = world.begin(world.manifests, 2, 1000, 1000)
    second.deliver(2)
    go_until(second, "COPY")
    late_put()
    second.run()
    world.finish()
    world.look_at_the_whole()


def go_until(life, name):
    while not life.process.effect.name.startswith(name):
        life.step()


def look_for_a_counterexample():
    """Try histories until one ends badly, which raises; the same ones each time."""
    search = settings(
        stateful_step_count=60,
        max_examples=100_000,
        phases=[Phase.generate],
        derandomize=True,
        database=None,
        deadline=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    with simulated():
        test_a_manifest_that_arrives_late_is_nobody_elses()
        run_state_machine_as_test(Delivery, settings=search)


if __name__ == "__main__":
    sys.tracebacklimit = 0
    look_for_a_counterexample()
