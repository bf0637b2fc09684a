"""Rows say exactly what the record said: each format is read back by an independent reader."""

import csv
import io
import json
import sys

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from record_processors import Rejected
from record_processors.errors import Rejection
from record_processors.transformers.csv import Csv
from record_processors.transformers.delimited import Delimited
from record_processors.transformers.json import Json
from record_processors.transformers.text import Text
from support.fakes import record

# Text without lone surrogates, rich in what could go wrong.
NASTY = "|,;\"'\\\n\r\t\0\x1b\x85\u2028\ufeffé😀 Nn"
texts = st.one_of(st.text(alphabet=NASTY), st.text(st.characters(exclude_categories=["Cs"])))
NUMBERS = [
    "0", "-0", "0.10", "1e400", "-1E-400", "1.0E+5", "100", "0.1234567890123456789012345678901",
    "123456789012345678901234567890", "9007199254740993", "18446744073709551616", "5e-324",
]  # fmt: skip
numbers = st.one_of(
    st.sampled_from(NUMBERS),
    st.from_regex(r"\A-?(0|[1-9][0-9]{0,40})(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,4})?\Z"),
)
scalars = st.one_of(
    texts.map(json.dumps),
    texts.map(lambda text: json.dumps(text, ensure_ascii=False)),
    numbers,
    st.sampled_from(["true", "false", "null"]),
)
blanks = st.text(alphabet=" \t\r\n", max_size=3)


def _members(kind):
    return st.lists(st.tuples(texts.map(json.dumps), kind), max_size=4)


@st.composite
def _object(draw, kind):
    gap = draw(blanks)
    members = [f"{gap}{key}{gap}:{gap}{value}{gap}" for key, value in draw(_members(kind))]
    return "{" + ",".join(members) + gap + "}"


@st.composite
def _array(draw, kind):
    gap = draw(blanks)
    return (
        "[" + ",".join(gap + value + gap for value in draw(st.lists(kind, max_size=4))) + gap + "]"
    )


values = st.recursive(scalars, lambda kind: _object(kind) | _array(kind), max_leaves=12)
objects = _object(values)


def rows(transformer, data):
    return list(transformer.transform(record(data)))


# ---- json


@given(objects)
def test_json_keeps_every_byte_of_an_object_without_line_breaks(text):
    """An object on one line passes byte for byte: digits, key order, blanks, escapes."""
    line = text.replace("\n", " ").replace("\r", " ")
    assert rows(Json(), line) == [line.encode()]


@given(objects, blanks, blanks)
def test_json_is_one_line_that_means_the_same(text, before, after):
    """Pretty-printed input becomes one line; only line breaks between tokens are changed."""
    (row,) = rows(Json(), before + text + after)
    assert b"\n" not in row
    assert b"\r" not in row
    assert row == text.replace("\n", " ").replace("\r", " ").encode()
    plain = {"parse_int": str, "parse_float": str, "object_pairs_hook": list}
    assert json.loads(row, **plain) == json.loads(text, **plain)


@pytest.mark.parametrize(
    ("data", "row"),
    [
        ('{"b":1.10,"a":1e400, "b":-0}', '{"b":1.10,"a":1e400, "b":-0}'),
        (r'{"a":"\u00e9\/\ud83d\ude00é"}', r'{"a":"\u00e9\/\ud83d\ude00é"}'),
        ('\n{\n  "a": [\r\n1\n]\n}\r\n', '{   "a": [  1 ] }'),
        ('{"a":"\x7f\u2028\x85"}', '{"a":"\x7f\u2028\x85"}'),
        ("{}", "{}"),
    ],
)
def test_json_examples(data, row):
    """What looks redundant or strange in an object is its producer's, and stays."""
    assert rows(Json(), data) == [row.encode()]


