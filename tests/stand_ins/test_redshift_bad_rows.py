"""COPY with MAXERROR and NOLOAD: which rows it leaves out, what it tells of them, what it loads."""

import gzip
import json
import os
import threading
import time

import psycopg2
import psycopg2.errors
import pytest

from support.redshift_stand_in import FAILED, ROLE, connect, manifest, put, run

COLUMNS = "n int, v varchar(5), d date, s smallint, j super"
CHECK = f"{ROLE} NOLOAD MAXERROR"
REFUSED = psycopg2.errors.InternalError_

# For each kind of bad row its fields, and what is told of it. Of JSON no field is missing: a key
# that is not there is a null.
GOOD = ["1", "abc", "2024-01-05", "7", "true"]
BAD = [
    (["3000000000", *GOOD[1:]], "n", 1204),
    (["1x", *GOOD[1:]], "n", 1207),
    (["1", "abcdef", *GOOD[2:]], "v", 1204),
    (["1", "abc", "2024-02-30", *GOOD[3:]], "d", 1205),
    (["1", "abc"], "v", 1214),
]
NO_JSON = (None, "", 1216)


def as_json(fields):
    """Return a row of JSON; None is none."""
    if fields is None:
        return b'{"n": 1,}'
    row = dict(zip("nvdsj", fields, strict=True))
    return json.dumps(row | {"j": True}).encode()


def as_text(delimiter):
    return lambda fields: delimiter.join(fields).encode()


FORMATS = {
    "JSON 'auto'": (as_json, [*BAD[:4], NO_JSON]),
    "CSV": (as_text(","), BAD),
    "DELIMITER '|' ESCAPE": (as_text("|"), BAD),
}


def file_of(kind, rows, wrong):
    """Return a file of so many rows, and (line, column, code) of those of its lines that are bad.

    ``wrong`` are their lines.
    """
    write, kinds = FORMATS[kind]
    lines, told = [], []
    for line in range(1, rows + 1):
        if line in wrong:
            fields, column, code = kinds[len(told) % len(kinds)]
            told.append((line, column, code))
        else:
            fields = GOOD
        lines.append(write(fields))
    return b"\n".join([*lines, b""]), told


def errors(db, columns="line_number, trim(colname), err_code", *, detail=False):
    """Return what is told of the last COPY, by file and line."""
    table, names = "stl_load_errors", ("query", "filename")
    if detail:
        table, names = "sys_load_error_detail", ("query_id", "file_name")
    return run(
        db,
        f"SELECT {columns} FROM {table} WHERE {names[0]} = pg_last_copy_id() "
        f"ORDER BY {names[1]}, line_number",
    )


def count(db, name):
    return run(db, f"SELECT count(*) FROM {name}")[0][0]


def last_count(db):
    return run(db, "SELECT pg_last_copy_count()")[0][0]


@pytest.fixture
def csv(s3, db, table):
    """Put lines into a file of one column n (or those given); return the COPY before options."""

    def make(*lines, columns="n int"):
        name = table(columns)
        url = put(s3, f"bad/{name}", "\n".join(map(str, lines)))
        return name, f"COPY {name} FROM '{url}' {ROLE} CSV"

    return make


# --- which rows are told ----------------------------------------------------------------------


@pytest.mark.parametrize("compression", ["", "GZIP"])
@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("bad", [1, 5, 100])
def test_a_check_lists_exactly_the_bad_rows_of_all_files(db, s3, table, kind, compression, bad):
    """Each with file, line, column and code, in both tables, be they found by whom they may."""
    name, folder = table(COLUMNS), f"bad/{os.urandom(4).hex()}"
    first = {3 + 7 * at for at in range(bad)}
    expected = []
    for file, wrong in (("1", first), ("2", {line + 2 for line in first})):
        body, told = file_of(kind, 1000, wrong)
        url = put(s3, f"{folder}/{file}", gzip.compress(body) if compression else body)
        expected += [(url, *error) for error in told]

    run(db, f"COPY {name} FROM 's3://bucket/{folder}/' {CHECK} 1000 {kind} {compression}")

    assert errors(db, "trim(filename), line_number, trim(colname), err_code") == expected
    assert (
        errors(db, "trim(file_name), line_number, trim(column_name), error_code", detail=True)
        == expected
    )
    assert count(db, name) == last_count(db) == 0


