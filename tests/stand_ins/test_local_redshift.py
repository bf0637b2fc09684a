"""The stand-in for Redshift, seen through psycopg2 as the loader sees it."""

import gzip
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import psycopg2
import psycopg2.errors
import pytest
import zstandard

from record_processors.local.redshift.postgres import binary
from support.redshift_stand_in import (
    ESCAPED,
    FAILED,
    PATIENCE,
    ROLE,
    connect,
    dsn,
    eventually,
    last_error,
    manifest,
    postgres_of,
    put,
    run,
    start,
)

# --- what is loaded ---------------------------------------------------------------------------


def test_escaped_delimited_rows_arrive_exactly(db, s3, table):
    r"""ESCAPE takes the character after a backslash as it is, \n as an n, and \N as null."""
    name = table("a varchar(99), b varchar(99), c int")
    body = b"x\\|y|tab\there|1\n\\N|back\\\\slash|\nnew\\\nline|\\n\\t\\\\N|\\N\n|cr\\\r|7"
    url = put(s3, "escaped", body)

    run(db, f"COPY {name} FROM '{url}' {ESCAPED}")

    assert run(db, f"SELECT * FROM {name}") == [
        ("x|y", "tab\there", 1),
        (None, "back\\slash", None),
        ("new\nline", "nt\\N", None),
        ("", "cr\r", 7),
    ]


def test_without_escape_a_backslash_is_a_backslash(db, s3, table):
    r"""Without ESCAPE nothing is decoded; \N is null by default; NULL AS takes another word."""
    name = table("a varchar(99), b varchar(99)")
    url = put(s3, "plain", b"C:\\new\\t,\\N\n\\,nil\n")

    run(db, f"COPY {name} FROM '{url}' {ROLE} DELIMITER AS ','")
    run(db, f"COPY {name} (b, a) FROM '{url}' {ROLE} DELIMITER ',' NULL AS 'nil' EMPTYASNULL")

    assert run(db, f"SELECT * FROM {name}") == [
        ("C:\\new\\t", None),
        ("\\", "nil"),
        ("\\N", "C:\\new\\t"),
        (None, "\\"),
    ]


def test_an_escaped_backslash_ends_a_row_and_a_field(db, s3, table):
    """An even number of backslashes escapes neither the delimiter nor the newline after it."""
    name = table("a varchar(9), b varchar(9)")
    url = put(s3, "even", b"\\\\\\\\|\\\\\nx|y\\\\\\\\\n")

    run(db, f"COPY {name} FROM '{url}' {ESCAPED}")

    assert run(db, f"SELECT * FROM {name}") == [("\\\\", "\\"), ("x", "y\\\\")]


def test_rows_are_cut_at_newlines_whatever_the_block(db, s3, table):
    """Rows that straddle the blocks in which a file is read arrive whole and in order."""
    name = table("n int, a varchar(9999)")
    rows = [f"{n}|" + "\\|\\\\\\\n" * (n % 997) for n in range(2000)]
    url = put(s3, "straddle", "\n".join([*rows, ""]).encode())

    run(db, f"COPY {name} FROM '{url}' {ESCAPED}")

    found = run(db, f"SELECT n, a FROM {name} ORDER BY n")
    assert found == [(n, "|\\\n" * (n % 997)) for n in range(2000)]


def test_csv_follows_rfc_4180(db, s3, table):
    """Quoted fields hold delimiters, quotes and line breaks, and are null as others are."""
    name = table("a varchar(99), b varchar(99), c int")
    url = put(s3, "csv", b'a,b,c\r\n"x,""y""\nz",,1\r\n"",plain,\r\n\\,"\\n",3\r\n')

    run(db, f"COPY {name} FROM '{url}' {ROLE} FORMAT AS CSV IGNOREHEADER 1 EMPTYASNULL")

    assert run(db, f"SELECT * FROM {name}") == [
        ('x,"y"\nz', None, 1),
        (None, "plain", None),
        ("\\", "\\n", 3),
    ]


def test_csv_takes_its_quote_and_delimiter(db, s3, table):
    """QUOTE and DELIMITER replace the usual two."""
    name = table("a varchar(99), b varchar(99)")
    url = put(s3, "csv2", b"'it''s'\tx\n")

    run(db, f"COPY {name} FROM '{url}' {ROLE} CSV QUOTE AS '''' DELIMITER '\\t'")

    assert run(db, f"SELECT * FROM {name}") == [("it's", "x")]


