"""The search for files that cannot be loaded, on a load that knows which those are."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from record_processors import Transient
from record_processors.destinations.redshift.fault import SetAside, Unexplained
from record_processors.destinations.redshift.ledger import RejectedFile, Verdict
from record_processors.destinations.redshift.search import LoadSearch
from record_processors.files.file import File

FAILED = Transient("for all")


class Warehouse:
    """Loads all of some files or none; a file's key says what is the matter with it."""

    def __init__(self, kinds, cuts=()):
        self.files = [File(bucket="bucket", key=f"{n} {kind}") for n, kind in enumerate(kinds)]
        self.cuts = cuts  # the calls that fail for a passing reason, from 1
        self.loaded = []
        self.calls = []
        self.is_down = False  # nothing can be loaded by anybody, and nothing says why
        self.rehearsals = 0

    def load(self, files):
        self.calls.append([file.key for file in files])
        if len(self.calls) in self.cuts:
            raise Transient("cut")
        if self.is_down:
            return Unexplained("not for you", FAILED)
        verdict = Verdict([], [], [])
        for file in files:
            kind = kind_of(file)
            if file in self.loaded or kind == "loaded":
                verdict.loaded.append(file)
            elif kind == "overlaps":
                verdict.rejected.append(RejectedFile(file, kind))
            else:
                verdict.fresh.append(file)
        for file in verdict.fresh:
            if kind_of(file) in {"named", "late"}:
                return SetAside([RejectedFile(file, "named")])
        if "nameless" in map(kind_of, verdict.fresh):
            return Unexplained("COPY failed", FAILED)
        self.loaded += verdict.fresh
        return verdict

    def can_load(self):
        """Rehearse with what the table holds: None while that is nothing."""
        self.rehearsals += 1
        return not self.is_down if self.loaded or self.of("loaded") else None

    def search(self):
        return LoadSearch(self.files, self.load, self.can_load)

    def of(self, *kinds):
        return [file for file in self.files if kind_of(file) in kinds]


def kind_of(file):
    return file.key.split(" ")[1]


KINDS = st.sampled_from(["sound", "sound", "named", "nameless", "loaded", "overlaps"])


@given(st.lists(KINDS, min_size=1, max_size=40), st.sets(st.integers(1, 20)))
def test_what_can_be_loaded_is_and_the_rest_is_refused(kinds, cuts):
    """Whichever files are bad, and wherever the connection is cut: once, and nothing by guess."""
    warehouse = Warehouse(kinds, cuts)
    search = warehouse.search()
    sound, nameless = warehouse.of("sound"), warehouse.of("nameless")
    refused = None
    for _ in range(len(cuts) + 1):
        try:
            refused = search.run()
            break
        except Transient as error:
            if error is FAILED:
                break

    if refused is None:
        assert nameless
        assert warehouse.can_load() is None
        assert not sound or len(nameless) > 7
    else:
        assert warehouse.can_load() or not nameless
        bad = warehouse.of("named", "nameless", "overlaps")
        assert sorted(file.key for file in warehouse.loaded) == sorted(file.key for file in sound)
        assert sorted(file.key for file, _ in refused) == sorted(file.key for file in bad)


