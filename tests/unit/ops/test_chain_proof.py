"""The proof of a chain of files that real pipelines wrote: as it is, and with some taken away."""

from datetime import datetime, timezone

from hypothesis import given, settings
from hypothesis import strategies as st

from record_processors import Buffer, DeadLetters, Pipeline, Position
from record_processors.aws.failures import ConditionFailed, Missing
from record_processors.errors import LeaseLost
from record_processors.files.chain import Chain as FilesOfAShard
from record_processors.files.chain_emitter import ChainEmitter
from record_processors.files.file_ledger import LoadedFile
from record_processors.flow.account import Account
from record_processors.ops.chain import Seen
from record_processors.ops.chain_proof import ChainProof
from record_processors.ops.file_listing import Listed
from record_processors.ops.scratch import Scratch
from support.fakes import SHARD, Any, Words, record

LAYOUT = "{yyyy}/{MM}/{dd}/{HH}"


class Objects:
    """A bucket in memory."""

    name = "bucket"

    def __init__(self):
        self.objects = {}

    def create(self, key, body, metadata):
        if key in self.objects:
            raise ConditionFailed(key)
        self.objects[key] = (body, metadata)

    def head(self, key):
        if key not in self.objects:
            raise Missing(key)
        body, metadata = self.objects[key]
        return {"ContentLength": len(body), "Metadata": metadata}

    def page(self, prefix, token=None, **how):
        after = how.get("StartAfter", "")
        keys = [key for key in self.objects if key.startswith(prefix) and key > after]
        return {"Contents": [{"Key": key} for key in sorted(keys)]}

    def objects(self, prefix):
        return self.page(prefix)["Contents"]

    def put(self, key, body):
        pass

    def url(self, key):
        return f"s3://bucket/{key}"


class World:
    """A shard whose records are given to one life after the other, and to some at once."""

    def __init__(self, words):
        self.records = [record(word, 10 * number) for number, word in enumerate(words, 1)]
        self.bucket = Objects()
        self.checkpoint = Position(0)
        self.lives = []

    def begin(self, size):
        """Begin a life at the checkpoint; those that are there already do not know of it."""
        chain = FilesOfAShard(self.bucket, "app/", LAYOUT, "app", "events", "none")
        pipeline = Pipeline(
            Words(),
            Any(),
            Buffer(size, 10**9, 10**9),
            ChainEmitter(chain),
            DeadLetters(self.bucket, "errors/", "events", 10**9),
        )
        pipeline.since = str(self.checkpoint) if self.checkpoint.sequence else "TRIM_HORIZON"
        pipeline.start(SHARD)
        place = sum(one.position <= self.checkpoint for one in self.records)
        self.lives.append([pipeline, place])

    def go_on(self, which, count, flushes):
        """Give a life some more records; it ends with its first checkpoint that is refused."""
        if not self.lives:
            self.begin(2)
        life = self.lives[which % len(self.lives)]
        pipeline, place = life
        is_owner = life is self.lives[-1]

        def checkpoint(position):
            if not is_owner:
                raise LeaseLost("another owns the shard")
            self.checkpoint = position

        life[1] += count
        try:
            pipeline.process(self.records[place : place + count], checkpoint)
            if flushes:
                pipeline.flush(checkpoint)
        except LeaseLost:
            self.lives.remove(life)

    def proven(self, *without):
        """Prove the chain of what is there, but for some files; return it."""
        scratch = Scratch("bucket")
        hour = datetime(1970, 1, 1, tzinfo=timezone.utc)
        kept = [one for at, one in enumerate(self.files()) if at not in without]
        scratch.add_listed(Listed(SHARD, file.first, file.key, 1, 0.0, hour) for file in kept)
        scratch.add_loaded(())

        def look(number, key):
            (file,) = [one for one in kept if one.key == key]
            return file._replace(number=number)

        return ChainProof(scratch, look).run(SHARD, 1, len(kept))

    def files(self):
        found = [
            Seen(
                0,
                key,
                Position.parse(about["first-position"]),
                Position.parse(about["last-position"]),
                Account.read(about),
            )
            for key, (_, about) in self.bucket.objects.items()
        ]
        return sorted(found, key=lambda one: one.first)