def test_json_goes_by_name_and_keeps_every_digit(db, s3, table):
    """Keys are columns; missing ones are null, unknown ones ignored, nested ones JSON text."""
    name = table("n decimal(38, 20), f varchar(99), o varchar(99), s varchar(99), b boolean")
    rows = (
        b'{"n": 12345678901234567.12345678901234567890, "f": 1.10e5, "zzz": {"n": 1}}\n\n'
        b'{"o": {"a": [1.0, "\\n"]}, "s": "tab\\t\\u00e9|\\\\n", "b": true, "n": null}\n'
    )
    url = put(s3, "json", rows)

    run(db, f"COPY {name} FROM '{url}' {ROLE} FORMAT JSON 'auto'")

    first, second = run(db, f"SELECT n::text, f, o, s, b FROM {name}")
    assert first == ("12345678901234567.12345678901234567890", "1.10e5", None, None, None)
    assert second == (None, None, '{"a": [1.0, "\\n"]}', "tab\té|\\n", True)


@pytest.mark.parametrize(
    ("option", "compress"),
    [
        ("GZIP", lambda body: gzip.compress(body[:5]) + gzip.compress(body[5:])),
        ("ZSTD", lambda b: zstandard.compress(b[:5]) + zstandard.compress(b[5:])),
    ],
)
def test_compressed_files_may_have_several_members(db, s3, table, option, compress):
    """GZIP and ZSTD undo the compression, of every member of a file."""
    name = table("a int")
    url = put(s3, f"compressed-{option}", compress(b"1\n2\n3\n4\n"))

    run(db, f"COPY {name} FROM '{url}' {ROLE} {option}")

    assert run(db, f"SELECT sum(a) FROM {name}") == [(10,)]


def test_values_are_read_as_redshift_reads_them(db, s3, table):
    """Surplus decimals are cut, empty numbers are null, epochs and blanks follow their options."""
    name = table("d decimal(5, 2), i int, t timestamp, s varchar(3)")
    url = put(s3, "values", "1.999||1700000000123|  \n|5||éé\n".encode())

    run(
        db,
        f"COPY {name} FROM '{url}' {ROLE} TIMEFORMAT 'epochmillisecs' BLANKSASNULL TRUNCATECOLUMNS",
    )

    assert run(db, f"SELECT d::text, i, t::text, s FROM {name}") == [
        ("1.99", None, "2023-11-14 22:13:20.123", None),
        (None, 5, None, "é"),
    ]


def test_a_prefix_names_all_files_that_begin_with_it(db, s3, table):
    """Without MANIFEST the url is a prefix; files without a final newline do not run together."""
    name = table("a int")
    put(s3, "many/1", b"1")
    put(s3, "many/2", b"2")

    run(db, f"COPY {name} FROM 's3://bucket/many/' {ROLE}")

    assert run(db, f"SELECT a FROM {name} ORDER BY a") == [(1,), (2,)]


def test_names_may_be_quoted_and_tables_temporary(db, s3):
    """Schema, table and columns may be quoted names; the table may exist in this session only."""
    url = put(s3, "quoted", b"1|2\n")
    run(db, 'CREATE SCHEMA IF NOT EXISTS "My"; CREATE TABLE "My"."a b" ("x,""y" int, z int)')
    run(db, "CREATE TEMP TABLE fleeting (a int, b int)")

    run(db, f"""COPY "My"."a b" ("z", "x,""y") FROM '{url}' {ROLE}""")
    run(db, f"/* first */ copy fleeting -- the table\n from '{url}' iam_role default")

    assert run(db, 'SELECT * FROM "My"."a b"') == [(2, 1)]
    assert run(db, "SELECT * FROM fleeting") == [(1, 2)]


# --- the session ------------------------------------------------------------------------------


