"""What the ledger says of files, compared with a look at every pair of them."""

import os
from contextlib import closing
from itertools import product

import msgspec
import psycopg2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from record_processors.destinations.redshift.ledger import Ledger
from record_processors.files.file import File
from record_processors.flow.record import Position

LEDGER, TABLE = "judged_files", "judged_rows"


@pytest.fixture(scope="module")
def cursor(stack):
    """Return a cursor beside an empty ledger, whose transaction is never committed."""
    url = "postgresql://{redshiftUsername}@{redshiftURL}".format(**stack.properties)
    with closing(psycopg2.connect(url, password=os.environ["REDSHIFT_PASSWORD"])) as connection:
        Ledger(LEDGER, "file", TABLE).create(connection.cursor())
        connection.commit()
        yield connection.cursor()


# Few numbers, so that ranges meet; most in an example around a step from one length to the next.
near = st.shared(st.sampled_from([0, 4, 94, 10**55 - 6]), key="near")
numbers = st.builds(int.__add__, near, st.integers(0, 12)) | st.sampled_from([3, 99, 10**55])
lengths = st.sampled_from([0, 0, 0, 1, 2, 3, 90, 10**55])
zeros = st.sampled_from(["", "", "", "", "0", "000"])


@st.composite
def files(draw):
    """Files of a few chains, now and then without one, or without a range."""
    number, sub_sequence = draw(numbers), draw(st.integers(0, 3))
    first = f"{draw(zeros)}{number}-{sub_sequence}"
    last = (
        f"{draw(zeros)}{number + draw(lengths)}-{sub_sequence + draw(st.sampled_from([0, 1, 9]))}"
    )
    has_range = draw(st.integers(0, 9)) > 0
    return File(
        bucket="bucket",
        key=str(draw(st.integers(0, 50))),
        application=draw(st.sampled_from(["one"] * 9 + ["two", None])),
        stream="events",
        shard=draw(st.sampled_from(["1"] * 9 + ["2"])),
        first=first if has_range else None,
        last=last if has_range else None,
    )


rows = st.lists(
    st.tuples(
        files(),
        st.sampled_from([TABLE] * 5 + ["elsewhere"]),
        st.sampled_from(["ours"] * 4 + ["others"] * 2 + ["no first", "no last"]),
    ),
    max_size=10,
    unique_by=lambda row: (row[0].key, row[1]),
)
# Few, too: what one of them asks for, another must not have asked for.
batches = st.one_of(
    st.lists(files(), min_size=1, max_size=2), st.lists(files(), min_size=1, max_size=12)
)


def enter(cursor, file, table, way):
    """Enter a row as we do, or as others may: by the contract's columns, and not all of these."""
    if way == "ours":
        Ledger(LEDGER, "file", table).enter(cursor, [file], "manifest", {})
        return
    first, last = (None if way == f"no {end}" else getattr(file, end) for end in ("first", "last"))
    cursor.execute(
        f"INSERT INTO {LEDGER} (file, data_table, application, stream, shard, first_position, "
        "last_position, loaded_at) VALUES (%s, %s, %s, %s, %s, %s, %s, getdate())",
        (file.url, table, file.application, file.stream, file.shard, first, last),
    )


def overlap(one, other):
    return (
        one.chain is not None
        and one.chain == other.chain
        and one.covered[0] <= other.covered[1]
        and other.covered[0] <= one.covered[1]
    )


def compared(entered, files):
    """Return which files are fresh, loaded, refused, by comparing each with all before it."""
    fresh, loaded, refused = [], [], []
    for file in files:
        before = entered + fresh
        same = [one for one in before if one.url == file.url]
        if same:
            ranges = [one.covered for one in (file, same[0]) if one.first]
            (refused if len(set(ranges)) == 2 else loaded).append(file)
        elif any(overlap(file, one) for one in before):
            refused.append(file)
        else:
            fresh.append(file)
    return fresh, loaded, refused


@settings(max_examples=400)
@given(rows, batches, st.booleans())
def test_the_ledger_judges_as_one_who_compares_all_pairs(cursor, rows, files, is_upgraded):
    """Whatever is entered, by whom, and however long its numbers: no overlap is missed or made."""
    cursor.connection.rollback()
    ledger = Ledger(LEDGER, "file", TABLE)
    for row in rows:
        enter(cursor, *row)
    if is_upgraded:
        ledger.upgrade(cursor)
    verdict = ledger.judge(cursor, files)

    entered = [
        file if way in {"ours", "others"} else msgspec.structs.replace(file, first=None, last=None)
        for file, table, way in rows
        if table == TABLE
    ]
    refused = [one.file for one in verdict.rejected]
    assert (verdict.fresh, verdict.loaded, refused) == compared(entered, files)
    by_url = {one.url: one for one in entered + verdict.fresh}
    for file, reason in verdict.rejected:
        named = reason.removeprefix("overlaps ").split(",")[0].split(" ")[0]
        assert by_url[named].url == file.url or overlap(by_url[named], file)


EDGES = ["8-0", "9-0", "9-1", "09-0", "10-0", "10-1", "010-0", "11-0"]
RANGES = [
    (first, last)
    for first, last in product(EDGES, EDGES)
    if Position.parse(first) <= Position.parse(last)
]


@pytest.mark.parametrize("way", ["ours", "others", "upgraded"])
@pytest.mark.parametrize("loaded", RANGES, ids="/".join)
def test_every_pair_of_ranges_at_a_step_in_length(cursor, loaded, way):
    """An edge in common is an overlap, and none is not, also where 9 becomes 10, or is 09."""
    cursor.connection.rollback()
    ledger = Ledger(LEDGER, "file", TABLE)

    def named(number, span):
        about = {"application": "one", "stream": "events", "shard": str(number)}
        return File(bucket="bucket", key=span[0], first=span[0], last=span[1], **about)

    for number in range(len(RANGES)):
        old = msgspec.structs.replace(named(number, loaded), key=f"old {number}")
        enter(cursor, old, TABLE, "ours" if way == "ours" else "others")
    if way == "upgraded":
        ledger.upgrade(cursor)
    files = [
        msgspec.structs.replace(named(number, span), key=f"new {number}")
        for number, span in enumerate(RANGES)
    ]
    verdict = ledger.judge(cursor, files)

    meets = named(0, loaded)
    assert [one.file for one in verdict.rejected] == [
        file for file in files if overlap(meets, msgspec.structs.replace(file, shard="0"))
    ]
