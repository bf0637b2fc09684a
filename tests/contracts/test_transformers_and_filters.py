"""What every transformer and every filter promises, ours and one's own."""

import itertools
import subprocess
import sys

import pytest

from record_processors import Filter, Record, Rejection, Settings, Transformer
from record_processors.config.properties import load
from record_processors.config.registry import FILTERS, TRANSFORMERS, chosen
from record_processors.errors import BAD_DATA
from record_processors.files.formats import FORMATS
from support.fakes import STAGE_ONE, properties

COLUMNS = {"transformerColumns": "id, text"}
# What each needs beside its name.
OF_TRANSFORMERS = {
    "json": {},
    "text": {},
    "delimited": {**COLUMNS, "transformerDelimiter": ";"},
    "csv": COLUMNS,
    "own_parts:Field": {"ownField": "text"},
}
OF_FILTERS = {
    "all": {},
    "jmespath": {"filterExpression": "id > `1`"},
    "regex": {"filterExpression": "fine"},
    "own_parts:Word": {"ownWord": "fine"},
}
DATA = [
    b'{"id": 1, "text": "fine"}',
    b'{"id": 2, "text": "a;b\\"c\\\\d"}',
    b'{"id": 3, "text": null}',
    b'{"id": 4.50, "text": {"a": [1, 2]}}',
    b'{"text": "\xc3\xa9"}',
    b'[1, "fine"]',
    b"fine\nand fine\r\n",
    b"",
    b"\xff\x00",
    b"{",
]
RECORDS = [Record(data=data, sequence_number=str(n)) for n, data in enumerate(DATA)]
EVERY = [
    *(("transformer", name, changes) for name, changes in OF_TRANSFORMERS.items()),
    *(("filter", name, changes) for name, changes in OF_FILTERS.items()),
]


def test_each_of_ours_runs_this_suite():
    """Whatever the registry names is tried here."""
    assert set(TRANSFORMERS) <= set(OF_TRANSFORMERS)
    assert set(FILTERS) <= set(OF_FILTERS)


@pytest.fixture(params=EVERY, ids=lambda one: one[1])
def named(request, tmp_path):
    """Return a valid file that names it, and which part of a pipeline it is."""
    part, name, changes = request.param
    return part, properties(tmp_path, {part: name, **changes}, STAGE_ONE)


def make(part, settings):
    return getattr(chosen(settings.texts), part).from_settings(settings)


def outcome(part, made, records):
    """Return what it makes of records together: rows, yes or no, or the reason."""
    found = made.transform_all(records) if part == "transformer" else made.keep_all(records)
    return [one.reason if isinstance(one, Rejection) else one for one in found]


def one_by_one(part, made, record):
    try:
        return tuple(made.transform(record)) if part == "transformer" else made.keep(record)
    except BAD_DATA as error:
        return Rejection(error).reason


def test_it_is_what_it_is_named_as(named):
    """A transformer transforms and says its format, a filter keeps."""
    part, path = named
    made = make(part, load(path))

    assert isinstance(made, {"transformer": Transformer, "filter": Filter}[part])
    assert part == "filter" or made.format in FORMATS


def test_it_is_deterministic(named):
    """Two lives make the same of the same bytes."""
    part, path = named
    lives = [make(part, load(path)) for _ in range(2)]

    assert outcome(part, lives[0], RECORDS) == outcome(part, lives[1], RECORDS)


def test_many_at_once_come_to_what_each_comes_to(named):
    """However records are put together, each gives what it gives alone; what is unreadable too."""
    part, path = named
    made = make(part, load(path))
    alone = [one_by_one(part, made, record) for record in RECORDS]
    for size in (1, 3, len(RECORDS)):
        parts = [RECORDS[at : at + size] for at in range(0, len(RECORDS), size)]
        together = itertools.chain.from_iterable(outcome(part, made, some) for some in parts)
        assert [tuple(o) if isinstance(o, list) else o for o in together] == alone


def test_no_row_has_a_line_break(named):
    """A row is a line of its file: what breaks lines is escaped or quoted, or makes rows."""
    part, path = named
    if part == "transformer":
        rows = [row for rows in outcome(part, make(part, load(path)), RECORDS) for row in rows]
        assert not any(row.endswith((b"\n", b"\r\n")) for row in rows if isinstance(row, bytes))


def test_it_reads_what_it_declares(named, monkeypatch):
    """Making it asks for its own settings and for no other's."""
    part, path = named
    settings = load(path)
    asked = set()
    read = Settings.__getitem__

    def noting(self, setting):
        asked.add(setting.key)
        return read(self, setting)

    monkeypatch.setattr(Settings, "__getitem__", noting)
    made = make(part, Settings(path, settings.texts))

    assert asked == {setting.key for setting in type(made).declares}


def test_it_costs_no_client(named):
    """A transformer or filter imports neither AWS nor a database."""
    part, path = named
    program = (
        "import sys; from record_processors.config.setting import Settings; "
        "from record_processors.config.registry import load_class; "
        f"each = load_class({part!r}, {load(path).texts[part]!r}); "
        f"each.from_settings(Settings('', {load(path).texts!r})); print(*sys.modules)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": "tests/contracts:."},
        capture_output=True,
        text=True,
        check=True,
    )

    assert not {"boto3", "botocore", "psycopg2", "smart_open"} & set(answer.stdout.split())
