"""What the stand-in's COPY makes of files and values, as the Database Developer Guide has it."""

import json
import os

import psycopg2
import psycopg2.errors
import pytest

from support.redshift_stand_in import ROLE, connect, last_error, put, run

JSON = f"{ROLE} JSON 'auto'"
CSV = f"{ROLE} CSV"
MIB = 1024 * 1024


def loaded(db, s3, table, columns, body, options, listed=""):
    """Load a file into a table of these columns; return the table's name."""
    name = table(columns)
    url = put(s3, f"copied/{name}", body)
    run(db, f"COPY {name}{listed} FROM '{url}' {options}")
    return name


@pytest.fixture
def copied(db, s3, table):
    """Load a file into a table of these columns; return its rows, by the first column's order."""

    def load(columns, body, options, *, listed=""):
        name = loaded(db, s3, table, columns, body, options, listed)
        order = "" if "super" in columns.split(",")[0] else "ORDER BY 1"
        return run(db, f"SELECT * FROM {name} {order}")

    return load


def refusal(copied, db, columns, body, options):
    """Load what cannot be loaded; return line, column, code and reason of the error table's row."""
    with pytest.raises(psycopg2.errors.InternalError_, match="sys_load_error_detail"):
        copied(columns, body, options)
    return last_error(db, "line_number, trim(colname), err_code, trim(err_reason)")


# --- JSON -------------------------------------------------------------------------------------


def test_white_space_between_json_objects_is_anything_or_nothing(copied):
    """Objects share a line, lie on several, hold braces in strings, and stand apart by blanks."""
    body = (
        b'{"a":1}{"a":2}  {"a" : 3}\n\n{\n "a": 4, "b":\n {"x": "}{"}\n}\r\n'
        b'{"a": 5, "b": "\\"}"}{"a": 6, "b": [{"c": 1}]}\n\t{"b": {"z": {}}, "a": 7}'
    )

    assert copied("a int, b varchar(99)", body, JSON) == [
        (1, None),
        (2, None),
        (3, None),
        (4, '{"x": "}{"}'),
        (5, '"}'),
        (6, '[{"c": 1}]'),
        (7, '{"z": {}}'),
    ]


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (b'{"a": 1},\n{"a": 2}', 1),
        (b'{"a": 1}\nnonsense {"a": 2}', 2),
        (b'{"a": 1}\n{"a":\n2,}', 3),
        (b'{"a": 1}\n\n{"a": 2', 3),
        (b'{"a": 1}]', 1),
        (b"[1]", 1),
    ],
)
def test_what_is_no_json_object_is_told_by_its_last_line(copied, db, body, line):
    """Other characters between objects, and objects that are broken or cut off, are errors."""
    told = refusal(copied, db, "a int", body, JSON)

    assert (told[0], told[2]) == (line, 1216)


def test_a_header_of_json_is_counted_in_lines(copied):
    """IGNOREHEADER leaves out lines, not objects."""
    assert copied("a int", b'# of\n{"a":1}{"a":2}\n{"a":3}', f"{JSON} IGNOREHEADER 2") == [(3,)]


def test_auto_ignorecase_takes_keys_in_any_case(copied, db):
    """'auto' takes a key as it is written; of two that differ in case alone nobody knows."""
    body = b'{"Title": "x", "ID": 1}'
    ignoring = f"{ROLE} FORMAT AS JSON 'auto ignorecase'"

    assert copied("id int, title varchar(9)", body, JSON) == [(None, None)]
    assert copied("id int, title varchar(9)", body, ignoring) == [(1, "x")]
    assert refusal(copied, db, "id int", b'{"ID": 1, "id": 2}', ignoring)[2] == 1216


def test_noshred_puts_the_whole_object_into_the_one_super_column(copied):
    """The object is kept as it stands; any other table is refused."""
    noshred = f"{ROLE} JSON 'noshred'"

    assert copied("event super", b'{"a": [1, "x"]}\n', noshred) == [({"a": [1, "x"]},)]
    for columns in ("event varchar(99)", "event super, more int"):
        with pytest.raises(psycopg2.errors.FeatureNotSupported, match="one SUPER column"):
            copied(columns, b"{}", noshred)


