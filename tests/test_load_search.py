"""The search for files that cannot be loaded, on a load that knows which those are."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from record_processors import Transient
from record_processors.emitters.load_search import BadFile, LoadSearch, Unnamed
from record_processors.ledger import Refused, Verdict
from record_processors.manifest import File

FAILED = Transient("for all")


class Warehouse:
    """Loads all of some files or none; a file's key says what is the matter with it."""

    def __init__(self, kinds, cuts=()):
        self.files = [File(bucket="bucket", key=f"{n} {kind}") for n, kind in enumerate(kinds)]
        self.cuts = cuts  # the calls that fail for a passing reason, from 1
        self.loaded = []
        self.calls = []

    def load(self, files):
        self.calls.append([file.key for file in files])
        if len(self.calls) in self.cuts:
            raise Transient("cut")
        verdict = Verdict([], [], [])
        for file in files:
            kind = kind_of(file)
            if file in self.loaded or kind == "loaded":
                verdict.loaded.append(file)
            elif kind == "overlaps":
                verdict.refused.append(Refused(file, kind))
            else:
                verdict.fresh.append(file)
        for file in verdict.fresh:
            if kind_of(file) == "named":
                raise BadFile(file, "named")
        if "nameless" in map(kind_of, verdict.fresh):
            raise Unnamed("COPY failed", FAILED)
        self.loaded += verdict.fresh
        return verdict

    def of(self, *kinds):
        return [file for file in self.files if kind_of(file) in kinds]


def kind_of(file):
    return file.key.split(" ")[1]


KINDS = st.sampled_from(["sound", "sound", "named", "nameless", "loaded", "overlaps"])


@given(st.lists(KINDS, min_size=1, max_size=40), st.sets(st.integers(1, 20)))
def test_what_can_be_loaded_is_and_the_rest_is_refused(kinds, cuts):
    """Whichever files are bad, and wherever the connection is cut: once, and nothing by guess."""
    warehouse = Warehouse(kinds, cuts)
    search = LoadSearch(warehouse.files, warehouse.load)
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
        assert not warehouse.loaded
        assert not sound or len(nameless) > 7
    else:
        assert sound or not nameless
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
        ((file, reason),) = LoadSearch(warehouse.files, warehouse.load).run()

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

    assert LoadSearch(warehouse.files, mended).run() == []
    assert warehouse.calls == [[suspect.key, sound.key], [suspect.key], [sound.key]]
    assert set(warehouse.loaded) == {suspect, sound}


def test_what_was_loaded_before_shows_nothing():
    """A load that finds all its files loaded already does not make another one's fault its own."""
    warehouse = Warehouse(["loaded", "nameless", "loaded"])
    with pytest.raises(Transient) as raised:
        LoadSearch(warehouse.files, warehouse.load).run()

    assert raised.value is FAILED
