"""Which records go on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from record_processors import Rejected
from record_processors.filters.all import All
from record_processors.filters.jmespath import JmesPath
from record_processors.filters.regex import Regex
from support.fakes import record


@given(st.binary())
def test_all_keeps_everything(data):
    """The filter `all` keeps every record."""
    assert All().keep(record(data)) is True


@pytest.mark.parametrize(
    ("expression", "kept"),
    [
        ("zero", True),
        ("nothing", False),
        ("missing", False),
        ("no", False),
        ("yes", True),
        ("empty.text", False),
        ("empty.list", False),
        ("empty.object", False),
        ("zeros", True),
        ("minus", True),
        ("point", True),
        ("carrier == 'UA'", True),
        ("carrier == 'DL'", False),
        ("delay > `10` && carrier", True),
        ("delay > `20`", False),
        ("contains(tags, 'late')", True),
        ("starts_with(carrier, 'D')", False),
        ("tags[?@ == 'none']", False),
        ('"odd key"', True),
        ("!missing", True),
    ],
)
def test_jmespath_keeps_what_is_true(expression, kept):
    """False are false, null and what is empty; every number is true, 0 too (jmespath.org)."""
    data = (
        '{"zero":0,"zeros":[0],"minus":-0,"point":0.0,"nothing":null,"no":false,"yes":true,'
        '"empty":{"text":"","list":[],"object":{}},"carrier":"UA","delay":15,"tags":["late"],'
        '"odd key":"x"}'
    )
    assert JmesPath(expression).keep(record(data)) is kept


@pytest.mark.parametrize("data", [b"not json", b"", b"\xff", b'{"a":'])
def test_jmespath_rejects_what_is_not_json(data):
    """A record that is not JSON is bad data to `jmespath`, not a bug and not a silent no."""
    with pytest.raises(ValueError):
        JmesPath("a").keep(record(data))


def test_jmespath_rejects_a_value_of_the_wrong_type():
    """A function that cannot take the record's value is bad data, so the record is not lost."""
    with pytest.raises(ValueError, match=r"carrier|string|type"):
        JmesPath("starts_with(carrier, 'U')").keep(record('{"carrier": 5}'))


@pytest.mark.parametrize(
    ("expression", "data", "kept"),
    [
        ("UA", b"flight of UA 15", True),
        ("^UA", b"flight of UA 15", False),
        ("(?i)ua", b"UA", True),
        ("é", "é".encode(), True),
        ("^.$", "é".encode(), True),
        ("b$", b"\xff\xfeb", True),
        ("^..b$", b"\xff\xfeb", True),
        ("[\udc80-\udcff]", b"a\xffb", True),
        ("[\udc80-\udcff]", "aéb".encode(), False),
        ("x", b"", False),
        ("", b"", True),
    ],
)
def test_regex_searches_the_text(expression, data, kept):
    """The expression may be found anywhere in the text; a byte that is not UTF-8 is a character."""
    assert Regex(expression).keep(record(data)) is kept


@pytest.mark.parametrize(
    ("expression", "data"),
    [
        ("contains(name, tag)", '{"name": "x", "tag": 1}'),
        ("floor(to_number(a))", '{"a": "1e400"}'),
    ],
)
def test_jmespath_rejects_what_it_cannot_compare(expression, data):
    """A value that JMESPath itself stumbles over is bad data, not the end of the daemon."""
    with pytest.raises(Rejected, match="Error"):
        JmesPath(expression).keep(record(data))


def test_a_function_of_an_absent_field_is_an_error():
    """As the specification says: the record becomes a dead letter, and the reason names it."""
    (verdict,) = JmesPath("starts_with(absent, 'x')").keep_all([record('{"a": 1}')])
    assert not verdict
    assert "starts_with()" in verdict.reason


@pytest.mark.parametrize(
    ("expression", "data", "kept"),
    [
        ("n > `6`", '{"n": "8"}', False),
        ("n > `6` || n == '8'", '{"n": "8"}', True),
        ("n <= `6`", '{"n": null}', False),
        ("`6` < n", '{"n": [1]}', False),
        ("n >= `6`", '{"n": 8}', True),
        ("n > 'a'", '{"n": "b"}', True),
        ("to_number(n) > `6`", '{"n": "8"}', True),
        ("name && starts_with(name, 'x')", '{"n": 1}', False),
        ("name && starts_with(name, 'x')", '{"name": "xy"}', True),
        ("rows[?n > `6`]", '{"rows": [{"n": "8"}, {"n": 9}]}', True),
    ],
)
def test_jmespath_orders_what_is_of_one_type(expression, data, kept):
    """An order of unlike types is null, as the specification has it, and so not kept."""
    assert JmesPath(expression).keep(record(data)) is kept


def test_a_filter_of_ones_own_is_the_one_that_counts():
    """Who derives from a filter of ours and writes `keep` has no second way past it."""

    class Odd(All):
        def keep(self, record):
            return int(record.data) % 2 == 1

    one, two, bad = Odd().keep_all([record("1"), record("2"), record("x")])
    assert (one, two) == (True, False)
    assert not bad
    assert bad.reason.startswith("ValueError: ")