def test_an_error_of_many_is_told_as_the_one_that_fails_a_copy(db, csv):
    """Both tables say the same of it, but for the COPY's number and the time."""
    _, copy = csv("1,x", "2,yyy", "y,x", "3000000000,x", columns="n int, v varchar(2)")
    told = (
        "line_number, colname, type, col_length, position, raw_line, raw_field_value, err_code, "
        "err_reason, session, userid, tbl, filename"
    )
    detail = "line_number, column_name, column_type, column_length, error_code, error_message"

    run(db, f"{copy} NOLOAD MAXERROR 9")
    many, many_in_detail = errors(db, told), errors(db, detail, detail=True)
    alone, alone_in_detail = [], []
    for header in (1, 2, 3):
        with pytest.raises(REFUSED):
            run(db, f"{copy} IGNOREHEADER {header}")
        alone += errors(db, told)
        alone_in_detail += errors(db, detail, detail=True)

    assert many == alone
    assert many_in_detail == alone_in_detail
    assert len(many) == 3


@pytest.mark.parametrize("bad", [1, 2, 3])
def test_a_null_in_a_column_that_is_not_null_is_an_error_of_its_row(db, csv, bad):
    """A check finds it as a load does, and the load leaves the row out."""
    name, copy = csv(
        "1,x", *["2,\\N"] * bad, "3,y", columns="n int NOT NULL, v varchar(9) NOT NULL"
    )
    told = [(line, "v", 1213) for line in range(2, 2 + bad)]

    run(db, f"{copy} NOLOAD MAXERROR 9")
    assert errors(db) == told
    run(db, f"{copy} MAXERROR 9")
    assert errors(db) == told
    assert run(db, f"SELECT n FROM {name} ORDER BY n") == [(1,), (3,)]


def test_columns_that_are_not_loaded_are_as_in_a_load(db, s3, table):
    """A default or an identity fills them; without either, NOT NULL refuses each row."""
    filled = table("n int, a int NOT NULL DEFAULT 5, i bigint IDENTITY(0, 1), b int")
    empty = table("n int, a int NOT NULL")
    url = put(s3, "bad/columns", "1\nx\n3")

    run(db, f"COPY {filled} (n) FROM '{url}' {CHECK} 9 CSV")
    assert errors(db) == [(2, "n", 1207)]
    run(db, f"COPY {filled} (n) FROM '{url}' {ROLE} MAXERROR 9 CSV")
    assert run(db, f"SELECT n, a FROM {filled} ORDER BY n") == [(1, 5), (3, 5)]
    run(db, f"COPY {empty} (n) FROM '{url}' {CHECK} 9 CSV")
    assert [error[::2] for error in errors(db)] == [(1, 1213), (2, 1207), (3, 1213)]


def test_lines_are_counted_with_headers_and_breaks_in_values(db, csv):
    """As in any COPY: the line is the one on which the row begins."""
    columns = "n int, v varchar(9)"
    name, copy = csv("n,v", '1,"a\nb"', "x,c", "", '2,"d\ne"', 'y,"f\ng"', columns=columns)

    run(db, f"{copy} MAXERROR 9 IGNOREHEADER 1 IGNOREBLANKLINES")

    assert [line for line, *_ in errors(db)] == [4, 8]
    assert run(db, f"SELECT n, v FROM {name} ORDER BY n") == [(1, "a\nb"), (2, "d\ne")]


def test_bytes_that_are_no_utf8_are_an_error_of_their_row(db, s3, table):
    """Rows before and after it are loaded."""
    name = table("n int, v varchar(9)")
    url = put(s3, "bad/utf8", b"1,a\n2,\xff\n3,\xc3\xa9\n4,\xe0\n5,b")

    run(db, f"COPY {name} FROM '{url}' {ROLE} CSV MAXERROR 9")

    assert errors(db) == [(2, "v", 1220), (4, "v", 1220)]
    assert run(db, f"SELECT n FROM {name} ORDER BY n") == [(1,), (3,), (5,)]


