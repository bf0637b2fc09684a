"""Two processes at once: in every interleaving of their effects, or in one that does harm.

The rest of what the model can do is left to chance, in ``test_model``.
"""

import sys

import pytest

from model.simulated_kcl import ITEMS, NOWHERE, World, simulated
from model.simulated_services import LEFT_OUT, ROWS
from model.simulation import Outcome


@pytest.fixture(autouse=True)
def services():
    with simulated():
        yield


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


def assert_every_interleaving_ends_well(begin):
    count = 0
    for world in interleavings(begin):
        world.finish()
        count += 1
    assert count > 50


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

    assert_every_interleaving_ends_well(begin)


def test_two_writers_of_items_in_every_interleaving():
    """Whichever of two processes writes an item first, the last record of its key is what stays."""

    def begin():
        world = World(ITEMS)
        shard = world.shards[0]
        for _ in range(2):
            world.put(shard, "", 2, aggregated=False)
        lives = [world.begin(shard, count, 1000, 1000) for count in (1, 2)]
        for life in lives:
            life.deliver(2)
        return world, lives

    assert_every_interleaving_ends_well(begin)


def test_two_loaders_in_every_interleaving():
    """Whichever of two processes has the ledger first, the other loads nothing twice."""

    def begin():
        world, messages = world_with_files("", "", "poison")
        world.most_bad_rows = 0
        lives = [world.begin(messages, count, 1000, 1000) for count in (2, 3)]
        for life in lives:
            life.deliver(3)
            go_until(life, "LOCK")
        return world, lives

    assert_every_interleaving_ends_well(begin)


@pytest.mark.parametrize("later", ["", "wide"])
def test_two_loaders_of_a_file_with_a_bad_row_in_every_interleaving(later):
    """Whoever loads it leaves the row out or, when the table takes it by now, nobody does."""

    def begin():
        world, messages = world_with_files("", "poison", together=True)
        lives = [world.begin(messages, 1, 1000, 1000) for _ in range(2)]
        for life in lives:
            life.deliver(1)
            go_until(life, "put two/repaired")
        go_until(lives[0], "LOCK")
        world.redshift.is_wide = later == "wide"
        return world, lives

    assert_every_interleaving_ends_well(begin)


def test_a_row_left_out_in_vain_is_loaded_later():
    """Letters of a COMMIT that never came stay, and count for nothing: the row is in the table."""
    world, messages = world_with_files("", "poison", together=True)
    first = world.begin(messages, 1, 1000, 1000)
    first.deliver(1)
    go_until(first, "COMMIT")
    first.kill()
    while world.late:
        world.arrive(0)
    world.redshift.is_wide = True
    second = world.begin(messages, 1, 1000, 1000)
    second.deliver(1)
    second.run()

    (entry,) = [entry for entry in world.redshift.committed.ledger if "first" not in entry[0]]
    assert entry[LEFT_OUT] == 0
    assert entry[ROWS] == 2
    world.finish()


def test_a_manifest_that_arrives_late_is_nobody_elses():
    """A manifest that was on its way when its writer died does not change what the next loads."""
    world, messages = world_with_files("", "")
    first = world.begin(messages, 1, 1000, 1000)
    first.deliver(1)
    go_until(first, "put two/manifests")
    first.step(Outcome.LATE)
    first.kill()
    (late_put,) = world.late
    second = world.begin(messages, 2, 1000, 1000)
    second.deliver(2)
    go_until(second, "COPY")
    late_put()
    second.run()
    world.finish()


def test_what_one_loader_refuses_takes_no_letter_of_anothers():
    """Two loaders refuse files in an order of their own, one of them more than the other.

    Those that COPY names come before the one that fails alone: both begin with the first file and
    end with the third.
    """
    world, messages = world_with_files("poison", "poison", "nameless", "poison", "poison")
    zombie = world.begin(messages, 3, 1_000_000, 1000)
    zombie.deliver(3)
    go_until(zombie, "put errors/")
    owner = world.begin(messages, 5, 1_000_000, 1000)
    owner.deliver(5)
    owner.run()
    zombie.run()
    world.finish()


def test_a_commit_that_is_lost_is_made_again():
    """A COMMIT that did not arrive, and of which nobody said so, has loaded nothing."""
    world, messages = world_with_files("")
    loader = world.begin(messages, 1, 1_000_000, 1000)
    loader.deliver(1)
    go_until(loader, "COMMIT")
    loader.step(Outcome.LOST)
    loader.run()
    world.finish()


def test_bad_records_before_a_file_that_is_found_are_letters():
    """Who wrote the file may have begun behind them: they are letters before the checkpoint."""
    world = World()
    (shard,) = world.shards
    for fate in ("bad", ""):
        world.put(shard, fate, 1, aggregated=False)
    shard.is_exact = False
    begins_behind(shard, 1)
    live(world, shard, 1)
    begins_behind(shard, 0)
    live(world, shard, 2)
    world.finish()


def test_a_file_that_is_gone_keeps_no_other_out():
    """Of two files that overlap, the one that can be loaded is."""
    world = World()
    world.loading["redshiftCopyMandatory"] = "false"
    (shard,) = world.shards
    for _ in range(3):
        world.put(shard, "", 1, aggregated=False)
    shard.is_exact = False
    live(world, shard, 2)
    begins_behind(shard, 1)
    live(world, shard, 2)
    (first,) = (f for f in world.promises.files() if f.place.first == shard.records[0].position)
    world.delete(first)
    live(world, world.manifests_of(shard.name), 2)
    world.finish()


def test_a_file_that_begins_with_what_is_left_out_now_is_found():
    """Who wrote it kept more: its rows stand, though nothing of ours begins where it does."""
    world = world_with_a_file_of_another_filter("maybe", "", kept_before=True)
    world.finish()


def test_a_file_that_begins_behind_what_is_kept_now_is_found():
    """Who wrote it kept less: what is kept now before it is a file of its own."""
    world = world_with_a_file_of_another_filter("maybe", "", kept_before=False)
    world.finish()
    first, *places = (file.place for file in world.promises.files())
    assert [place.last < first.first for place in places] == [True]


def world_with_a_file_of_another_filter(*fates, kept_before):
    """Make a world with a file of all records, whose writer died before its checkpoint."""
    world = World()
    (shard,) = world.shards
    if not kept_before:
        world.change_filter()
    for fate in fates:
        world.put(shard, fate, 1, aggregated=False)
    life = world.begin(shard, len(fates) if kept_before else 1, 1_000_000, 1000)
    life.deliver(len(fates))
    go_until(life, "checkpoint")
    world.change_filter()
    return world


def begins_behind(shard, count):
    """Let the next life begin behind so many records."""
    shard.move(shard.records[count - 1].position if count else NOWHERE)


def live(world, shard, count):
    """Take so many records at once, flush, and go on until there is nothing to do."""
    life = world.begin(shard, count, 1_000_000, 1_000_000)
    life.deliver(count)
    life.run()
    life.kill()


def world_with_files(*fates, together=False):
    """Make a world with a file for each fate, or one, and the shard of the messages about them."""
    world = World()
    (shard,) = world.shards
    for fate in fates:
        world.put(shard, fate, 1, aggregated=False)
    life = world.begin(shard, len(fates) if together else 1, 1_000_000, 1000)
    life.deliver(len(fates))
    life.run()
    return world, world.manifests_of(shard.name)


def go_until(life, name):
    while not life.process.effect.name.startswith(name):
        life.step()


if __name__ == "__main__":
    sys.tracebacklimit = 0
    with simulated():
        globals()[sys.argv[1]]()