@pytest.mark.parametrize(
    "paths",
    [["$.id", "$.names[1].first", "$.tags"], ["$['id']", "$['names'][1]['first']", "$['tags']"]],
)
def test_jsonpaths_say_where_values_are(copied, s3, paths):
    """In either notation; what no key leads to is null, and what is nested is JSON text."""
    url = put(s3, f"paths/{len(paths[0])}", json.dumps({"jsonpaths": paths}))
    body = b'{"id": 1, "names": [0, {"first": "x"}], "tags": {"a": 1.0}}{"names": [0, {}]}'

    assert copied("n int, a varchar(9), b varchar(19)", body, f"{ROLE} JSON '{url}'") == [
        (1, "x", '{"a": 1.0}'),
        (None, None, None),
    ]


def test_jsonpaths_take_arrays_and_name_what_is_not_there(copied, db, s3):
    """An array is a row by its places; a place that is not there is an error of the row."""
    url = put(s3, "paths/array", json.dumps({"jsonpaths": ["$[0]", "$[1]"]}))
    options = f"{ROLE} JSON '{url}'"

    assert copied("a int, b varchar(9)", b'[1, "x"]\n[2, null]', options) == [(1, "x"), (2, None)]
    told = refusal(copied, db, "a int, b int", b"[1, 2]\n[1]", options)
    assert told[0] == 2
    assert "Not an array or index out of range" in told[3]


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ('{"jsonpaths": ["$.a", "$.b"]}', "JSONPath size: 2, Number of columns in table .*: 1"),
        ('{"jsonpaths": ["$.a[*]"]}', "Invalid JSONPath format"),
        ('{"jsonpaths": ["$.a[\'b\']"]}', "Invalid JSONPath format"),
        ('{"jsonpaths": [""]}', "Invalid JSONPath format"),
        ("[]", "Invalid JSONPath format"),
        ("{} {}", "Invalid JSONPath format"),
    ],
)
def test_a_wrong_jsonpaths_file_fails_the_copy(copied, s3, file, said):
    """Each column has one path, of one notation, to one place."""
    with pytest.raises(psycopg2.errors.InternalError_, match=said):
        copied("a int", b'{"a": 1}', f"{ROLE} JSON '{put(s3, 'paths/wrong', file)}'")


def test_a_file_of_another_key_than_jsonpaths_is_auto(copied, s3):
    """As documented, it is ignored."""
    url = put(s3, "paths/other", '{"paths": ["$.b"]}')

    assert copied("a int", b'{"a": 1, "b": 2}', f"{ROLE} JSON '{url}'") == [(1,)]


# --- SUPER ------------------------------------------------------------------------------------


def test_a_super_keeps_each_json_value_as_what_it_is(db, s3, table):
    """A string stays a string, digits in quotes too; an escaped NUL is kept; null is null."""
    body = b'{"v": "x"}{"v": "7"}{"v": 7}{"v": {"a": [1.10]}}{"v": "a\\u0000b"}{"v": null}'

    rows = run(db, f"SELECT v::text FROM {loaded(db, s3, table, 'v super', body, JSON)}")

    assert [value for (value,) in rows] == [
        '"x"',
        '"7"',
        "7",
        '{"a": [1.10]}',
        '"a\\u0000b"',
        None,
    ]


@pytest.mark.parametrize(
    ("columns", "body", "options"),
    [
        ("n int, v super", json.dumps({"v": {"a": ["é" * 32768]}}).encode(), JSON),
        ("n int, v super", b"1|{'a': 1}", ROLE),
        ("n int, v super", b'1|"' + b"x" * 65536 + b'"', ROLE),
    ],
)
def test_what_a_super_does_not_take_is_a_row_of_the_error_table(copied, db, columns, body, options):
    """A string of more than 65,535 bytes, and what is no JSON."""
    assert refusal(copied, db, columns, body, options)[:3] == (1, "v", 1224)