def test_copy_tells_its_count_only_by_its_function(db, s3, table):
    """The command tag has no count; pg_last_copy_count() has, in this session alone."""
    name = table("a int")
    url = put(s3, "three", b"1\n2\n3\n")

    assert run(db, "SELECT pg_last_copy_id(), pg_last_copy_count()") == [(-1, 0)]
    assert run(db, f"COPY {name} FROM '{url}' {ROLE}") == -1
    assert run(db, "SELECT pg_last_copy_id() > 0, pg_last_copy_count()") == [(True, 3)]
    assert "3 record(s) loaded successfully" in db.notices[-1]
    query = run(db, "SELECT pg_last_copy_id()")[0]
    assert run(
        db,
        "SELECT trim(filename), lines_scanned FROM stl_load_commits WHERE query = %s",
        *query,
    ) == [(url, 3)]


def test_copy_belongs_to_the_transaction_around_it(ready, db, s3, table):
    """BEGIN, LOCK, COPY, INSERT, ROLLBACK leave nothing; with COMMIT they leave all."""
    name, ledger = table("a int"), table("f varchar")
    url = put(s3, "transaction", b"1\n")
    both = (
        f"COPY {name} FROM '{url}' {ROLE}; SELECT pg_last_copy_count(); "
        f"COPY {name} FROM '{url}' {ROLE}; INSERT INTO {ledger} VALUES (';COPY x FROM ''s3://')"
    )

    run(db, f"BEGIN; LOCK {ledger}; {both}; ROLLBACK")
    assert run(db, f"SELECT count(*) FROM {name}") == [(0,)]
    assert run(db, "SELECT pg_last_copy_count()") == [(1,)]

    run(db, f"BEGIN; LOCK {ledger}")
    run(db, both)
    run(db, "COMMIT")
    assert run(db, f"SELECT count(*) FROM {name}, {ledger}") == [(2,)]


def test_several_statements_in_one_message_are_one_transaction(db, s3, table):
    """An error after a COPY in the same message takes the COPY back."""
    name = table("a int")
    url = put(s3, "implicit", b"1\n")

    with pytest.raises(psycopg2.errors.DivisionByZero):
        run(db, f"COPY {name} FROM '{url}' {ROLE}; SELECT 1/0")

    assert run(db, f"SELECT count(*) FROM {name}") == [(0,)]


def test_the_look_up_of_a_copy_comes_after_its_lock(ready, db, s3, table):
    """LOCK and COPY in one message see what another committed while they waited."""
    name = table("a int")
    url = put(s3, "locked", b"1\n")
    other = connect(ready)
    run(other, f"LOCK {name}")
    message = f"BEGIN; LOCK {name}; COPY {name} FROM '{url}' {ROLE}; SELECT count(*) FROM {name}"
    answers = []
    waiting = threading.Thread(target=lambda: answers.extend(run(db, message)))
    waiting.start()
    eventually(lambda: run(other, "SELECT count(*) FROM pg_locks WHERE NOT granted")[0][0])

    run(other, f"INSERT INTO {name} VALUES (2)")
    other.commit()
    waiting.join()

    assert answers == [(2,)]
    other.close()


def test_who_has_a_table_locked_is_told(ready, db, table):
    """svv_transactions has the session, its user, its lock, and when its transaction began."""
    name = table("a int")
    other = connect(ready)
    run(other, f"LOCK {name}")
    held = run(
        db,
        "SELECT pid, txn_owner, txn_start <= getdate() + INTERVAL '1 second', granted "
        "FROM svv_transactions WHERE relation = %s::regclass::oid AND lock_mode = %s",
        name,
        "AccessExclusiveLock",
    )
    assert held == [(other.info.backend_pid, ready["user"], True, True)]
    other.close()


def test_a_copy_in_a_failed_transaction_is_refused(db, s3, table):
    """The server's own 25P02 comes first."""
    name = table("a int")
    with pytest.raises(psycopg2.errors.DivisionByZero):
        run(db, "BEGIN; SELECT 1/0")

    with pytest.raises(psycopg2.errors.InFailedSqlTransaction):
        run(db, f"COPY {name} FROM 's3://bucket/x' {ROLE}")


