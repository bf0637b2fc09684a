"""The test of the tests: with one line of the destination broken, a test of it fails."""

import inspect
import textwrap

import pytest
import test_dynamodb as scenes

from record_processors.aws import json_calls
from record_processors.destinations.dynamodb import emitter, items, values, writes
from support.broken import Broken, broken_source

NO_GUARD = scenes.NO_GUARD
LINES = [
    (
        writes.Guarded,
        Broken(
            "no condition",
            "_put",
            '"attribute_not_exists(#p) OR #p < :p"',
            '"attribute_not_exists(#p) OR attribute_exists(#p)"',
            scenes.test_an_older_record_never_replaces_a_newer_one,
        ),
    ),
    (
        writes.Guarded,
        Broken(
            "only what is not there",
            "_put",
            '"attribute_not_exists(#p) OR #p < :p"',
            '"attribute_not_exists(#p)"',
            scenes.test_any_order_of_batches_comes_to_the_last,
        ),
    ),
    (
        items,
        Broken(
            "a position without its zeros",
            "position_text",
            "{position.sequence:0{SEQUENCE_DIGITS}}-{position.sub_sequence:0{SUB_SEQUENCE_DIGITS}}",
            "{position}",
            scenes.test_any_order_of_batches_comes_to_the_last,
        ),
    ),
    (
        emitter.DynamoDBEmitter,
        Broken(
            "the first of a key",
            "emit",
            "changes = [of_key.pop() for of_key in versions.values()]",
            "changes = [of_key.pop(0) for of_key in versions.values()]",
            lambda make: scenes.test_within_a_batch_the_last_of_a_key_alone(make, {}),
        ),
    ),
    (
        emitter.DynamoDBEmitter,
        Broken(
            "what is refused takes with it what came before",
            "emit",
            "changes = [of_key.pop() for change, _ in refused if (of_key := versions[change.key])]",
            "changes = []",
            scenes.test_a_refused_last_one_leaves_the_one_before,
        ),
    ),
    (
        emitter.DynamoDBEmitter,
        Broken(
            "what is refused is dropped",
            "_versions",
            "batch.reject(kept.record, Rejection(error).reason)",
            "pass",
            scenes.test_rows_of_ones_own,
        ),
    ),
    (
        emitter.DynamoDBEmitter,
        Broken(
            "what failed for a moment is dropped",
            "_write",
            "if isinstance(outcome, Waiting)",
            "if isinstance(outcome, Waiting) and not outcome",
            lambda make: scenes.test_a_call_that_fails_is_made_again_and_no_other(make, {}, "503"),
        ),
    ),
    (
        writes.Batched,
        Broken(
            "what is unprocessed is taken for written",
            "_refused",
            "found |= {self.key_of(_item_of(one)): UNPROCESSED for one in left[self.table]}",
            "pass",
            scenes.test_what_is_unprocessed_goes_again_alone,
        ),
    ),
    (
        json_calls.Calls,
        Broken(
            "nobody waits for the others",
            "each",
            "while self._multi.perform()[1]:\n    self._multi.select(LOOK_SECONDS)",
            "",
            scenes.test_nothing_is_written_after_an_emit_has_ended,
        ),
    ),
    (
        values,
        Broken(
            "digits are lost",
            "number",
            "if len(significant) > DIGITS:",
            "if len(significant) > 2 * DIGITS:",
            scenes.test_a_messy_file,
        ),
    ),
    (
        items.Items,
        Broken(
            "a delete that is an item like others",
            "change",
            "if self.deletes and self.deletes(_plain(row)):",
            "if False:",
            scenes.test_a_delete_stays_behind_as_a_tombstone,
        ),
    ),
]


@pytest.mark.parametrize(("owner", "line"), LINES, ids=[line.name for _, line in LINES])
def test_a_broken_line_is_found(make, monkeypatch, owner, line):
    """With this line broken, a test fails by what it asserts."""
    function = getattr(owner, line.symbol)
    source = broken_source(inspect.getsource(function), line)
    names = {}
    exec(
        "from __future__ import annotations\n" + textwrap.dedent(source),
        vars(inspect.getmodule(function)),
        names,
    )
    monkeypatch.setattr(owner, line.symbol, names[line.symbol])
    scenario = line.scenario
    arguments = (monkeypatch,) if "monkeypatch" in inspect.signature(scenario).parameters else ()
    with pytest.raises(AssertionError):
        scenario(make, *arguments)