def test_a_super_takes_strings_of_65535_bytes_and_json_in_text(copied):
    """The limit itself is within it; delimited text has SUPER as serialized JSON."""
    text = "x" * 65535

    assert copied("v super", json.dumps({"v": [text, text]}).encode(), JSON) == [([text, text],)]
    assert copied("n int, v super", b'1|{"a": 1}', ROLE) == [(1, {"a": 1})]


# --- sizes and NUL ----------------------------------------------------------------------------


def filled(size, pipes=0):
    """Return a JSON object of so many bytes, braces included."""
    start, end = b'{"a": 1, "zz": "', b'"}'
    return start + b"|" * pipes + b"x" * (size - len(start) - len(end) - pipes) + end


def test_a_row_of_4_mib_loads_and_one_byte_more_fails_its_file(copied, db):
    """The object counts with its braces, and each | twice, in delimited text too."""
    assert copied("a int", filled(4 * MIB), JSON) == [(1,)]
    assert copied("a int", filled(4 * MIB - 9, pipes=9), JSON) == [(1,)]
    assert refusal(copied, db, "a int", b'{"a": 1}\n' + filled(4 * MIB + 1), JSON)[0:3:2] == (
        2,
        1216,
    )
    assert refusal(copied, db, "a int", filled(4 * MIB - 9, pipes=10), JSON)[2] == 1216
    long = b"1,|" + b"x" * (4 * MIB - 3)
    assert refusal(copied, db, "a int, b int", long, f"{ROLE} DELIMITER ','")[2] == 1216


@pytest.mark.parametrize("options", [CSV, f"{ROLE} DELIMITER ','", f"{ROLE} DELIMITER ',' ESCAPE"])
@pytest.mark.parametrize("body", [b"1,a\0b", b"1,\0", b"1,\0,x"])
def test_a_nul_fails_its_row(copied, db, options, body):
    """It ends the record, so that a newline is missing; nothing is cut without a word."""
    told = refusal(copied, db, "n int, a varchar(9)", b"0,x\n" + body, options)

    assert (told[0], told[2]) == (2, 1216)
    assert told[3].startswith("Missing newline: Unexpected character 0x")


def test_an_escaped_nul_in_json_is_refused_by_a_varchar_alone(copied, db):
    """In a key that nobody loads it does no harm."""
    body = b'{"n": 1, "a": "x\\u0000"}'

    assert copied("n int", body, JSON) == [(1,)]
    assert refusal(copied, db, "n int, a varchar(9)", body, JSON)[:3] == (1, "a", 1220)


# --- null and empty ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "body", "rows"),
    [
        (CSV, b'1,\\N\n2,"\\N"\n3,\n4,""\n5,"N"', [None, None, "", "", "N"]),
        (f"{CSV} EMPTYASNULL", b'1,\\N\n2,\n3,""', [None, None, None]),
        (f"{CSV} NULL AS 'nil'", b'1,nil\n2,"nil"\n3,\\N', [None, None, "\\N"]),
        (ROLE, b"1|\\N\n2|\n3|\\\\N", [None, "", "\\\\N"]),
        (f"{ROLE} ESCAPE", b"1|\\N\n2|\\\\N\n3|\n4|\\\\\\\\N", [None, None, "", "\\\\N"]),
        (f"{ROLE} ESCAPE NULL AS 'nil'", b"1|\\\\N\n2|\\N\n3|nil", ["\\N", "N", None]),
        (JSON, b'{"n":1,"a":""}{"n":2,"a":null}{"n":3,"a":"\\\\N"}', ["", None, "\\N"]),
        (f"{JSON} EMPTYASNULL", b'{"n":1,"a":""}', [None]),
    ],
)
def test_which_texts_are_null(copied, options, body, rows):
    r"""The null string is, in quotes too, and \\N under ESCAPE; an empty text is only if told."""
    assert copied("n int, a varchar(9)", body, options) == list(enumerate(rows, 1))


@pytest.mark.parametrize("kind", "int bigint decimal(5,2) real date timestamp boolean".split())
@pytest.mark.parametrize("blank", [b"", b"  ", b"\t"])
def test_blanks_are_null_in_all_but_character_columns(copied, kind, blank):
    """So are empty fields."""
    assert copied(f"n int, v {kind}", b"1," + blank, CSV) == [(1, None)]


