"""The SQL that is sent to Redshift, letter by letter; no server is needed for it."""

import json

import boto3
import moto
import pytest
from hypothesis import given
from hypothesis import strategies as st

from record_processors import Fatal
from record_processors.config.properties import load
from record_processors.destinations.redshift.copy import copy_statement, manifest_of
from record_processors.destinations.redshift.login import login_of
from record_processors.destinations.redshift.sql import folded, literal, quoted, quoted_list
from record_processors.files.file import File
from support.fakes import STAGE_TWO, properties

URL = "s3://bucket/flights/manifests/abc.manifest"
ROLE = "arn:aws:iam::123456789012:role/reads-s3"


def copy(tmp_path, compression="none", **changes):
    return copy_statement(load(properties(tmp_path, changes, STAGE_TWO)), URL, compression)


def test_copy(tmp_path):
    """A COPY names table, manifest, role and format."""
    assert copy(tmp_path) == (
        f"COPY \"flights\" FROM '{URL}' IAM_ROLE default MANIFEST FORMAT JSON 'auto'"
    )


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"redshiftIamRole": ROLE}, f" IAM_ROLE '{ROLE}' MANIFEST"),
        ({"redshiftIamRole": f"{ROLE},{ROLE}2"}, f" IAM_ROLE '{ROLE},{ROLE}2' MANIFEST"),
        ({"redshiftDataTable": "Public.Flights"}, 'COPY "public"."flights" FROM'),
        ({"redshiftDataTable": '"My.Schema"."My Table"'}, 'COPY "My.Schema"."My Table" FROM'),
        ({"redshiftDataColumns": "Year, month"}, 'COPY "flights" ("year", "month") FROM'),
        ({"redshiftJsonPaths": "s3://bucket/paths.json"}, " FORMAT JSON 's3://bucket/paths.json'"),
        ({"redshiftJsonPaths": "noshred"}, " FORMAT JSON 'noshred'"),
        ({"redshiftJsonPaths": "auto ignorecase"}, " FORMAT JSON 'auto ignorecase'"),
        ({"redshiftDataFormat": "csv"}, " MANIFEST FORMAT CSV"),
        ({"redshiftDataFormat": "parquet"}, " MANIFEST FORMAT PARQUET"),
        ({"redshiftDataFormat": "delimited"}, " MANIFEST DELIMITER '|' ESCAPE"),
        (
            {"redshiftDataFormat": "delimited", "redshiftDataDelimiter": "'"},
            " DELIMITER '''' ESCAPE",
        ),
        ({"redshiftCopyOptions": "TIMEFORMAT 'auto'  TRUNCATECOLUMNS"}, " TIMEFORMAT 'auto'  TRUN"),
    ],
)
def test_copy_parts(changes, part, tmp_path):
    """Each setting of the COPY has its place in it."""
    assert part in copy(tmp_path, **changes)


@pytest.mark.parametrize(
    ("compression", "end"), [("gzip", " GZIP"), ("zstd", " ZSTD"), ("none", "'auto'")]
)
def test_copy_compression(compression, end, tmp_path):
    """The compression of the files comes from their messages, the user's options last of all."""
    assert copy(tmp_path, compression).endswith(end)
    options = {"redshiftCopyOptions": "TRUNCATECOLUMNS"}
    assert copy(tmp_path, compression, **options).endswith(f"{end} TRUNCATECOLUMNS")


@pytest.mark.parametrize("compression", ["gzip", "zstd", "none"])
def test_a_columnar_file_is_compressed_inside(compression, tmp_path):
    """COPY takes no word about the compression of Parquet, whatever its message says."""
    assert copy(tmp_path, compression, redshiftDataFormat="parquet").endswith(" FORMAT PARQUET")