def test_broken_json_is_one_row_up_to_where_it_is_known_to_end(db, s3, table):
    """What stands between values is a row; a value that is not closed takes the rest with it."""
    name = table("n int")
    body = b'{"n": 1}\n{"n": 2,}\n{"n": 3} nonsense {"n": 4}\n{"n": \n{"n": 5}\n{"n": 6}\n'

    run(db, f"COPY {name} FROM '{put(s3, 'bad/json', body)}' {ROLE} JSON 'auto' MAXERROR 9")

    assert [error[::2] for error in errors(db)] == [(2, 1216), (3, 1216), (6, 1216)]
    assert run(db, f"SELECT n FROM {name} ORDER BY n") == [(1,), (3,), (4,)]


# --- the limit --------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["", "NOLOAD"])
@pytest.mark.parametrize("bad", [2, 3, 70])
def test_as_many_errors_as_the_limit_fail_and_one_less_does_not(db, s3, table, option, bad):
    """Over all files; what was met until then is told, and nothing is loaded."""
    name, folder = table("n int, v varchar(9)"), f"bad/{os.urandom(4).hex()}"
    lines = ["1,a", "x,a", "2,b,c", "3000000000,a"] * 50  # found by the encoder and by the server
    wrong = [at for at in range(1, 201) if at % 4 != 1][: bad - 1]
    put(s3, f"{folder}/1", "\n".join(lines[: wrong[-1]]))
    last = put(s3, f"{folder}/2", "1,a\n3000000000,a\n5,a")
    copy = f"COPY {name} FROM 's3://bucket/{folder}/' {ROLE} CSV {option} MAXERROR AS"

    with pytest.raises(REFUSED) as caught:
        run(db, f"{copy} {bad}")
    assert str(caught.value) == FAILED.format(name)
    told = errors(db, "line_number")
    assert told == [(line,) for line in [*wrong, 2]]
    assert errors(db, "trim(filename)")[-1] == (last,)
    assert count(db, name) == last_count(db) == 0
    run(db, f"{copy} {bad + 1}")
    assert errors(db, "line_number") == told
    assert count(db, name) == last_count(db) == (0 if option else wrong[-1] - bad + 1 + 2)


@pytest.mark.parametrize("option", ["NOLOAD", "MAXERROR 0", "MAXERROR 1", "NOLOAD MAXERROR 1"])
def test_without_a_limit_above_1_the_first_error_fails(db, csv, option):
    """And is the one that is told."""
    name, copy = csv(1, 3000000000, "x", 2)

    with pytest.raises(REFUSED, match="sys_load_error_detail"):
        run(db, f"{copy} {option}")

    assert errors(db) == [(2, "n", 1204)]
    assert count(db, name) == last_count(db) == 0


# --- what is loaded, and what is said ---------------------------------------------------------


def test_the_rest_is_loaded_and_counted(db, s3, csv):
    """pg_last_copy_count is what was loaded; stl_load_commits has the lines that were scanned."""
    name, copy = csv(1, "x", 2, 3000000000, "", 3)
    db.notices.clear()

    run(db, f"{copy} MAXERROR 3")

    assert run(db, f"SELECT n FROM {name} ORDER BY n") == [(1,), (2,), (3,), (None,)]
    assert last_count(db) == 4
    assert db.notices == [
        f"INFO:  Load into table '{name}' completed, 4 record(s) loaded successfully.\n",
        f"INFO:  Load into table '{name}' completed, 2 record(s) could not be loaded.  "
        "Check 'sys_load_error_detail' system table for details.\n",
    ]
    scanned = "SELECT lines_scanned FROM stl_load_commits WHERE query = pg_last_copy_id()"
    assert run(db, scanned) == [(6,)]