# --- numbers, booleans, dates -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "value", "code"),
    [
        ("int", "0x1F", 1207),
        ("int", "1_000", 1207),
        ("int", "1.5", 1207),
        ("bigint", "0b1", 1207),
        ("decimal(9,2)", "1_000", 1207),
        ("decimal(9,2)", "NaN", 1207),
        ("decimal(9,2)", "Infinity", 1207),
        ("float", "0x1F", 1208),
        ("float", "1_0.5", 1208),
        ("boolean", "on", 1210),
        ("boolean", "tr", 1210),
        ("boolean", "2", 1210),
        ("date", "01/02/2024", 1205),
        ("date", "Jan 5 2024", 1205),
        ("date", "20240105", 1205),
        ("date", "2024-1-5", 1205),
        ("date", "2024-02-30", 1205),
        ("date", "yesterday", 1205),
        ("date", "infinity", 1205),
        ("timestamp", "now", 1206),
        ("timestamp", "2024-01-05T00:00:00", 1206),
    ],
)
def test_spellings_of_postgresql_alone_are_refused(copied, db, kind, value, code):
    """Redshift's spellings are fewer."""
    assert refusal(copied, db, f"v {kind}", value.encode(), CSV)[:3] == (1, "v", code)


@pytest.mark.parametrize("value", ["now", "Today", "tomorrow 10:00", "-infinity", "epoch"])
def test_auto_reads_no_words_for_moments(copied, db, value):
    """Not as a DATE, nor as a TIMESTAMP."""
    options = f"{ROLE} TIMEFORMAT 'auto' DATEFORMAT AS 'auto'"

    assert refusal(copied, db, "v date", value.encode(), options)[2] == 1205
    assert refusal(copied, db, "v timestamp", value.encode(), options)[2] == 1206


@pytest.mark.parametrize(
    ("kind", "options", "value", "read"),
    [
        ("int", "", "-0012", "-12"),
        ("decimal(9,2)", "", "20.259", "20.25"),
        ("decimal(9,2)", "ROUNDEC", "20.259", "20.26"),
        ("boolean", "", "YES", "true"),
        ("boolean", "", "0", "false"),
        ("date", "", "2024-01-05", "2024-01-05"),
        ("date", "DATEFORMAT 'auto'", "Jan-08-1995", "1995-01-08"),
        ("date", "DATEFORMAT 'auto'", "2024-01-05T10:00:00Z", "2024-01-05"),
        ("date", "DATEFORMAT 'MM/DD/YYYY'", "03/31/2003", "2003-03-31"),
        ("date", "DATEFORMAT 'MM/DD/YYYY'", "3/1/2003", "2003-03-01"),
        ("date", "DATEFORMAT 'MON DD, YYYY'", "March 31, 2003", "2003-03-31"),
        ("date", "DATEFORMAT 'DDMMYY'", "310369", "2069-03-31"),
        (
            "timestamp",
            "TIMEFORMAT 'MM.DD.YYYY HH:MI:SS'",
            "03.31.2003 18:45:05.123456",
            "2003-03-31 18:45:05.123456",
        ),
        (
            "timestamp",
            "TIMEFORMAT 'YYYY-MM-DDTHH12:MI:SS AM'",
            "2003-03-31T12:45:05 PM",
            "2003-03-31 12:45:05",
        ),
        ("timestamp", "TIMEFORMAT 'auto'", "2019-02-11T05:09:12.195Z", "2019-02-11 05:09:12.195"),
        ("timestamp", "TIMEFORMAT 'epochsecs'", "1700000000", "2023-11-14 22:13:20"),
        ("timestamptz", "", "2024-01-05 10:00:00-08:00", "2024-01-05 18:00:00+00"),
    ],
)
def test_numbers_and_moments_are_read_as_the_options_say(copied, db, kind, options, value, read):
    """Formats are DATEFORMAT's and TIMEFORMAT's, in which HH is of 24 hours."""
    rows = copied(f"v {kind}", value.encode(), f"{ROLE} {options}")

    assert run(db, "SELECT (%s)::text", rows[0][0]) == [(read,)]