DEEP = sys.getrecursionlimit() * 50
NOT_AN_OBJECT = {
    "empty": b"",
    "blank": b" \n",
    "array": b'[{"a":1}]',
    "string": b'"text"',
    "number": b"5",
    "null": b"null",
    "NaN": b'{"a":NaN}',
    "Infinity": b'{"a":-Infinity}',
    "latin-1": '{"a":"é"}'.encode("latin-1"),
    "bad UTF-8 in a string": b'{"a":"\xff"}',
    "overlong UTF-8": b'{"a":"\xc0\xaf"}',
    "surrogate in UTF-8": b'{"a":"\xed\xa0\x80"}',
    "UTF-16": '{"a":1}'.encode("utf-16-le"),
    "BOM": b'\xef\xbb\xbf{"a":1}',
    "trailing junk": b'{"a":1} x',
    "two objects": b'{"a":1}{"b":2}',
    "two lines": b'{"a":1}\n{"b":2}',
    "trailing NUL": b'{"a":1}\0',
    "trailing comma": b'{"a":1,}',
    "cut off": b'{"a":"b',
    "single quotes": b"{'a':1}",
    "comment": b'{"a":1/*x*/}',
    "line break in a string": b'{"a":"x\ny"}',
    "control character in a string": b'{"a":"x\ty"}',
    "line break in a nested string": b'{"a":{"b":["x\ny"]}}',
    "wrong escape": b'{"a":"\\q"}',
    "cut escape": b'{"a":"\\u12"}',
    "leading zero": b'{"a":01}',
    "no fraction": b'{"a":1.}',
    "plus": b'{"a":+1}',
    "hexadecimal": b'{"a":0x10}',
    "key is no string": b"{1:2}",
    "deep arrays": b'{"a":' + b"[" * DEEP + b"]" * DEEP + b"}",
    "deep objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "deep and cut off": b'{"a":' + b"[" * DEEP,
}


@pytest.mark.parametrize("data", NOT_AN_OBJECT.values(), ids=NOT_AN_OBJECT)
@pytest.mark.parametrize("transformer", [Json(), Delimited(["a"], "|"), Csv(["a"])])
def test_what_is_not_one_object_is_rejected(transformer, data):
    """Whatever is not one JSON object in UTF-8 is rejected with a reason, never cut or mended."""
    with pytest.raises(Rejected, match=r"^not (one JSON object|UTF-8): ."):
        rows(transformer, data)


def _strict(data: bytes) -> object:
    def refuse(word):
        raise ValueError(word)

    return json.loads(data.decode(), parse_constant=refuse)


@given(objects.map(str.encode), st.data())
def test_json_agrees_with_a_second_reader_about_damaged_objects(text, data):
    """With a byte replaced, the object is rejected unless a strict JSON reader accepts it too."""
    at = data.draw(st.integers(0, len(text) - 1))
    byte = data.draw(st.sampled_from(list(b'{}[]",:\\x0-.e \n\x00\xff')))
    damaged = text[:at] + bytes([byte]) + text[at + 1 :]
    try:
        expected = isinstance(_strict(damaged), dict)
    except ValueError:
        expected = False
    try:
        accepted = bool(rows(Json(), damaged))
    except Rejected:
        accepted = False
    # A lone surrogate is an escape that the second reader takes and that is no text.
    assert accepted == expected or (expected and b"\\ud" in damaged.lower())


@pytest.mark.parametrize("transformer", [Json(), Delimited(["a"], "|"), Csv(["a"])])
@pytest.mark.parametrize("data", [r'{"a":"\ud800"}', r'{"a":"\ud83dx"}', r'{"\udc00":1}'])
def test_half_a_surrogate_pair_is_rejected(transformer, data):
    """A lone surrogate, which is no text in any encoding, makes a dead letter in every format."""
    with pytest.raises(Rejected):
        rows(transformer, data)


# ---- delimited


def unescape(row: bytes, delimiter: str) -> list[str | None]:
    r"""Read one row as Redshift does with ESCAPE and NULL AS '\\N'."""
    fields: list[str | None] = []
    text, raw, source = "", "", iter(row.decode() + delimiter)
    for char in source:
        if char == "\\":
            following = next(source)
            text, raw = text + following, raw + char + following
        elif char == delimiter:
            fields.append(None if raw == r"\N" else text)
            text = raw = ""
        else:
            assert char not in "\n\r", "an unescaped line break"
            text, raw = text + char, raw + char
    return fields


delimiters = st.sampled_from("|,;\t\x01~^\"'.-{:")
columns = st.lists(texts, min_size=1, max_size=5, unique=True)


def expected_text(value: str) -> str | None:
    """Return what a field must say of a JSON value."""
    if value == "null":
        return None
    return json.loads(value) if value.startswith('"') else value


@given(columns, delimiters, st.data())
def test_delimited_reads_back(names, delimiter, data):
    """Each field of a row reads back, under the rule of ESCAPE, as the value it was made of."""
    found = {name: data.draw(values) for name in names if data.draw(st.booleans())}
    assume("\\N" not in map(expected_text, found.values()))
    source = "{" + ",".join(f"{json.dumps(name)} : {value}" for name, value in found.items()) + "}"
    (row,) = rows(Delimited(names, delimiter), source)
    assert unescape(row, delimiter) == [
        expected_text(found[name]) if name in found else None for name in names
    ]


@pytest.mark.parametrize(
    ("fields", "row"),
    [
        (r'"a":"x|y","b":"c:\\d"', r"x\|y|c:\\d"),
        (r'"a":"1\n2","b":"3\r4"', "1\\\n2|3\\\r4"),
        (r'"a":null', r"\N|\N"),
        (r'"a":"\\n","b":""', r"\\n|"),
        (r'"a":true,"b":false', "true|false"),
        (r'"a":{"x":[1, 2.50]},"b":[]', '{"x":[1, 2.50]}|[]'),
        (r'"a":{"x":"1|2\n"},"b":"\u0000"', '{"x":"1\\|2\\\\n"}|\0'),
        (r'"a":1,"a":2,"b":"😀"', "2|😀"),
        ('"b" : 1e400 ,\n"a" :\tnull\n', r"\N|1e400"),
    ],
)
def test_delimited_examples(fields, row):
    r"""A backslash goes before backslash, delimiter and line breaks; null and absent are \\N."""
    assert rows(Delimited(["a", "b"], "|"), "{" + fields + "}") == [row.encode()]


@pytest.mark.parametrize("number", NUMBERS)
def test_numbers_keep_their_digits(number):
    """A number is written with the digits that it came with, in every format."""
    source = f'{{"a": {number} }}'
    assert rows(Delimited(["a"], "|"), source) == [number.encode()]
    assert rows(Csv(["a"]), source) == [number.encode()]
    assert number.encode() in rows(Json(), source)[0]


# ---- csv


@given(columns, st.data())
def test_csv_reads_back(names, data):
    """Each row is one record to Python's reader, each field the value that it was made of."""
    found = {name: data.draw(values) for name in names if data.draw(st.booleans())}
    assume("\\N" not in map(expected_text, found.values()))
    source = "{" + ",".join(f"{json.dumps(name)}:{value}" for name, value in found.items()) + "}"
    (row,) = rows(Csv(names), source)
    assume(b"\0" not in row or sys.version_info >= (3, 11))  # which the older reader refuses
    texts_of = [expected_text(found[name]) if name in found else None for name in names]
    wanted = ["\\N" if text is None else text for text in texts_of]
    lines = io.StringIO(row.decode() + "\n", newline="")
    read = list(csv.reader(lines, strict=True))
    assert read == [wanted] or (wanted == [""] and read in ([[]], [[""]]))


@pytest.mark.parametrize(
    ("fields", "row"),
    [
        ('"a":null', r"\N,\N,\N"),
        ('"a":"","b":null,"c":""', r'"",\N,""'),
        (r'"a":"x,y","b":"say \"hi\"","c":"1\n2"', '"x,y","say ""hi""","1\n2"'),
        (r'"a":"1\r2","b":[1,2],"c":{"x":"y"}', '"1\r2","[1,2]","{""x"":""y""}"'),
        ('"a":true,"b":0.10,"c":" blank "', "true,0.10, blank "),
    ],
)
def test_csv_examples(fields, row):
    r"""RFC 4180's quotes go where they are needed; null is \\N, "" an empty string."""
    assert rows(Csv(["a", "b", "c"]), "{" + fields + "}") == [row.encode()]


# ---- columns that no record has


@pytest.mark.parametrize(
    "make", [lambda: Delimited(["Id", "a\\b", "c"], "|"), lambda: Csv(["Id", "c"])]
)
def test_a_column_that_differs_in_case_is_told(make, caplog):
    """At the first record with such a key, once; what is null is there."""
    transformer = make()
    for _ in range(3):
        rows(transformer, '{"id": 1, "c": null}')
    told = [one.message for one in caplog.records]
    assert told == ["a record has id, and not Id: case counts in transformerColumns"]


def test_a_column_that_no_record_has_is_told(caplog):
    """After the first thousand, once; not of what only some records have."""
    transformer = Csv(["a", "rare", "none", "neither"])
    for number in range(2500):
        rows(transformer, '{"a": 1, "rare": 2}' if number == 999 else '{"a": 1}')
    (told,) = [one.message for one in caplog.records]
    assert told == "none of the first 1000 records has none, neither (transformerColumns)"


# ---- null

JOINED = {"delimited": lambda null: Delimited(["a", "b"], "|", null)}
JOINED["csv"] = lambda null: Csv(["a", "b"], null)


@pytest.mark.parametrize("make", JOINED.values(), ids=JOINED)
@pytest.mark.parametrize("null", [r"\N", "NULL", "null", "0", "-"])
def test_null_and_absent_are_the_null_string(make, null):
    """Null and absent are written alike, an empty string is none of them."""
    (row,) = rows(make(null), '{"a": null}')
    between = b"|" if b"|" in row else b","
    assert row.split(between) == [null.encode()] * 2
    (row,) = rows(make(null), '{"a": "", "b": "x"}')
    assert row in {b"|x", b'"",x'}


@pytest.mark.parametrize("make", JOINED.values(), ids=JOINED)
@pytest.mark.parametrize(
    ("null", "value"),
    [(r"\N", r'"\\N"'), ("NULL", '"NULL"'), ("null", '"null"'), ("0", "0"), ("true", "true")],
)
def test_a_value_that_looks_like_null_is_rejected(make, null, value):
    """What would be loaded as null, and is not, is a dead letter that names the setting."""
    with pytest.raises(Rejected, match=r"^b is .* loaded as null: give transformerNull a text"):
        rows(make(null), f'{{"a": null, "b": {value}}}')


@given(st.sampled_from(["NULL", "-", "a", "null"]), st.lists(values, min_size=2, max_size=2))
def test_the_quick_way_and_the_careful_one_agree_about_null(null, found):
    """Whatever the null string, the row says of each value what it was, or is rejected."""
    source = f'{{"a": {found[0]}, "b": {found[1]}}}'
    said = [expected_text(value) for value in found]
    try:
        (row,) = rows(Delimited(["a", "b"], "|", null), source)
    except Rejected:
        assert null in said
    else:
        assert null not in said
        read = unescape(row, "|")
        assert [None if text == null else text for text in read] == said


# ---- text


@given(st.binary())
def test_text_keeps_every_byte(data):
    """The rows with their line breaks are the record's bytes, with one break at the end."""
    body = b"".join(row + b"\n" for row in rows(Text(), data))
    ended = data if data.endswith(b"\n") else data + b"\n"
    assert body == (ended[:-2] + b"\n" if data.endswith(b"\r\n") else ended)


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"one", [b"one"]),
        (b"one\n", [b"one"]),
        (b"one\r\n", [b"one"]),
        (b"one\n\n", [b"one", b""]),
        (b"one\ntwo\r\nthree\n", [b"one", b"two\r", b"three"]),
        (b" \xff\x00 \r", [b" \xff\x00 \r"]),
    ],
)
def test_text_examples(data, lines):
    """One line break at the end is taken off; line breaks inside make several rows."""
    assert rows(Text(), data) == lines