def test_identities_json_and_super_are_loaded_as_ever(db, s3, table):
    """What a COPY makes of the rows that are good does not depend on those that are not."""
    name = table("n int, i bigint IDENTITY(0, 1), j super")
    body = b'{"n": 1, "j": {"a": "\\t"}}{"n": "x"}{"n": 2, "j": [1.10]}'

    run(db, f"COPY {name} FROM '{put(s3, 'bad/identity', body)}' {ROLE} JSON 'auto' MAXERROR 2")

    rows = run(db, f"SELECT n, i, j::text FROM {name} ORDER BY n")
    assert rows == [(1, 0, '{"a": "\\t"}'), (2, 1, "[1.10]")]


def test_a_good_file_passes_a_check_and_nothing_is_loaded(db, csv):
    """The answer is that of a COPY; no file is entered as loaded."""
    name, copy = csv(1, 2)

    with db.cursor() as cursor:
        cursor.execute(f"{copy} NOLOAD")
        assert cursor.statusmessage == "COPY"

    assert errors(db) == []
    assert count(db, name) == last_count(db) == 0
    commits = "SELECT count(*) FROM stl_load_commits WHERE query = pg_last_copy_id()"
    assert run(db, commits) == [(0,)]
    run(db, copy)
    assert count(db, name) == last_count(db) == 2


# --- transactions and locks -------------------------------------------------------------------


def test_a_check_is_no_end_of_its_transaction(ready, db, csv, table):
    """What came before it is kept, what comes after it works, be the table new or locked."""
    name, copy = csv(1, "x", 2)
    ledger = table("id int")
    run(db, f"BEGIN; INSERT INTO {ledger} VALUES (1); LOCK {name}; {copy} NOLOAD MAXERROR 5")
    run(db, f"INSERT INTO {ledger} VALUES (2); {copy} MAXERROR 5")
    run(db, f"CREATE TABLE {name}_new (LIKE {name})")
    run(db, f"{copy.replace(name, name + '_new', 1)} NOLOAD MAXERROR 5; COMMIT")

    assert run(db, f"SELECT id FROM {ledger} ORDER BY id") == [(1,), (2,)]
    assert run(db, f"SELECT n FROM {name} ORDER BY n") == [(1,), (2,)]
    assert count(db, f"{name}_new") == 0


def test_a_check_that_fails_fails_its_transaction(db, csv, table):
    """Until its end nothing works in it; the connection is as good as ever then."""
    name, copy = csv(1, "x", "y", 2)
    ledger = table("id int")

    run(db, f"BEGIN; INSERT INTO {ledger} VALUES (1)")
    with pytest.raises(REFUSED, match="sys_load_error_detail"):
        run(db, f"{copy} NOLOAD MAXERROR 2")
    with pytest.raises(psycopg2.errors.InFailedSqlTransaction):
        run(db, "SELECT 1")
    run(db, "ROLLBACK")
    assert count(db, ledger) == 0
    assert [line for line, *_ in errors(db)] == [2, 3]
    run(db, f"{copy} MAXERROR 3")
    assert count(db, name) == 2


def test_a_check_is_in_nobodys_way(ready, db, csv):
    """Not even in that of a LOCK, while the transaction goes on."""
    name, copy = csv(1, "x")
    other = connect(ready)

    run(db, f"BEGIN; {copy} NOLOAD MAXERROR 5")
    run(other, f"SET statement_timeout = 5000; LOCK {name}; {copy} MAXERROR 5")
    other.commit()
    other.close()
    run(db, "COMMIT")

    assert count(db, name) == 1


@pytest.mark.parametrize(
    ("target", "error"),
    [
        ("nowhere_at_all", psycopg2.errors.UndefinedTable),
        ("{} (n, zz)", psycopg2.errors.UndefinedColumn),
        ("{} (n, n)", psycopg2.errors.DuplicateColumn),
    ],
)
def test_a_check_of_what_cannot_be_loaded_is_refused_as_a_load(db, csv, target, error):
    """With the server's own words."""
    name, copy = csv(1)
    copy = copy.replace(name, target.format(name), 1)
    said = []
    for option in ("", "NOLOAD"):
        with pytest.raises(error) as caught:
            run(db, f"{copy} {option}")
        said.append(str(caught.value))

    assert said[0] == said[1]