@pytest.mark.parametrize(
    ("options", "value"),
    [
        ("DATEFORMAT 'MM/DD/YYYY'", "2003-03-31"),
        ("DATEFORMAT 'MM/DD/YYYY'", "13/01/2003"),
        ("DATEFORMAT 'DDMMYYYY'", "3132003"),
        ("DATEFORMAT 'DD-MON-YYYY'", "01-Mai-2003"),
    ],
)
def test_a_value_of_another_format_is_refused(copied, db, options, value):
    """A format is read as it stands."""
    assert refusal(copied, db, "v date", value.encode(), f"{ROLE} {options}")[2] == 1205


# --- options ----------------------------------------------------------------------------------


def test_texts_are_changed_as_the_options_say(copied, db):
    """TRIMBLANKS and ACCEPTINVCHARS are for VARCHAR alone, and come before the length."""
    columns = "n int, v varchar(4), c char(4)"

    assert copied(columns, b"1|ab   |ab", f"{ROLE} TRIMBLANKS") == [(1, "ab", "ab  ")]
    assert copied(columns, b"1|    |    ", f"{ROLE} BLANKSASNULL") == [(1, None, None)]
    assert copied(columns, b"1|a\xe0\xa1b|c", f"{ROLE} ACCEPTINVCHARS") == [(1, "a??b", "c   ")]
    assert copied(columns, b"1|\xff|c", f"{ROLE} ACCEPTINVCHARS AS '^'") == [(1, "^", "c   ")]
    assert copied(columns, "1|abcé|c".encode(), f"{ROLE} TRUNCATECOLUMNS") == [(1, "abc", "c   ")]
    told = refusal(copied, db, columns, b"1|a|\xff", f"{ROLE} ACCEPTINVCHARS")
    assert told[1:3] == ("c", 1220)


def test_fillrecord_fills_what_is_missing_at_the_end(copied):
    """VARCHAR with an empty text, or null under EMPTYASNULL; all else with null."""
    columns, fill = "n int, v varchar(4), i int, c char(1)", f"{CSV} FILLRECORD"

    assert copied(columns, b"1\n2,x,3,y", fill) == [(1, "", None, None), (2, "x", 3, "y")]
    assert copied(columns, b"1", f"{fill} EMPTYASNULL") == [(1, None, None, None)]


def test_csv_ignores_blanks_around_quotes(copied):
    """They lie outside of the value."""
    assert copied("n int, v varchar(9)", b'1 , " x,"" " \n', CSV) == [(1, ' x," ')]


@pytest.mark.parametrize(
    ("kind", "option"),
    [
        *(
            ("JSON 'auto'", option)
            for option in (
                "CSV",
                "DELIMITER ','",
                "ESCAPE",
                "FILLRECORD",
                "FIXEDWIDTH 'a:1'",
                "IGNOREBLANKLINES",
                "NULL AS ''",
                "READRATIO 50",
                "REMOVEQUOTES",
            )
        ),
        *(("CSV", option) for option in ("ESCAPE", "REMOVEQUOTES", "FIXEDWIDTH 'a:1'")),
    ],
)
def test_a_format_refuses_the_options_that_it_cannot_have(copied, kind, option):
    """In whatever order they stand, and by their names."""
    name = option.partition(" '")[0].partition(" 5")[0]
    for options in (f"{kind} {option}", f"{option} {kind}"):
        said = "JSON|CSV" if option == "CSV" else f"^{name} is not supported with {kind[:3]}"
        with pytest.raises(psycopg2.errors.FeatureNotSupported, match=said):
            copied("a int", b"", f"{ROLE} {options}")


def test_what_redshift_alone_knows_is_said_to_be_so(copied):
    """Nobody takes a gap of the stand-in for one of Redshift."""
    with pytest.raises(psycopg2.errors.FeatureNotSupported, match="although Redshift knows it"):
        copied("a int", b"", f"{ROLE} REMOVEQUOTES")