def test_formats():
    """Each transformer says what its rows are, for the file's metadata."""
    assert [each.format for each in (Json, Delimited, Csv, Text)] == [
        "json",
        "delimited",
        "csv",
        "text",
    ]


# ---- many at once


def alone(transformer, one):
    """Return the rows of one record as a list, or why it has none."""
    try:
        return list(transformer.transform(one))
    except Rejected as error:
        return str(error)


@pytest.mark.parametrize(
    "transformer", [Text(), Json(), Csv(["a", "b"]), Delimited(["a", "b"], "|")], ids=type
)
@given(payloads=st.lists(st.one_of(objects.map(str.encode), st.binary(), texts.map(str.encode))))
def test_many_at_once_come_to_the_same(transformer, payloads):
    """What is made of many records at once is what is made of each alone, rejections included."""
    given_records = [record(data, number) for number, data in enumerate(payloads)]
    at_once = [
        rows.reason if isinstance(rows, Rejection) else list(rows)
        for rows in transformer.transform_all(given_records)
    ]
    assert at_once == [alone(transformer, one) for one in given_records]


def test_a_transform_of_ones_own_is_the_one_that_counts():
    """Who derives from a transformer of ours and writes `transform` has no second way past it."""

    class Loud(Text):
        def transform(self, record):
            return [row.upper() for row in super().transform(record)]

    class Louder(Loud):
        def transform_all(self, records):
            return [(b"!",) for _ in records]

    class Mixin:
        def transform(self, record):
            return [b"?"]

    class Mixed(Mixin, Text):
        pass

    given_records = [record("a\n"), record("b\nc")]
    assert Mixed().transform_all(given_records) == [(b"?",), (b"?",)]
    assert Loud().transform_all(given_records) == [(b"A",), (b"B", b"C")]
    assert Louder().transform_all(given_records) == [(b"!",), (b"!",)]