def test_a_check_needs_the_right_to_load(ready, db, csv):
    """A user without INSERT may not check; one with it may, and may use MAXERROR."""
    name, copy = csv(1, "x")
    user = f"u{os.urandom(4).hex()}"
    run(db, f"CREATE USER {user} PASSWORD 'Secret1'")
    other = connect(ready, user=user, password="Secret1")
    other.autocommit = True

    with pytest.raises(psycopg2.errors.InsufficientPrivilege, match=name):
        run(other, f"{copy} NOLOAD MAXERROR 2")
    run(db, f"GRANT INSERT ON {name} TO {user}")
    run(other, f"{copy} NOLOAD MAXERROR 2")
    assert errors(other) == [(2, "n", 1207)]
    run(other, f"{copy} MAXERROR 2")
    other.close()
    assert count(db, name) == 1


# --- what is no row's error -------------------------------------------------------------------


@pytest.mark.parametrize("option", ["MAXERROR 100000", "NOLOAD MAXERROR 100000"])
def test_what_fails_a_whole_file_fails_the_copy(db, s3, table, option):
    """A file that must be there, or is not compressed so; errors of rows before it are told."""
    name = table("n int")
    good = put(s3, "bad/packed", gzip.compress(b"1\nx\n"))
    plain = put(s3, "bad/plain", b"1\n")
    for url, said in (("s3://bucket/bad/absent", "S3ServiceException"), (plain, "inflate")):
        entries = [{"url": good}, {"url": url, "mandatory": True}]
        listed = manifest(s3, "bad/manifest", *entries)
        with pytest.raises(REFUSED, match=said):
            run(db, f"COPY {name} FROM '{listed}' {ROLE} CSV GZIP MANIFEST {option}")
        assert errors(db) == [(2, "n", 1207)]
        assert count(db, name) == last_count(db) == 0


@pytest.mark.parametrize("option", ["MAXERROR 5", "NOLOAD MAXERROR 5"])
def test_a_planned_failure_fails_such_a_copy_once(db, csv, option):
    """With its SQLSTATE and message."""
    name, copy = csv(1, "x")
    run(db, "SELECT stand_in.fail_copy(%s, '57014', 'planned')", f"%/{name}")

    with pytest.raises(psycopg2.errors.QueryCanceled, match="planned"):
        run(db, f"{copy} {option}")
    assert count(db, name) == 0
    run(db, f"{copy} {option}")
    assert errors(db) == [(2, "n", 1207)]


def test_what_only_the_table_itself_refuses_fails_the_load_at_its_own_line(db, csv):
    """A CHECK, which Redshift has none of: rows that were left out before it are counted."""
    name, copy = csv("x", 1, "y", 200, 2, columns="n int CHECK (n < 100)")

    with pytest.raises(REFUSED, match="sys_load_error_detail"):
        run(db, f"{copy} MAXERROR 9")

    assert [line for line, *_ in errors(db)] == [1, 3, 4]
    assert count(db, name) == last_count(db) == 0


# --- size -------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["MAXERROR", "NOLOAD MAXERROR"])
def test_many_bad_rows_among_very_many_take_seconds(db, s3, table, option):
    """100 of 10,000, each refused by the server alone."""
    name = table("n int, v varchar(99)")
    rows = [f"{3000000000 if at % 100 == 50 else at},{'x' * 90}" for at in range(10_000)]
    url = put(s3, f"bad/{name}", "\n".join(rows))

    start = time.monotonic()
    run(db, f"COPY {name} FROM '{url}' {ROLE} CSV {option} 1000")
    took = time.monotonic() - start

    assert len(errors(db)) == 100
    assert last_count(db) == (0 if "NOLOAD" in option else 9_900)
    assert took < 20


def test_a_cancel_ends_a_check(ready, db, s3, table):
    """As it ends a load; the connection goes on."""
    name = table("n int")
    url = put(s3, f"bad/{name}", b"3000000000\n" * 90_000)
    timer = threading.Timer(0.5, db.cancel)

    timer.start()
    with pytest.raises(psycopg2.errors.QueryCanceled):
        run(db, f"COPY {name} FROM '{url}' {CHECK} 100000 CSV")
    timer.join()
    assert run(db, "SELECT 1") == [(1,)]