# --- identity columns -------------------------------------------------------------------------

BOTH = ["IDENTITY(0, 1)", "GENERATED BY DEFAULT AS IDENTITY(0, 1)"]


@pytest.mark.parametrize("identity", BOTH)
def test_identity_columns_are_left_to_the_server(copied, identity):
    """COPY leaves them out, listed or not, wherever they stand; EXPLICIT_IDS takes them in."""
    columns = f"a int, rid bigint {identity}, b varchar(9)"
    made = [(7, 0, "x"), (8, 1, "y\t")]

    assert copied(columns, b'{"a": 7, "b": "x"}{"a": 8, "b": "y\\t"}', JSON) == made
    assert copied(columns, b"7,x\n8,y\t", CSV) == made
    assert copied(columns, b"7,x\n8,y\t", CSV, listed="(a, b)") == made
    assert copied(columns, b"7,5,x", f"{CSV} EXPLICIT_IDS") == [(7, 5, "x")]
    assert copied(columns, b"5,7", f"{CSV} EXPLICIT_IDS", listed="(rid, a)") == [(7, 5, None)]


def test_an_identity_column_in_the_list_needs_explicit_ids(copied):
    """And the option needs it there; one that is generated by default may be listed without."""
    columns = "a int, rid bigint {}"

    with pytest.raises(psycopg2.errors.FeatureNotSupported, match="rid without EXPLICIT_IDS"):
        copied(columns.format(BOTH[0]), b"1,2", CSV, listed="(rid, a)")
    with pytest.raises(psycopg2.errors.FeatureNotSupported, match=r"EXPLICIT_IDS without .* rid"):
        copied(columns.format(BOTH[0]), b"1", f"{CSV} EXPLICIT_IDS", listed="(a)")
    assert copied(columns.format(BOTH[1]), b"1,2", CSV, listed="(rid, a)") == [(2, 1)]


# --- planned failures -------------------------------------------------------------------------


def test_a_planned_failure_comes_once_with_its_sqlstate_and_message(ready, db, s3, table):
    """COPY answers so when it comes to the file, in the middle of a transaction too."""
    name, key = table("a int"), os.urandom(4).hex()
    good, bad = put(s3, f"{key}/1", b"1\n"), put(s3, f"{key}/2", b"2\n")
    message = "Cannot insert a NULL value into column text"
    run(db, "SELECT stand_in.fail_copy(%s, 'XX000', %s, 8007)", bad, message)

    run(db, f"COPY {name} FROM '{good}' {ROLE}")
    with pytest.raises(psycopg2.errors.InternalError_) as caught:
        run(db, f"BEGIN; COPY {name} FROM 's3://bucket/{key}/' {ROLE}")
    run(db, "ROLLBACK")
    assert caught.value.pgcode == "XX000"
    assert str(caught.value).startswith(message + "\n")
    assert "code:      8007" in str(caught.value)
    run(db, f"COPY {name} FROM '{bad}' {ROLE}")
    assert run(db, f"SELECT a FROM {name} ORDER BY 1") == [(1,), (2,)]


def test_a_planned_failure_may_come_for_ever(ready, db, s3, table):
    """With null for how often, for all files of a pattern, to any user, until it is deleted."""
    name, key = table("a int"), os.urandom(4).hex()
    url = put(s3, f"{key}/1", b"1\n")
    run(db, "SELECT stand_in.fail_copy(%s, '57014', 'no', 1, NULL)", f"%/{key}/%")
    run(db, f"CREATE USER u{key} PASSWORD 'Secret1'; GRANT ALL ON {name} TO u{key}")
    other = connect(ready, user=f"u{key}", password="Secret1")
    other.autocommit = True

    for _ in range(2):
        with pytest.raises(psycopg2.errors.QueryCanceled, match="no"):
            run(other, f"COPY {name} FROM '{url}' {ROLE}")
    run(db, "DELETE FROM stand_in.planned_failures")
    run(other, f"COPY {name} FROM '{url}' {ROLE}")
    other.close()