@pytest.mark.parametrize("mandatory", ["true", "false"])
def test_manifest_file(mandatory, tmp_path):
    """The manifest lists each file's URL and size, and whether it must be there."""
    settings = load(properties(tmp_path, {"redshiftCopyMandatory": mandatory}, STAGE_TWO))
    files = [File(bucket="b", key="k 1", bytes=5), File(bucket="c", key="é", bytes=0)]
    assert json.loads(json.dumps(manifest_of(files, settings))) == {
        "entries": [
            {"url": url, "mandatory": mandatory == "true", "meta": {"content_length": size}}
            for url, size in (("s3://b/k 1", 5), ("s3://c/é", 0))
        ]
    }


@pytest.mark.parametrize(
    ("name", "sql"),
    [
        ("flights", '"flights"'),
        ("Flights", '"flights"'),
        ("my_schema.flights$1", '"my_schema"."flights$1"'),
        ('"Flights"', '"Flights"'),
        ('"a.b".c', '"a.b"."c"'),
        ("select", '"select"'),
    ],
)
def test_quoted(name, sql):
    """A name is quoted part by part; without quotes it folds to lower case, as in SQL."""
    assert quoted(name) == sql


@pytest.mark.parametrize(
    ("spellings", "name"),
    [
        (["flights", "Flights", "FLIGHTS", '"flights"'], "flights"),
        (["a.b", "A.b", '"a".B', '"a"."b"'], "a.b"),
        (['"Flights"'], '"Flights"'),
        (['PUBLIC."a.b"', 'public."a.b"'], 'public."a.b"'),
        (['"2 nd".t', '"2 nd"."t"'], '"2 nd".t'),
        (["Vols_é", '"vols_é"'], '"vols_é"'),
    ],
)
def test_folded(spellings, name):
    """All spellings of a name are one in the ledger, and a plain one stays as it is."""
    assert {folded(spelling) for spelling in spellings} == {name}
    assert {quoted(spelling) for spelling in [*spellings, name]} == {quoted(name)}


def test_quoted_list():
    """A column list has its parentheses, and is nothing when there are no columns."""
    assert quoted_list(["A", '"B c"']) == ' ("a", "B c")'
    assert quoted_list([]) == ""


@given(st.text())
def test_literal_cannot_be_left(text):
    """No text ends the string constant that it stands in."""
    sql = literal(text)
    assert sql[0] == sql[-1] == "'"
    assert sql[1:-1].replace("''", "") == text.replace("'", "")
    assert sql[1:-1].replace("''", "'") == text


# ---- logging in


def test_password_comes_from_the_environment(tmp_path, monkeypatch):
    """The user is in the file, the password in the environment, read for each connection anew."""
    login = login_of(load(properties(tmp_path, {}, STAGE_TWO)))
    monkeypatch.setenv("REDSHIFT_PASSWORD", "one")
    assert login() == ("connectors", "one")
    monkeypatch.setenv("REDSHIFT_PASSWORD", "two")
    assert login() == ("connectors", "two")


def test_missing_password(tmp_path, monkeypatch):
    """Without the password the sentence names the variable."""
    monkeypatch.delenv("REDSHIFT_PASSWORD", raising=False)
    with pytest.raises(Fatal, match="REDSHIFT_PASSWORD is not in the environment"):
        login_of(load(properties(tmp_path, {}, STAGE_TWO)))()


def test_a_bad_secret_is_not_quoted(tmp_path):
    """A secret of the wrong form is told without a word of what it holds."""
    with moto.mock_aws():
        made = boto3.client("secretsmanager").create_secret(Name="x", SecretString="hunter2")
        changes = {"redshiftUsername": None, "redshiftSecretArn": made["ARN"]}
        with pytest.raises(Fatal, match="redshiftSecretArn: not a JSON object") as raised:
            login_of(load(properties(tmp_path, changes, STAGE_TWO)))()
    assert "hunter2" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_a_secret(tmp_path):
    """User and password are taken from the secret."""
    secret = json.dumps({"username": "u", "password": "p", "more": 1})
    with moto.mock_aws():
        made = boto3.client("secretsmanager").create_secret(Name="x", SecretString=secret)
        changes = {"redshiftUsername": None, "redshiftSecretArn": made["ARN"]}
        assert login_of(load(properties(tmp_path, changes, STAGE_TWO)))() == ("u", "p")
