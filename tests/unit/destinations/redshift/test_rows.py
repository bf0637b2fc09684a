r"""Which row of a file a line number of COPY means: certain, or not said."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from record_processors.destinations.redshift import rows as module
from record_processors.destinations.redshift.rows import UnknownRows, rows_of

FORMATS = ["json", "csv", "delimited"]
LONGEST = 100  # here


def rows(data, data_format):
    return list(rows_of(io.BytesIO(data), data_format))


def lines(data, data_format):
    """Return what each row is called by COPY, and the row."""
    return [(row.line, row.content) for row in rows(data, data_format) if row.is_row]


@pytest.mark.parametrize(
    ("data_format", "data"),
    [
        ("json", b'{"a": 1}\n{"a": "}{"}\n{"a": {"b": [1]}}\n'),
        ("csv", b'1,a\n2,"a ""b"""\n3,\n'),
        ("delimited", b"1|a\n2|\\|b\\\\\n3|\\\\\\\\\n"),
    ],
)
@pytest.mark.parametrize("end", [b"\n", b""])
def test_a_row_on_a_line_is_called_by_its_number(data_format, data, end):
    """Rows without a line break inside are the lines of the file, counted from 1."""
    data = data.removesuffix(b"\n") + end
    assert lines(data, data_format) == list(enumerate(data.splitlines(), 1))


@pytest.mark.parametrize(
    ("data_format", "data", "found"),
    [
        ("csv", b'1,a\n2,"b\nc"\n3,d\n', [(1, b"1,a"), (None, b'2,"b\nc"'), (None, b"3,d")]),
        ("csv", b'1,a"b\n2,"\n3,d\n', [(None, b'1,a"b\n2,"'), (None, b"3,d")]),
        ("csv", b'1,"a\rb"\n2,c\n', [(None, b'1,"a\rb"'), (None, b"2,c")]),
        ("delimited", b"1|a\n2|b\\\nc\n3|d\n", [(1, b"1|a"), (None, b"2|b\\\nc"), (None, b"3|d")]),
        ("delimited", b"1|b\\\n\n2|d\n", [(None, b"1|b\\\n"), (None, b"2|d")]),
        ("delimited", b"1|b\rc\n2|d\n", [(None, b"1|b\rc"), (None, b"2|d")]),
    ],
)
def test_after_a_row_on_several_lines_nothing_is_certain(data_format, data, found):
    """Whether COPY counts lines or rows is not documented, so that a number may mean either."""
    assert lines(data, data_format) == found


@pytest.mark.parametrize("data_format", ["csv", "delimited"])
def test_lines_may_end_in_a_carriage_return(data_format):
    r"""``\r\n`` is one end of a line; an empty line is a row, the last one too."""
    assert lines(b"1\r\n\r\n2\r\n\n", data_format) == [
        (1, b"1\r"),
        (2, b"\r"),
        (3, b"2\r"),
        (4, b""),
    ]


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (
            b'{"a": 1}{"a": 2}\n{"a": 3}\n',
            [(None, b'{"a": 1}'), (None, b'{"a": 2}'), (2, b'{"a": 3}')],
        ),
        (b'{"a":\n1}\n{"a": 2}\n', [(2, b'{"a":\n1}'), (3, b'{"a": 2}')]),
        (b'{"a": 1} {\n"a": 2}\n', [(1, b'{"a": 1}'), (2, b' {\n"a": 2}')]),
        (b'\n\n{"a": 1}\n\n', [(3, b'{"a": 1}')]),
        (b'[1, "]"]\n{"a": 2}', [(1, b'[1, "]"]'), (2, b'{"a": 2}')]),
        (b'{"a": 1,,}\n{"a": 2}\n', [(1, b'{"a": 1,,}'), (2, b'{"a": 2}')]),
        (b'{"a":\r1}\n{"a": 2}\n', [(None, b'{"a":\r1}'), (None, b'{"a": 2}')]),
    ],
)
def test_an_object_is_called_by_the_line_that_it_ends_on(data, found):
    """As COPY documents it; of two that end on one line, neither is certain."""
    assert lines(data, "json") == found


@pytest.mark.parametrize(
    ("data_format", "data"),
    [
        ("json", b'{"a": 1}\nnull\n'),
        ("json", b'{"a": 1}\n"a"\n'),
        ("json", b'{"a": 1}\n}\n'),
        ("json", b'{"a": "b\n"}\n'),
        ("json", b'{"a": 1}\n{"a": 2\n'),
        ("json", b"{" + b" " * LONGEST + b"}"),
        ("json", b"\n" * (LONGEST + 1)),
        ("json", b'{"a": 1}' * LONGEST),
        ("csv", b'1,"a\n2,b\n'),
        ("csv", b"1," + b"a" * LONGEST),
        ("delimited", b"1|a\\\n"),
        ("delimited", b"1|" + b"a\\\n" * (LONGEST // 3)),
    ],
)
def test_a_file_that_is_no_sequence_of_rows_is_refused(data_format, data, monkeypatch):
    """What is no JSON, does not end, or is longer than COPY takes: nobody says how COPY goes on."""
    monkeypatch.setattr(module, "LONGEST", LONGEST)
    with pytest.raises(UnknownRows):
        rows(data, data_format)


PIECES = st.sampled_from(
    [b'{"a": 1}', b"{", b"}", b'"', b"\n", b"\\", b"|", b",", b" ", b"\r", b"x", b'{"a": "\\""}']
)


@given(st.sampled_from(FORMATS), st.lists(PIECES).map(b"".join))
def test_rows_are_all_of_the_file_and_no_two_have_one_number(data_format, data):
    """Whatever a file holds: what is left out and what is left together are the whole file."""
    try:
        found = rows(data, data_format)
    except UnknownRows:
        return
    assert b"".join(row.data for row in found) == data
    certain = [row.line for row in found if row.line is not None]
    assert sorted(set(certain)) == certain