def test_concurrent_writers_get_error_1023(ready, db, table):
    """Two transactions that change the same row end as Redshift's serializable violation."""
    name = table("a int")
    run(db, f"INSERT INTO {name} VALUES (1)")
    other = connect(ready)
    run(other, f"SELECT * FROM {name}")
    run(db, f"UPDATE {name} SET a = 2")

    with pytest.raises(psycopg2.errors.InternalError_, match="1023\nDETAIL:  Serializable iso"):
        run(other, f"UPDATE {name} SET a = 3")

    other.close()


# --- what fails -------------------------------------------------------------------------------


def test_a_missing_mandatory_file_fails_and_an_optional_one_does_not(db, s3, table):
    """Mandatory is false by default; if true, an absent file is NoSuchKey and nothing is loaded."""
    name = table("a int")
    there = {"url": put(s3, "there", b"1\n")}
    absent = {"url": "s3://bucket/absent"}
    run(db, f"COPY {name} FROM '{manifest(s3, 'm1', there, absent)}' {ROLE} MANIFEST")
    must = manifest(s3, "m2", there, absent | {"mandatory": True})

    with pytest.raises(psycopg2.errors.InternalError_) as caught:
        run(db, f"COPY {name} FROM '{must}' {ROLE} MANIFEST")

    assert caught.value.pgcode == "XX000"
    assert str(caught.value).startswith(
        "S3ServiceException:The specified key does not exist.,Status 404,Error NoSuchKey,Rid "
    )
    assert "S3 key being read : s3://bucket/absent" in str(caught.value)
    assert run(db, f"SELECT count(*) FROM {name}") == [(1,)]


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        (None, "Problem reading manifest file - S3ServiceException:The specified key does not"),
        ("nonsense", "Manifest file is not in correct json format"),
        ([{"url": "s3://bucket/four", "meta": {"content_length": 5}}], "its manifest says 5"),
        ([{"url": "s3://bucket/absent"}], "No file of the manifest exists"),
    ],
)
def test_a_wrong_manifest_fails(db, s3, table, entries, said):
    """An absent or broken manifest, a wrong length, and no file at all are errors."""
    name = table("a int")
    put(s3, "four", b"123\n")
    if entries is not None:
        put(s3, "m3", json.dumps({"entries": entries}))
    key = "m-absent" if entries is None else "m3"

    with pytest.raises(psycopg2.errors.InternalError_, match=said):
        run(db, f"COPY {name} FROM 's3://bucket/{key}' {ROLE} MANIFEST")


def test_a_right_length_in_the_manifest_is_taken(db, s3, table):
    """content_length is the object's size, before decompression."""
    name = table("a int")
    body = gzip.compress(b"1\n")
    entry = {"url": put(s3, "sized", body), "mandatory": True}
    url = manifest(s3, "m4", entry | {"meta": {"content_length": len(body)}})

    run(db, f"COPY {name} FROM '{url}' {ROLE} MANIFEST GZIP")

    assert run(db, f"SELECT count(*) FROM {name}") == [(1,)]


def test_a_cut_gzip_file_fails(db, s3, table):
    """A file that ends inside its compression loads nothing and is named."""
    name = table("a int")
    url = put(s3, "cut", gzip.compress(b"1\n" * 99)[:-9])

    with pytest.raises(psycopg2.errors.InternalError_, match="failed to inflate") as e:
        run(db, f"COPY {name} FROM '{url}' {ROLE} GZIP")

    assert url in str(e.value)


COLUMNS = "i int not null, s varchar(3), c char(2), d decimal(3, 1), b boolean, t timestamp"


