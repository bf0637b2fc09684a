"""YAML that is put together by hand says what it is to say."""

import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from record_processors.fleet.text import block, fill, logical_id
from support.cloud_formation import Reader

TEXTS = st.text(st.characters(max_codepoint=0xFFFF), max_size=12).filter(
    lambda text: "${" not in text
)
VALUES = st.recursive(
    TEXTS | st.booleans() | st.integers() | st.none(),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3)
        | st.dictionaries(TEXTS, inner, min_size=1, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=40)
@given(value=st.dictionaries(TEXTS, VALUES, min_size=1, max_size=4))
@example(value={"on": "no", "a:b": "kinesis:GetRecords", "n": "012", "list": [["x"], {"~": "*"}]})
def test_a_block_reads_as_what_it_was_made_of(value):
    """Any JSON of text, numbers, lists and objects comes back as it was."""
    assert yaml.load(block(value), Reader) == value


def test_what_the_stack_fills_in():
    """Parameters and resources are references, pseudo parameters filled in; IAM's escapes stay."""
    said = {"a": "${Secret}", "b": "arn:${AWS::Region}:x${*}", "c": "arn:x${*}", "d": "${X.Arn}"}
    assert yaml.load(block(said), Reader) == {
        "a": {"Ref": "Secret"},
        "b": {"Fn::Sub": "arn:${AWS::Region}:x${!*}"},
        "c": "arn:x${*}",
        "d": {"Fn::GetAtt": "X.Arn"},
    }


def test_values_in_the_place_of_names():
    """Lines keep the indent of their name, nothing takes its line away, and values stay as is."""
    text = "a: @one@\n  @many@\n  @none@\nend\n"
    assert (
        fill(text, one="@many@", many="b:\n  - c\n", none="") == "a: @many@\n  b:\n    - c\nend\n"
    )


def test_names_of_resources():
    """A resource's name is of letters and digits alone."""
    assert logical_id("flights.to-redshift_2") == "FlightsToRedshift2"
