"""What decides the rows has a name that changes with it, and with nothing else."""

import sys

import pytest

from record_processors.config.fingerprint import fingerprint
from record_processors.config.properties import load
from support.fakes import properties


@pytest.fixture
def of(tmp_path):
    def of(more=""):
        changes = dict(line.split(" = ") for line in more.splitlines())
        return fingerprint(load(properties(tmp_path, changes)))

    return of


def test_it_is_the_same_for_what_makes_the_same_rows(of):
    """Neither what is said of other things nor a default that is written down changes it."""
    assert of() == of("bufferRecordCountLimit = 7") == of("transformer = json\nfilter = all")


@pytest.mark.parametrize(
    "more",
    [
        "transformer = text",
        "transformer = csv\ntransformerColumns = a,b",
        "transformer = csv\ntransformerColumns = b,a",
        "filter = regex\nfilterExpression = a",
        "filter = regex\nfilterExpression = b",
        "filter = jmespath\nfilterExpression = a",
    ],
)
def test_it_changes_with_transformer_filter_and_their_settings(of, more):
    """Each of them decides which rows a record becomes."""
    assert of(more) != of()
    assert of("filter = regex\nfilterExpression = c") not in {of(more), of()}


def test_it_changes_with_the_code_filter_of_ones_own_class(of, tmp_path, monkeypatch):
    """A filter of one's own that is edited keeps other records, under the same name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    own = tmp_path / "filter_of_ones_own.py"
    code = "from record_processors.filters.all import All\nclass Own(All):\n    number = {}\n"
    own.write_text(code.format(1))
    first = of("filter = filter_of_ones_own:Own")
    own.write_text(code.format(2))
    assert of("filter = filter_of_ones_own:Own") != first