@pytest.mark.parametrize(
    ("row", "column", "code", "reason"),
    [
        (b"1|x|y|1.0|t", "b", 1214, "Delimiter not found"),
        (b"1|x|y|1.0|t||more", "", 1202, "Extra column(s) found"),
        (b"1z|x|y|1.0|t|", "i", 1207, "Invalid digit, Value 'z', Pos 1, Type: Integer"),
        (b"99999999999|x|y|1.0|t|", "i", 1204, "Overflow, Value '99999999999', Type: Integer"),
        (b"|x|y|1.0|t|", "i", 1213, "Missing data for not-null field"),
        ("1|éé|y|1.0|t|".encode(), "s", 1204, "String length exceeds DDL length"),
        (b"1|x|yyy|1.0|t|", "c", 1204, "Char length exceeds DDL length"),
        (b"1|x|y|1e|t|", "d", 1207, "Invalid digit, Value 'e', Pos 1, Type: Decimal"),
        (b"1|x|y|1.0|maybe|", "b", 1210, "Unknown boolean format"),
        (b"1|x|y|1.0|t|2024-01-01T00:00:00Z", "t", 1206, "Invalid timestamp format or value"),
        (b"1|x|y|1.0|t|2024-13-01 00:00:00", "t", 1206, "Invalid timestamp format or value"),
        (b"1|\xff|y|1.0|t|", "s", 1220, "String contains invalid or unsupported UTF8"),
        (b"1|x|\0|1.0|t|", "", 1216, "Missing newline: Unexpected character 0x7c found at"),
    ],
)
def test_a_bad_row_is_told_by_file_line_and_column(db, s3, table, row, column, code, reason):
    """The tables of load errors name the second file's bad row, its line, its column."""
    name = table(COLUMNS)
    good = b"1|a\\\nb|y|1.0|t|2024-01-01 00:00:00.5\n"
    key = os.urandom(4).hex()
    first, second = put(s3, f"{key}/1", good * 2), put(s3, f"{key}/2", good + row + b"\n" + good)
    entries = [{"url": url, "mandatory": True} for url in (first, second)]

    with pytest.raises(psycopg2.errors.InternalError_) as caught:
        run(db, f"COPY {name} FROM '{manifest(s3, key, *entries)}' {ESCAPED} MANIFEST")

    assert (caught.value.pgcode, str(caught.value)) == ("XX000", FAILED.format(name))
    assert run(db, f"SELECT count(*) FROM {name}") == [(0,)]
    told = last_error(db)
    assert (told[:4], told[4][: len(reason)]) == ((second, 3, column, code), reason)
    session = run(db, "SELECT pg_backend_pid()")[0][0]
    assert last_error(db, "session, query") == (session, run(db, "SELECT pg_last_copy_id()")[0][0])
    assert run(
        db,
        "SELECT trim(file_name), line_number, trim(column_name), error_code, table_id::regclass::"
        "text FROM sys_load_error_detail WHERE session_id = %s ORDER BY query_id DESC LIMIT 1",
        session,
    ) == [(second, 3, column, code, name)]


def test_the_first_bad_row_is_the_one_told(db, s3, table):
    """A row that the server refuses comes before a later one that cannot even be split."""
    name = table("a int, b int")
    url = put(s3, "first", b"1|1\nx|1\n1\n")

    with pytest.raises(psycopg2.errors.InternalError_):
        run(db, f"COPY {name} FROM '{url}' {ROLE}")

    assert last_error(db)[1:4] == (2, "a", 1207)


def test_error_rows_are_padded_and_cut(db, s3, table):
    """A filename has 256 characters always; raw line and value are there."""
    name = table("a int, b int")
    url = put(s3, "long/" + "k" * 300, b"1|x\n")

    with pytest.raises(psycopg2.errors.InternalError_):
        run(db, f"COPY {name} FROM '{url}' {ROLE}")

    assert last_error(db, "filename") == (url[:256],)
    told = last_error(db, "trim(type), position, trim(raw_line), trim(raw_field_value), colname")
    assert told == ("int4", 2, "1|x", "x", "b".ljust(127))