@pytest.mark.parametrize("count", [2, 100, 1000])
def test_one_that_nothing_names_is_found_by_halves(count):
    """Twice as many files cost two loads more."""
    for place in (0, count // 2, count - 1):
        kinds = ["sound"] * count
        kinds[place] = "nameless"
        warehouse = Warehouse(kinds)
        ((file, reason),) = warehouse.search().run()

        assert file == warehouse.files[place]
        assert reason == f"{file.url}: COPY failed"
        assert len(warehouse.calls) <= 2 * math.ceil(math.log2(count)) + 2


def test_one_that_fails_alone_once_is_loaded():
    """A file is tried again, after the others, before it is refused."""
    warehouse = Warehouse(["nameless", "sound"])
    (suspect, sound), load = warehouse.files, warehouse.load

    def mended(files):
        if warehouse.calls[-1:] == [[sound.key]]:
            warehouse.loaded += files
            return Verdict(list(files), [], [])
        return load(files)

    assert LoadSearch(warehouse.files, mended, warehouse.can_load).run() == []
    assert warehouse.calls == [[suspect.key, sound.key], [suspect.key], [sound.key]]
    assert set(warehouse.loaded) == {suspect, sound}


def test_the_next_life_refuses_what_the_last_one_refused():
    """What is in the table already shows that files can be loaded: none need be loaded anew."""
    warehouse = Warehouse(["loaded", "nameless", "loaded"])
    ((file, _),) = warehouse.search().run()

    assert file == warehouse.files[1]


def test_a_bad_file_alone_on_an_empty_table_is_not_refused():
    """With nothing to compare with, it may be everybody's fault."""
    warehouse = Warehouse(["nameless"])
    with pytest.raises(Transient) as raised:
        warehouse.search().run()

    assert raised.value is FAILED
    assert len(warehouse.calls) == 2


def test_of_files_that_are_loaded_none_is_rehearsed():
    """One bad file that is named, among sound ones, costs one load more, and nothing else."""
    warehouse = Warehouse(["loaded", "sound", "named", "sound"])
    ((file, _),) = warehouse.search().run()

    assert file == warehouse.files[2]
    assert (len(warehouse.calls), warehouse.rehearsals) == (2, 0)


@pytest.mark.parametrize("kinds", [["named"], ["named"] * 3, ["named", "loaded"]])
def test_files_that_are_named_are_refused_if_another_can_be_loaded(kinds):
    """What the table holds shows that it is not everybody's fault; once is enough."""
    warehouse = Warehouse(["loaded", *kinds])
    refused = warehouse.search().run()

    assert {file for file, _ in refused} == set(warehouse.of("named"))
    assert warehouse.rehearsals == 1


def test_files_are_named_on_an_empty_table():
    """With nothing to compare with, who is named is at fault."""
    warehouse = Warehouse(["named"] * 3)

    assert len(warehouse.search().run()) == 3


@pytest.mark.parametrize("count", [1, 2, 100])
def test_when_every_file_is_named_and_none_can_be_loaded_none_is_refused(count):
    """A column made too short lets each file be named: the second one is enough to see that."""
    warehouse = Warehouse(["loaded", *["named"] * count])
    search = LoadSearch(warehouse.files, warehouse.load, lambda: False)
    with pytest.raises(Transient, match="named"):
        search.run()

    assert search.rejected == []
    assert len(warehouse.calls) == 2
    warehouse.calls.clear()
    search.rehearse = lambda: True
    assert len(search.run()) == count


@pytest.mark.parametrize("when", range(1, 6))
def test_when_nothing_can_be_loaded_any_more_no_file_is_refused(when):
    """A right that is lost in the middle of a search makes no sound file a bad one."""
    warehouse = Warehouse(["nameless", *["sound"] * 6])
    load = warehouse.load

    def lost(files):
        warehouse.is_down = len(warehouse.calls) >= when
        return load(files)

    search = LoadSearch(warehouse.files, lost, warehouse.can_load)
    with pytest.raises(Transient) as raised:
        search.run()
    warehouse.calls.clear()

    assert raised.value is FAILED
    assert search.rejected == []
    when = 1000
    assert [file for file, _ in search.run()] == warehouse.of("nameless")
    assert set(warehouse.loaded) == set(warehouse.of("sound"))


@pytest.mark.parametrize("kinds", [["late"], ["late", "sound"], ["sound", "late", "late"]])
def test_a_file_that_is_named_at_the_second_look_is_refused_once(kinds):
    """The error table may show a row only later."""
    warehouse = Warehouse(["loaded", *kinds])
    load = warehouse.load

    def late(files):
        outcome = load(files)
        if len(files) == 1 and kind_of(files[0]) == "late" and files not in seen:
            seen.append(files)
            return Unexplained("COPY failed", FAILED)
        return outcome

    seen = []
    search = LoadSearch(warehouse.files, late, warehouse.can_load)
    refused = search.run()

    assert [file for file, _ in refused] == warehouse.of("late")
    assert search.run() == refused, "with nothing left to load, nothing is asked of the warehouse"
