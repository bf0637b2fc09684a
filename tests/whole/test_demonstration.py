"""`scripts/run --to NAME`: what it says it did, on fewer flights than a person gets to see."""

import json
import re
import subprocess
import sys

import pytest

from record_processors.local.demo import flights
from record_processors.local.demo.demonstration import Demonstration
from record_processors.local.demo.destination import Found
from record_processors.local.demo.to import NAMES, kind_of

MANY = 3000
PLACES = {
    "kinesis": f"{MANY:,} put = {MANY:,} on stream flights",
    "redshift-basic": f"{MANY:,} put = {MANY:,} in the table",
    "several": rf"{MANY:,} put · \d+ in table flights, each the last of its route"
    f" = {MANY:,} in files",
}


@pytest.mark.parametrize("name", PLACES)
def test_the_flights_arrive(name, tmp_path):
    """One real daemon carries the flights there; they are compared, and the exit code is 0."""
    program = [sys.executable, "-m", "record_processors.local.demo"]
    run = subprocess.run(
        [*program, "--to", name, "--most", str(MANY)],
        check=False,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    said = f"{run.stdout}{run.stderr}"
    assert run.returncode == 0, said
    assert re.search(rf"^agreed +{PLACES[name]} · checksums of 19 columns agree", said, re.M), said
    assert "a MultiLangDaemon is starting" in said


# ---- the comparison, without a daemon


class Place:
    """A destination that holds what it is told."""

    def __init__(self, *found):
        self.all = found

    def found(self, put, first):
        del put, first
        return iter(self.all)


def compared(tmp_path, *found):
    """Return the exit code of the comparison of the first ten flights with these places."""
    run = Demonstration(kind_of("kinesis"), tmp_path, 10, None)
    run.total, run.there = 10, Place(*found)
    return run.compare()


def place(rows, **more):
    return Found("there", "how", "in the place", flights.checksums(rows), **more)


ROWS = list(flights.source_rows(10))


def test_a_place_that_has_all_agrees(tmp_path, capsys):
    """The same flights in any order agree, and so do those that a place is to keep of them."""
    few = place(ROWS[5:], of_source=lambda rows: list(rows)[5:])
    assert compared(tmp_path, place(ROWS[::-1]), few) == 0
    assert "10 put = 10 in the place · 5 in the place · checksums" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("rows", "differs"),
    [
        (ROWS[:9], "differing in the place: rows, whole rows, "),
        ([*ROWS, ROWS[0]], "differing in the place: rows, whole rows, "),
        ([*ROWS[:9], ROWS[0]], "differing in the place: whole rows, "),
        (
            [*ROWS[:9], (*ROWS[9][:13], "XXX", *ROWS[9][14:])],
            "differing in the place: whole rows, dest\n",
        ),
    ],
    ids=["lost", "double", "replaced", "changed"],
)
def test_what_differs_is_named(rows, differs, tmp_path, capsys):
    """A flight that is lost, there twice, another's, or changed in one field is exit code 1."""
    assert compared(tmp_path, place(ROWS), place(rows)) == 1
    assert differs in capsys.readouterr().out


def test_a_flight_keeps_its_fields():
    """A flight as JSON is the row of the source; one more or fewer field is none."""
    flight = dict(zip(flights.COLUMNS, ROWS[0], strict=True))
    assert flights.row_of(json.dumps({**flight, "year": 2013}).encode()) == ROWS[0]
    with pytest.raises(ValueError, match="more"):
        flights.row_of(json.dumps({**flight, "more": 1}).encode())
    del flight["year"]
    with pytest.raises(ValueError, match="year"):
        flights.row_of(json.dumps(flight).encode())


def test_each_name_is_a_destination():
    """Each module of the room has its class, and names that the script knows are those."""
    assert [kind_of(name).__name__ for name in NAMES] == ["To"] * len(NAMES)