def test_bad_json_and_csv_rows_are_told(db, s3, table):
    """Lines count blank lines, header lines and line breaks in fields."""
    name = table("a varchar(9), b int")
    json_url = put(s3, "bad.json", b'{"b": 1}\n\n{"b": 1}\n{"b": 1,}\n')
    csv_url = put(s3, "bad.csv", b'a,b\n"x\ny",1\n"z",q\n')

    with pytest.raises(psycopg2.errors.InternalError_):
        run(db, f"COPY {name} FROM '{json_url}' {ROLE} JSON 'auto'")
    assert last_error(db)[:2] == (json_url, 4)
    with pytest.raises(psycopg2.errors.InternalError_):
        run(db, f"COPY {name} FROM '{csv_url}' {ROLE} CSV IGNOREHEADER 1")
    assert last_error(db)[:4] == (csv_url, 4, "b", 1207)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ("", "42601"),
        ("IAM_ROLE default NONSENSE", "42601"),
        ("IAM_ROLE default ESCAPE ESCAPE", "42601"),
        ("IAM_ROLE default MAXERROR 100001", "42601"),
        ("IAM_ROLE default MAXERROR -1", "42601"),
        ("IAM_ROLE default MAXERROR", "42601"),
        ("IAM_ROLE default NOLOAD NOLOAD", "42601"),
        ("IAM_ROLE default REMOVEQUOTES", "0A000"),
        ("IAM_ROLE default FORMAT PARQUET", "0A000"),
        ("IAM_ROLE default JSON 's3://bucket/paths'", "XX000"),
        ("IAM_ROLE default JSON 'nonsense'", "42601"),
        ("IAM_ROLE default FORMAT NONSENSE", "42601"),
        ("IAM_ROLE default ACCEPTANYDATE", "0A000"),
        ("IAM_ROLE default ACCEPTINVCHARS 'ab'", "0A000"),
        ("IAM_ROLE default GZIP ZSTD", "42601"),
        ("IAM_ROLE default NULL AS '\\n'", "0A000"),
        ("IAM_ROLE default DATEFORMAT 'YYYY-Q'", "0A000"),
        ("IAM_ROLE default TIMEFORMAT 'YYYY-MM-DD HH:MI:SSOF'", "0A000"),
        ("IAM_ROLE default JSON 'auto' ESCAPE", "0A000"),
        ("IAM_ROLE default DELIMITER '||'", "0A000"),
        ("IAM_ROLE default GZIP COMPUPDATE OFF STATUPDATE OFF REGION 'us-east-1'", "XX000"),
    ],
)
def test_no_option_is_ignored_in_silence(db, s3, table, options, code):
    """A COPY needs an authorisation; unknown options are syntax errors, others refused by name."""
    name = table("a int")
    url = put(s3, "option", b"1\n")

    with pytest.raises(psycopg2.Error) as caught:
        run(db, f"COPY {name} FROM '{url}' {options}")

    assert caught.value.pgcode == code


def test_a_cancelled_copy_ends_at_once(ready, db, table, silent_s3):
    """A cancel request ends a COPY that waits for S3."""
    stuck = connect(silent_s3.ready)
    run(stuck, "CREATE TEMP TABLE t (a int)")
    answers = []

    def load():
        with pytest.raises(psycopg2.errors.QueryCanceled) as caught:
            run(stuck, f"COPY t FROM 's3://bucket/m' {ROLE} MANIFEST")
        answers.append(caught.value)

    loading = threading.Thread(target=load)
    loading.start()
    silent_s3.accept()
    stuck.cancel()
    loading.join(PATIENCE)

    assert "cancelled on user's request" in str(answers[0])
    stuck.close()


def test_a_client_that_goes_away_is_rolled_back(silent_s3):
    """The server lets go of the lock when its client dies during a COPY; others go on meanwhile."""
    watcher = connect(silent_s3.ready)
    watcher.autocommit = True
    run(watcher, "CREATE TABLE ledger (a int)")
    client = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import psycopg2, sys; psycopg2.connect(sys.argv[1]).cursor().execute(sys.argv[2])",
            dsn(silent_s3.ready),
            f"LOCK ledger; COPY ledger FROM 's3://bucket/m' {ROLE} MANIFEST",
        ]
    )
    silent_s3.accept()
    locks = "SELECT count(*) FROM pg_locks WHERE relation = 'ledger'::regclass"
    assert run(watcher, locks) != [(0,)]

    client.kill()
    client.wait()

    eventually(lambda: run(watcher, locks) == [(0,)])
    watcher.close()


