"""Names, formats and options arrive in Redshift as they were meant."""

import json
from collections import Counter

import psycopg2
import pytest

from record_processors import Record
from record_processors.commands.create import create
from record_processors.config.keys import APPLICATION_NAME
from record_processors.destinations.redshift.emitter import RedshiftManifestEmitter
from record_processors.transformers.csv import Csv
from record_processors.transformers.delimited import Delimited
from record_processors.transformers.json import Json

# --- names and formats ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "ledger", "sql"),
    [
        ('"My Table"', '"My Ledger"', ('"My Table"', '"My Ledger"')),
        ("public.Flights_One", "PUBLIC.Files_One", ("flights_one", "files_one")),
        ('public."a.b;--"', '"it\'s"', ('"a.b;--"', '"it\'s"')),
    ],
)
def test_names_are_quoted_and_fold_as_in_sql(stage_two, table, ledger, sql):
    """Quotes keep case, blanks and dots; without them a name is in lower case."""
    here = stage_two(redshiftDataTable=table, redshiftFileTable=ledger)
    here.load(here.file('it\'s a "file" 100% é;.json', 1, first="1-0"))

    assert here.query(f"SELECT id FROM {sql[0]}") == [(1,)]
    assert here.query(f"SELECT file FROM {sql[1]}") == [(here.url('it\'s a "file" 100% é;.json'),)]


def test_the_ledgers_key_column_may_have_any_name(stage_two):
    """The ledger's column of the files is named by redshiftFileKeyColumn."""
    here = stage_two(redshiftFileKeyColumn='"File Name"')
    message = here.file("a", 1, first="1-0")
    here.load(message)
    here.load(message)

    assert here.query(f'SELECT "File Name" FROM {here.ledger}') == [(here.url("a"),)]


AWKWARD = [
    "", " ", "plain", "\\", "\\\\", "\\N", "N", "\\n", "a|b", "|", "||", "a\\|b", "line\nbreak",
    "\n", "cr\rlf\r\n", "\r", "tab\t", '"', '""', "'", "a,b", '"a","b"', "null", "NULL", "é😀",
    "\u2028", "{}", "\x01", "\x7f", "trailing\\", "\\.", " blanks ", "%s", "\x1a",
]  # fmt: skip


@pytest.mark.parametrize("kind", ["delimited", "delimited ;", "csv", "json"])
def test_awkward_strings_arrive_as_they_were_sent(stage_two, kind):
    """What our transformers write, COPY with the options that we add reads back exactly."""
    name, _, delimiter = kind.partition(" ")
    fields = ["id", "text"]
    transformer = {
        "delimited": Delimited(fields, delimiter or "|"),
        "csv": Csv(fields),
        "json": Json(),
    }[name]
    # What COPY takes for null, our transformers reject: of delimited and csv rows.
    texts = [text for text in AWKWARD if name == "json" or text != "\\N"]
    sent = [{"id": number, "text": text} for number, text in enumerate(texts)]
    sent.append({"id": None, "text": "no number"})
    rows = [transformer.transform(Record(json.dumps(one).encode(), "1"))[0] + b"\n" for one in sent]
    changes = {"redshiftDataFormat": name} | (
        {"redshiftDataDelimiter": delimiter} if delimiter else {}
    )
    if name != "json":
        changes["redshiftDataColumns"] = "ID, text"
    here = stage_two(**changes, columns="text VARCHAR(200), more INT, id BIGINT")
    here.load(here.file("a", body=b"".join(rows), format=name))

    got = here.query(f"SELECT id, text, more FROM {here.table}")
    assert Counter(got) == Counter((one["id"], one["text"], None) for one in sent)
    assert not here.letters()


