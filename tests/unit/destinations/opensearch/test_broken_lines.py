"""Each line on which delivery to OpenSearch rests, broken: a test of this folder must fail."""

import importlib.util
from pathlib import Path

import pytest

from support import warm
from support.broken import NOT_RUNNING, Broken, broken_copy
from support.opensearch_server import ADDRESS, opensearch
from support.paths import TESTS

HERE = Path(__file__).parent
PYTEST = importlib.util.find_spec("pytest.__main__").origin

SECONDS = 120  # a hang takes longer
# Of what was imported before there was a pytest none has an assertion of ours.
IMPORTED = ("-W", "ignore::pytest.PytestAssertRewriteWarning")
QUIETLY = ("-q", "--noconftest", "-p", "no:cacheprovider", *IMPORTED)

# In the place of a scenario stands the test that must fail.
LINES = [
    Broken(
        "a document that is there is overwritten",
        "by_position",
        '{"create":',
        '{"index":',
        "test_opensearch.py::test_a_document_that_is_there_stays",
    ),
    Broken(
        "the rows of a record have one name",
        "by_position",
        "if number else position",
        "if False else position",
        "test_opensearch.py::test_a_document_is_named_by_its_position",
    ),
    Broken(
        "a replay moves a document back",
        "by_field",
        '"version": version, "version_type": "external_gte"',
        "",
        "test_opensearch.py::test_a_late_zombie_moves_nothing_back",
    ),
    Broken(
        "the last record of a key is refused",
        "by_field",
        "version_of(kept.record.position)",
        "(1 << 62) - version_of(kept.record.position)",
        "test_opensearch.py::test_the_last_of_a_key_wins",
    ),
    Broken(
        "a key that cannot be is passed over",
        "by_field",
        "batch.reject(kept.record, str(error))",
        "",
        "test_opensearch.py::test_a_key_that_cannot_be",
    ),
    Broken(
        "a row of two lines is sent",
        "documents._line",
        'if b"\\n" in row:',
        "if False:",
        "test_opensearch.py::test_messy_rows",
    ),
    Broken(
        "a refused document is no letter",
        "Bulk._send",
        "batch.reject(item.record, str(result.error))",
        "pass",
        "test_opensearch.py::test_messy_rows",
    ),
    Broken(
        "a busy item is taken for done",
        "fate_of",
        'return "again"',
        'return "there"',
        "test_opensearch.py::test_a_full_disk_passes",
    ),
    Broken(
        "what is blocked for a moment ends the process",
        "fate_of",
        " or cause.type in BLOCKED",
        "",
        "test_opensearch.py::test_a_write_block_passes",
    ),
    Broken(
        "other items than the busy ones go again",
        "Bulk._send",
        "places.append(place)",
        "places.append(0)",
        "test_opensearch.py::test_a_busy_item_alone_goes_again",
    ),
    Broken(
        "the second half is forgotten",
        "Bulk._send",
        "half + place for place in second.places",
        "place for place in second.places",
        "test_opensearch.py::test_halves_keep_their_places",
    ),
    Broken(
        "only one half is sent",
        "Bulk._send",
        "(items[:half], items[half:])",
        "(items[:half], items[:half])",
        "test_opensearch.py::test_a_request_that_is_too_large_goes_in_halves",
    ),
    Broken(
        "what is true of all makes letters",
        "fate_of",
        'status == 400 and cause.type != CLOSED and not OF_ALL.search(cause.reason or "")',
        "status == 400",
        "test_opensearch.py::test_what_no_document_can_pass",
    ),
    Broken(
        "what is not known makes letters",
        "fate_of",
        "status == 400 and",
        "status >= 400 and",
        "test_opensearch.py::test_a_refusal_is_no_letter",
    ),
    Broken(
        "a failed request is a refused one",
        "opensearch.classify",
        "return TooLarge(said)",
        "return Transient(said)",
        "test_opensearch.py::test_a_request_that_is_too_large_goes_in_halves",
    ),
    Broken(
        "an answer without results is a success",
        "Bulk._request",
        "if len(results) != len(items):",
        "if False:",
        "test_opensearch.py::test_an_answer_of_somebody_else",
    ),
    Broken(
        "versions begin anew with a child shard",
        "_counted",
        "(made - BEGINNING) * A_SECOND + count",
        "count",
        "test_versions.py::test_later_is_more",
    ),
    Broken(
        "sub-sequences do not count",
        "version_of",
        "min(position.sub_sequence, MOST_SUB)",
        "0",
        "test_versions.py::test_later_is_more",
    ),
    Broken(
        "an order is guessed",
        "_counted",
        "count > max(now - made, 1) * A_SECOND or ",
        "",
        "test_versions.py::test_an_unknown_structure",
    ),
    Broken(
        "certificates are not verified",
        "context_of",
        "return ssl.create_default_context(",
        "return ssl._create_unverified_context(",
        "test_address.py::test_certificates_are_verified",
    ),
]


def failing(test, path):
    """Run a test on a copy of the package; return its exit code and what it said."""
    words = [*QUIETLY, str(HERE / test)]
    there = {ADDRESS: opensearch()}
    return warm.run([path, TESTS], PYTEST, words, path / "log", SECONDS, there)


@pytest.mark.parametrize("broken", LINES, ids=lambda broken: broken.name)
def test_a_broken_line_is_noticed(tmp_path, broken):
    """The test that is named holds of the program, and fails when this line of it is broken."""
    code, said = failing(broken.scenario, broken_copy(tmp_path, broken))
    assert code == 1, said
    assert [error for error in NOT_RUNNING if f"E   {error}" in said or f"{error}: " in said] == []


def test_a_whole_copy_runs(tmp_path):
    """An unbroken copy passes, so that it is the broken line that the other copies fail by."""
    whole = Broken("", "version_of", "return _counted", "return _counted")
    code, said = failing("test_opensearch.py", broken_copy(tmp_path, whole))
    assert code == 0, said