class SilentS3:
    """An S3 that takes connections and never answers."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        self.held = []
        self.ready = {}

    def accept(self):
        self.socket.settimeout(PATIENCE)
        self.held.append(self.socket.accept()[0])


@pytest.fixture(scope="module")
def silent_s3(s3, tmp_path_factory):
    silent = SilentS3()
    process, silent.ready = start(tmp_path_factory.mktemp("silent"), AWS_ENDPOINT_URL_S3=silent.url)
    yield silent
    process.terminate()
    assert process.wait(PATIENCE) == 0
    process.stdout.close()
    for held in silent.held:
        held.close()
    silent.socket.close()


# --- connections and lifetime -----------------------------------------------------------------


def test_only_the_password_of_this_start_opens(ready):
    """A wrong password is refused, and so is the owner that the stand-in works as."""
    for attempt in ({"password": "guess"}, {"user": "rdsdb"}):
        with pytest.raises(psycopg2.OperationalError, match="authentication failed"):
            connect(ready, **attempt)


def test_a_user_without_privileges_of_the_admin_loads_and_reads_errors(ready, db, s3, table):
    """INSERT on the table is enough to COPY; the error tables and functions are for all."""
    name = table("a int")
    run(db, f"CREATE USER loader PASSWORD 'Secret1'; GRANT INSERT ON {name} TO loader")
    url = put(s3, "user", b"1\n")
    loader = connect(ready, user="loader", password="Secret1")
    loader.autocommit = True

    run(loader, f"COPY {name} FROM '{url}' {ROLE}")
    assert run(loader, "SELECT pg_last_copy_count()") == [(1,)]
    with pytest.raises(psycopg2.errors.InternalError_, match="sys_load_error_detail"):
        run(loader, f"COPY {name} FROM '{put(s3, 'user2', b'x')}' {ROLE}")
    assert last_error(loader)[3] == 1207
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        run(loader, f"SELECT * FROM {name}")
    loader.close()


def test_the_extended_protocol_passes_except_copy(ready):
    r"""Parse, Bind and Execute (psql's \bind) reach the server; a COPY among them is refused."""
    psql = subprocess.run(
        [binary("psql"), "-XAt", "-v", "VERBOSITY=verbose", dsn(ready)],
        input=f"SELECT 41 + $1::int \\bind 1 \\g\nCOPY t FROM 's3://bucket/x' {ROLE} \\bind \\g\n",
        capture_output=True,
        text=True,
        check=True,
    )

    assert psql.stdout == "42\n"
    assert "0A000: COPY in the extended query protocol is not supported" in psql.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_no_process_is_left_and_a_new_start_is_empty(tmp_path, number):
    """However the stand-in ends PostgreSQL ends with it; the next start holds nothing of it."""
    process, ready = start(tmp_path)
    connection = connect(ready)
    run(connection, "CREATE TABLE gone (a int); INSERT INTO gone VALUES (1)")
    connection.commit()
    assert len(postgres_of(tmp_path)) > 1

    process.send_signal(number)
    process.wait(PATIENCE)
    process.stdout.close()
    eventually(lambda: not postgres_of(tmp_path))

    again, ready = start(tmp_path)
    other = connect(ready)
    with pytest.raises(psycopg2.errors.UndefinedTable):
        run(other, "SELECT a FROM gone")
    again.terminate()
    assert again.wait(PATIENCE) == 0
    again.stdout.close()
    other.close()
    connection.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may enter a folder that nobody else may")
def test_root_keeps_all_in_a_folder_of_its_own(tmp_path):
    """With programs and data below a folder that only root may enter, as /root is, it starts."""
    private = tmp_path / "private"
    packages = private / "packages"
    package = Path(binary("initdb")).parents[2]
    for part in package.parent.glob(f"{package.name}*"):  # its shared libraries lie beside it
        shutil.copytree(part, packages / part.name)
    private.chmod(0o700)
    process, ready = start(private / "redshift", PYTHONPATH=str(packages))
    with connect(ready) as connection:
        assert run(connection, "SELECT 1") == [(1,)]
    connection.close()
    programs = set()
    for each in postgres_of(private / "redshift"):
        with suppress(FileNotFoundError):  # the connection's own, which has just ended
            programs.add(Path(f"/proc/{each}/exe").readlink())
    process.terminate()
    assert process.wait(PATIENCE) == 0
    process.stdout.close()
    assert any(program.is_relative_to(packages) for program in programs)


def test_it_ends_with_its_parent(tmp_path):
    """When the process that started it is gone the stand-in stops by itself."""
    command = (
        "import subprocess, sys; "
        "p = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE); print(p.stdout.readline())"
    )
    module = [sys.executable, "-m", "record_processors.local.redshift", "--directory"]
    subprocess.run([sys.executable, "-c", command, *module, str(tmp_path)], check=True)

    eventually(lambda: not postgres_of(tmp_path))