words = st.lists(st.sampled_from(["word"] * 8 + ["none", "bad"]), min_size=30, max_size=60)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("begin"), st.integers(1, 4)),
        st.tuples(st.just("go on"), st.integers(0, 2), st.integers(1, 8), st.booleans()),
        st.tuples(st.just("go on"), st.integers(0, 2), st.integers(1, 8), st.booleans()),
    ),
    min_size=5,
    max_size=25,
)


def lived(words, steps):
    world = World(words)
    for kind, *how in steps:
        (world.begin if kind == "begin" else world.go_on)(*how)
    return world


@settings(max_examples=30)
@given(words, steps)
def test_a_chain_that_is_whole(words, steps):
    """Whoever wrote it, and however many at once: nothing is missing, and the figures are right."""
    world = lived(words, steps)
    if not (files := world.files()):
        return
    chain = world.proven()

    assert (chain.faults, chain.silent, chain.older) == ([], 0, 0)
    assert chain.begins == "TRIM_HORIZON"
    for file in files:
        said, ends = file.account, file.last
        since = Position.parse(said.since) if said.since[0].isdigit() else Position(0)
        seen = [one for one in world.records if since < one.position <= ends]
        known = [one for one in files if since < one.first <= file.first]
        assert said.files == len(known)
        assert said.records + said.filtered + said.refused + said.skipped == len(seen)
        if not said.skipped:
            assert said.filtered == sum(one.data == b"none" for one in seen)
            assert said.refused == sum(one.data == b"bad" for one in seen)


@settings(max_examples=30)
@given(words, steps, st.data())
def test_files_that_are_taken_away(words, steps, data):
    """Each gap is found between its edges; where lives meet, a checkpoint lies behind the file."""
    world = lived(words, steps)
    files = world.files()
    if len(files) < 3:
        return
    gone = data.draw(st.sets(st.integers(1, len(files) - 2), min_size=1, max_size=3))
    chain = world.proven(*gone)

    gaps = [(fault.before, fault.after) for fault in chain.faults]
    gaps += [(one.before, one.after) for one in chain.passed_over]
    spans = [(before.first, after.first) for before, after in gaps]
    for at in gone:
        assert any(low < files[at].first < high for low, high in spans), (at, spans)
    # No more are said to be missing than are, and each where one is.
    assert sum(fault.files for fault in chain.faults) <= len(gone)
    for fault in chain.faults:
        low, high = fault.before.first, fault.after.first
        assert fault.files <= sum(low < files[at].first < high for at in gone)


def test_a_long_life_is_proven_by_few_looks():
    """Of a thousand files, two are looked at; to find a gap, some twenty."""
    world = World(["word"] * 1000)
    world.begin(1)
    world.go_on(0, 1000, flushes=True)

    assert world.proven().looked_at <= 2
    chain = world.proven(333, 334, 777)
    assert [fault.files for fault in chain.faults] == [2, 1]
    assert chain.looked_at <= 60


def test_of_two_that_overlap_the_loaded_one_stays():
    """Within a life too: whichever the table has is not the one that is too much."""
    for at, extra in ((1, 3), (2, 2)):
        ends = {1: (1, 1), 2: (2, 3), 3: (3, 4), 4: (5, 5)}
        scratch = Scratch("bucket")
        hour = datetime(2026, 1, 1, tzinfo=timezone.utc)
        scratch.add_listed(
            Listed(SHARD, Position(first), f"k{number}", 1, 0.0, hour)
            for number, (first, _) in ends.items()
        )
        scratch.add_loaded([LoadedFile(f"s3://bucket/k{at + 1}", SHARD, None, None, 1, 0)])
        seen = {
            number: Seen(
                number,
                f"k{number}",
                Position(first),
                Position(last),
                Account("0-0", place, 0, 0, 0, 0),
            )
            for number, (first, last), place in zip(ends, ends.values(), (1, 2, 2, 3), strict=True)
        }
        chain = ChainProof(scratch, lambda number, _, seen=seen: seen[number]).run(SHARD, 1, 4)
        (fault,) = chain.faults

        assert fault.extra.number == extra