@pytest.mark.parametrize("null", [r"\N", "NULL"])
@pytest.mark.parametrize("kind", ["delimited", "csv", "json"])
def test_null_and_the_empty_string(stage_two, kind, null):
    """A null text and an empty one stay apart, whatever the message says that stands for null."""
    transformer = {
        "delimited": Delimited(["id", "text"], "|", null),
        "csv": Csv(["id", "text"], null),
        "json": Json(),
    }[kind]
    sent = [b'{"id": 1, "text": null}', b'{"id": 2, "text": ""}', b'{"id": 3}']
    rows = b"".join(transformer.transform(Record(one, "1"))[0] + b"\n" for one in sent)
    here = stage_two(redshiftDataFormat=kind)
    here.load(here.file("a", body=rows, format=kind, null=transformer.null))

    found = [text for (text,) in here.query(f"SELECT text FROM {here.table} ORDER BY id")]
    assert found == [None, "", None]


def test_copy_options_are_appended_after_ours(stage_two, journal):
    """The end of COPY is redshiftCopyOptions, as it stands there, and has its effect."""
    here = stage_two(
        redshiftCopyOptions="TRUNCATECOLUMNS TIMEFORMAT 'auto'", columns="text VARCHAR(3)"
    )
    here.load(here.file("a", body='{"text": "abcé"}\n'.encode(), compression="none"))

    (copy,) = [statement for statement in journal if statement.startswith("COPY")]
    assert copy.endswith("FORMAT JSON 'auto' TRUNCATECOLUMNS TIMEFORMAT 'auto'")
    assert f'COPY "{here.table}" FROM \'s3://' in copy
    assert "IAM_ROLE default MANIFEST" in copy
    assert here.query(f"SELECT text FROM {here.table}") == [("abc",)]


def test_roles_are_written_as_a_string(stage_two, journal):
    """A chain of roles stands in quotes."""
    roles = "arn:aws:iam::123456789012:role/a,arn:aws:iam::123456789012:role/b"
    here = stage_two(redshiftIamRole=roles)
    here.load(here.file("a", 1))

    assert f" IAM_ROLE '{roles}' MANIFEST" in next(s for s in journal if s.startswith("COPY"))
    assert here.ids() == [1]


def test_rows_that_copy_counts_otherwise_than_announced_are_reported(stage_two, caplog):
    """A file with other rows than its message says is loaded, and the difference is logged."""
    here = stage_two()
    here.load(here.file("a", 1, 2, rows=5))

    assert here.ids() == [1, 2]
    (manifest,) = here.manifests()
    assert "COPY reports 2 rows, the files of s3://" in caplog.text
    assert f"{manifest} were announced with 5" in caplog.text


def test_create_may_be_repeated(stage_two):
    """A second `create` says what was there, and leaves streams, bucket and ledger as they are."""
    here = stage_two(streamName="made-by-create")
    here.query(f"DROP TABLE {here.ledger}")
    first = list(create(here.settings))
    here.load(here.file("a", 1))
    again = list(create(here.settings))

    words = [thing.what.split()[0] for thing in first]
    assert words == ["stream", "lease", "worker", "coordinator", "bucket", "ledger"]
    assert [thing.outcome for thing in first] == [*["made"] * 4, "was there", "made"]
    assert [thing.what for thing in again] == [thing.what for thing in first]
    assert {thing.outcome for thing in again} == {"was there"}
    assert here.entered() == ["a"]


def test_close_ends_the_connection(stage_two, monkeypatch):
    """The server is left when the pipeline is closed, not after each load."""
    here = stage_two()
    made, connect = [], psycopg2.connect

    def noted(**how):
        made.append(connect(**how))
        return made[-1]

    monkeypatch.setattr(psycopg2, "connect", noted)
    life = here.life()
    life.process([Record(here.file("a", 1).encode(), "1")], here.checkpoints.append)
    life.flush(here.checkpoints.append)
    assert [one.closed for one in made] == [0]
    life.close()

    assert [one.closed for one in made] == [1]
    assert here.ids() == [1]


def test_the_emitter_stands_for_itself(stage_two):
    """RedshiftManifestEmitter.from_settings keeps manifests under the application's name."""
    here = stage_two()
    emitter = RedshiftManifestEmitter.from_settings(here.settings)

    assert emitter.loader.load.manifests == f"data/{here.settings[APPLICATION_NAME]}/manifests/"
