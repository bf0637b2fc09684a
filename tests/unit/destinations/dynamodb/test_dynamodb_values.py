"""Values keep their digits, are of the type that was asked for, or are refused with a reason."""

from decimal import Decimal

import pytest

from record_processors.destinations.dynamodb.values import (
    attribute_value,
    item_bytes,
    members,
    number,
    typed_value,
)
from record_processors.errors import Rejected


def stored(json):
    return {name: attribute_value(value) for name, value in members(json).items()}


def test_values_of_json():
    """Each kind of JSON value has its type, and numbers have every digit."""
    assert stored(b'{"s":"\xc3\xa9","n":1.10,"i":123456789012345678901234567890,"e":1E+5}') == {
        "s": {"S": "é"},
        "n": {"N": "1.10"},
        "i": {"N": "123456789012345678901234567890"},
        "e": {"N": "1E+5"},
    }
    assert stored(b'{"t":true,"z":null,"l":[1,"a"],"m":{"x":[]},"":""}')["m"] == {
        "M": {"x": {"L": []}}
    }
    assert attribute_value(True) == {"BOOL": True}
    assert attribute_value(None) == {"NULL": True}


def test_values_of_ones_own():
    """A transformer that makes dicts may use what JSON has not; a float has lost digits."""
    assert attribute_value(Decimal("1.10")) == {"N": "1.10"}
    assert attribute_value(b"ab") == {"B": "YWI="}
    assert attribute_value({"b", "a"}) == {"SS": ["a", "b"]}
    assert attribute_value({1, Decimal("2.5")}) == {"NS": ["1", "2.5"]}
    for bad, why in [(1.5, "a Decimal keeps"), ({1, "a"}, "a set"), (object(), "no value")]:
        with pytest.raises(Rejected, match=why):
            attribute_value(bad)


@pytest.mark.parametrize(
    "text",
    [
        "1" * 38,
        "-" + "9" * 38,
        "1" + "0" * 100,
        "1e-130",
        "9.9E+125",
        "0." + "0" * 129 + "1",
        "-0.0",
    ],
)
def test_numbers_within_the_limits(text):
    """38 digits and the powers of ten that DynamoDB has are taken as they are written."""
    assert Decimal(number(text)) == Decimal(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("1" * 39, "39 significant"),
        ("1." + "0" * 37 + "1", "39 significant"),
        ("1e126", "beyond"),
        ("1e-131", "beyond"),
        ("1e99999999999999999999999999", "beyond"),
        ("1e" + "0" * 20 + "9" * 20, "beyond"),
        ("NaN", "not a number"),
        ("1_0", "not a number"),
        (" 1", "not a number"),
        ("", "not a number"),
    ],
)
def test_numbers_beyond_the_limits(text, why):
    """A number that would lose a digit, or is none, is refused."""
    with pytest.raises(Rejected, match=why):
        number(text)


def test_nesting():
    """32 levels are taken, 33 are not."""

    def nested(levels):
        return [] if levels == 1 else [nested(levels - 1)]

    attribute_value(nested(32))
    with pytest.raises(Rejected, match="deeper than the 32"):
        attribute_value(nested(33))


@pytest.mark.parametrize(
    ("kind", "value", "made"),
    [
        ("N", "1.50", {"N": "1.50"}),
        ("S", 12, {"S": "12"}),
        ("B", "YWI=", {"B": "YWI="}),
        ("SS", ["b", "a", "b"], {"SS": ["b", "a"]}),
        ("NS", [1, "1.0", "2"], {"NS": ["1.0", "2"]}),
        ("BS", ["YWI=", "YWI="], {"BS": ["YWI="]}),
        ("SS", [], None),
        ("N", None, {"NULL": True}),
    ],
)
def test_types_by_the_map(kind, value, made):
    """The settings' types make sets without doubles, binary, numbers; an empty set is none."""
    assert typed_value(kind, value) == made


@pytest.mark.parametrize(
    ("kind", "value"),
    [("N", "x"), ("N", True), ("S", True), ("B", "no base64"), ("B", 1), ("SS", "a"), ("NS", [[]])],
)
def test_what_is_not_of_its_type(kind, value):
    """A value that cannot be of the type of the settings is refused."""
    with pytest.raises(Rejected):
        typed_value(kind, value)


def test_sizes():
    """An item counts its names and values as the documentation has it."""
    item = stored('{"aé":"é","n":-123,"l":[1,null],"m":{"k":true}}'.encode())

    assert item_bytes(item) == (3 + 2) + (1 + 4) + (1 + 3 + 1 + 2 + 1 + 1) + (1 + 3 + 1 + 1 + 1)
