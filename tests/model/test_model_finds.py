"""The test of the model: with one safety line broken, it finds a history that ends badly."""

import os
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
import test_two_at_once as two
from test_model import (
    Delivery,
    DeliveryInOneProcess,
    DeliveryOfItems,
    DeliveryOfItemsAndFiles,
)

from support import warm
from support.broken import NOT_RUNNING, Broken, broken_copy
from support.paths import TESTS

MODEL = Path(__file__).with_name("test_model.py")
TWO = Path(two.__file__)
SECONDS = 600  # a hang takes longer; most are found in a second or two, some in a minute

LINES = [
    Broken(
        "checkpoint before emit",
        "Pipeline.flush",
        "through = self._emit(last)",
        "checkpoint(last)\nthrough = self._emit(last)",
    ),
    Broken(
        "buffer cleared without emit",
        "Pipeline.flush",
        "through = self._emit(last) if kept else last",
        "through = last",
    ),
    Broken(
        "a bad record dropped",
        "Pipeline._pass_over",
        "self.dead_letters.add(record, stage, verdict.reason)",
        "pass",
    ),
    Broken(
        "the filter's answers taken for those of other records",
        "Pipeline.process",
        "self.filter.keep_all(list(compress(chunk, rows_of)))",
        "self.filter.keep_all(chunk)",
    ),
    Broken(
        "dead letters after the object",
        "Pipeline.flush",
        "self.dead_letters.write()",
        "",
    ),
    Broken(
        "a checkpoint inside an object that another wrote",
        "Pipeline.flush",
        "self._skip_through(through)",
        "self._skip_through(through)\ncheckpoint(last)",
    ),
    Broken(
        "a checkpoint inside an object that is found at the start",
        "Pipeline._adopt",
        "self._skip_through(through)",
        "self._skip_through(through)\ncheckpoint(record.position)\nreturn True",
    ),
    Broken(
        "files of another filter not looked for",
        "ChainEmitter.next_written",
        "return self.chain.next_written(record)",
        "return None",
        two.test_a_file_that_begins_with_what_is_left_out_now_is_found,
    ),
    Broken(
        "a batch that reaches over a file of another filter",
        "Pipeline._adopt",
        "if begin and self.buffer.kept:",
        "if False:",
        two.test_a_file_that_begins_behind_what_is_kept_now_is_found,
    ),
    Broken(
        "no look at what comes after a found file",
        "Pipeline._skip_through",
        "self._is_looked_for = False",
        "",
    ),
    Broken(
        "a checkpoint inside an object, on the way through it",
        "Pipeline._skips",
        "if position >= end:\n    self._durable_through = None\n    checkpoint(end)",
        "checkpoint(min(position, end))\nif position >= end:\n    self._durable_through = None",
    ),
    Broken(
        "a checkpoint of what was not delivered",
        "Pipeline.flush",
        "if through > last:",
        "if False:",
    ),
    Broken(
        "what an object covers is not skipped",
        "Pipeline._skip_through",
        "self._durable_through = end",
        "",
    ),
    Broken(
        "the last record of an object is not skipped",
        "Pipeline._skips",
        "return position <= end",
        "return position < end",
    ),
    Broken(
        "the buffer is not trimmed",
        "Buffer.release",
        "self.kept = [kept for kept in self.kept if kept.record.position > through]",
        "pass",
    ),
    Broken(
        "the buffer is trimmed of too much",
        "Buffer.release",
        "self.kept = [kept for kept in self.kept if kept.record.position > through]",
        "self.kept = []",
    ),
    Broken(
        "dead letters named by their first position alone",
        "DeadLetters._put",
        "-{first.position}-{last.position}.jsonl",
        "-{first.position}.jsonl",
    ),
    Broken(
        "positions compared as text",
        "Position",
        "sub_sequence: int = 0",
        "sub_sequence: int = 0\n"
        "\n"
        "def __le__(self, other: object) -> bool:\n"
        "    return str(self) <= str(other)",
    ),
    Broken("an object overwritten", "Bucket.create", '"IfNoneMatch": "*", ', ""),
    Broken(
        "an object that is there taken for ours",
        "Chain._winner",
        "return theirs",
        "return ours",
    ),
    Broken(
        "an object named by where it ends",
        "Chain.write",
        "self.bucket.create(key, ",
        'self.bucket.create(f"{key}-{file.last}.gz", ',
    ),
    Broken(
        "a file not announced",
        "ChainEmitter.emit",
        "self.deliver(file)",
        "",
    ),
    Broken(
        "a found file not announced",
        "ChainEmitter.adopt",
        "self.deliver(file)",
        "",
    ),
    Broken(
        "a failed write ignored",
        "Chain.write",
        "except ConditionFailed:",
        "except Fatal:\n    return file\nexcept ConditionFailed:",
    ),
    Broken(
        "a checkpoint without its sub-sequence",
        "RecordProcessor._checkpoint",
        "checkpointer.checkpoint(str(sequence), sub_sequence)",
        "checkpointer.checkpoint(str(sequence))",
    ),
    Broken(
        "records without their sub-sequence",
        "Record",
        "self.sub_sequence_number or 0",
        "0",
    ),
    Broken(
        "a failure swallowed",
        "crash_boundary",
        'log.critical("%s: %s", action, error, extra=ENDED.of())\n'
        "raise SystemExit(EXIT_FAILED) from error",
        'log.critical("%s: %s", action, error, extra=ENDED.of())',
    ),
    Broken(
        "the end of a shard answered unflushed",
        "RecordProcessor.shard_ended",
        "self.pipeline.finish(self._checkpoint(checkpointer))",
        "",
    ),
    Broken(
        "the end of a shard not checkpointed",
        "RecordProcessor.shard_ended",
        'self._tell("the end of the shard", checkpointer.checkpoint)',
        "",
    ),
    Broken(
        "a throttled checkpoint taken for made",
        "RecordProcessor._tell",
        "raise _classify(error, where) from error",
        "log.error(where)",
    ),
    Broken(
        "no lock",
        "Ledger.lock",
        "LOCK {self.table}; ",
        "",
    ),
    Broken(
        "a read before the lock",
        "Ledger.lock",
        'cursor.execute(f"LOCK ',
        'cursor.execute("SELECT 1")\ncursor.execute(f"LOCK ',
    ),
    Broken(
        "what is loaded is loaded again",
        "Ledger.judge",
        "verdict.loaded.append(file)",
        "verdict.fresh.append(file)",
    ),
    Broken(
        "a loaded file not entered",
        "Load.run",
        "self.ledger.enter(cursor, fresh, manifest, sources.repaired)",
        "",
    ),
    Broken(
        "rows and ledger in two transactions",
        "Load.run",
        "self.ledger.enter(cursor, fresh, manifest, sources.repaired)",
        "cursor.connection.commit()\nself.ledger.enter(cursor, fresh, manifest, sources.repaired)",
    ),
    Broken(
        "a lost COMMIT taken for made",
        "Connection.transaction",
        "connection.commit()",
        "try:\n    connection.commit()\nexcept psycopg2.OperationalError:\n    self.close()",
        two.test_a_commit_that_is_lost_is_made_again,
    ),
    Broken(
        "one manifest for all loads",
        "Load.copy_files",
        "{hashlib.sha256(body).hexdigest()}",
        "all",
    ),
    Broken(
        "a refused file leaves no dead letter",
        "Loader.run",
        "rejected += self.retry(what, search.run)",
        "self.retry(what, search.run)",
    ),
    Broken(
        "a failure that names no file is nobody's fault",
        "LoadSearch._divide",
        "can_load = self.rehearse()",
        "can_load = None",
    ),
    Broken(
        "rows out of order",
        "Lines.encode",
        'parts.append(file.compress(b"\\n".join([*rows, b""])))',
        'parts.append(file.compress(b"\\n".join([*rows[::-1], b""])))',
    ),
    Broken(
        "no second try",
        "Retry.__call__",
        "failures.are_final",
        "tenacity.stop_after_attempt(1)",
    ),
    Broken(
        "a zombie writes on after it heard",
        "RecordProcessor._fall_silent",
        "self.lease_is_lost = True",
        "",
    ),
    Broken(
        "one key for two shards",
        "file_key",
        "{shard}-{position}{extension}",
        "{position}{extension}",
    ),
    Broken(
        "dead letters without their shard",
        "Pipeline.start",
        "self.dead_letters.start(shard)",
        "",
    ),
    Broken(
        "bad records before a found object dropped",
        "Pipeline._adopt",
        "self.dead_letters.write()",
        "",
        two.test_bad_records_before_a_file_that_is_found_are_letters,
    ),
    Broken(
        "a transaction that begins with the connection",
        "Connection._connect",
        "connection.commit()",
        "",
    ),
    Broken(
        "a rehearsal is no rehearsal",
        "Connection.rolled_back",
        "cursor.connection.rollback()",
        "",
    ),
    Broken(
        "a lock that is long in coming ends the process",
        "Ledger.lock",
        "raise Unavailable(",
        "raise Fatal(",
    ),
    Broken(
        "what overlaps is loaded",
        "Ledger.judge",
        "elif (other := taken.overlapping(file)) is not None:",
        "elif (other := None) is not None:",
    ),
    Broken(
        "what overlaps in one load is loaded",
        "Ledger.judge",
        "taken.add(file)",
        "",
    ),
    Broken(
        "what is announced twice in one load overlaps itself",
        "Ledger.judge",
        "by_url[file.url] = file",
        "",
    ),
    Broken(
        "another range taken for what is loaded",
        "Ledger.judge",
        "if differ(file, same):",
        "if False:",
    ),
    Broken(
        "the ledger asked only for numbers as long as the least",
        "_bounds",
        "range(len(str(low)), len(str(high)) + 1)",
        "range(len(str(low)), len(str(low)) + 1)",
    ),
    Broken(
        "the ledger asked only for numbers as long as the greatest",
        "_bounds",
        "range(len(str(low)), len(str(high)) + 1)",
        "range(len(str(high)), len(str(high)) + 1)",
    ),
    Broken(
        "the ledger not asked for files whose numbers get longer",
        "near",
        "unordered.append(",
        "list(",
    ),
    Broken(
        "the ledger asked for the last span alone",
        "spans",
        "yield chain, low, high\nlow = first",
        "low = first",
    ),
    Broken(
        "others of a load with a bad file are given up",
        "LoadSearch._go_on_without",
        "self._parts.appendleft(others)",
        "pass",
    ),
    Broken(
        "a file blamed by guess",
        "fault_of",
        'return Unexplained(message, Transient(f"Redshift: {message}"))',
        "return SetAside([RejectedFile(files[0], message)])",
    ),
    Broken(
        "a file that is named is blamed for everybody's fault",
        "LoadSearch._reject_named",
        "if self._named and not self._is_shown and self.rehearse() is False:",
        "if False:",
    ),
    Broken(
        "a file that fails alone is blamed for everybody's fault",
        "LoadSearch._divide",
        "if can_load is False or self._fruitless",
        "if self._fruitless",
    ),
    Broken(
        "a file with a fault stands in the way of others",
        "Load._judge",
        "sorted(files, key=lambda file: file in faults)",
        "files",
        two.test_a_file_that_is_gone_keeps_no_other_out,
    ),
    Broken(
        "a file that COPY passed over is entered",
        "Load.run",
        "self._insist_on_all(sources.files, rows)",
        "",
    ),
    Broken(
        "a row left out leaves no letter",
        "Load.run",
        "kept = self.letters.write(sources.repaired)",
        "kept = self.letters.write({})",
    ),
    Broken(
        "letters of rows after the COMMIT",
        "Load.run",
        "kept = self.letters.write(sources.repaired)\n"
        "self.ledger.enter(cursor, fresh, manifest, sources.repaired)",
        "self.ledger.enter(cursor, fresh, manifest, sources.repaired)\n"
        "cursor.connection.commit()\n"
        "kept = self.letters.write(sources.repaired)",
    ),
    Broken(
        "the ledger enters the file without the rows left out",
        "Load.run",
        "self.ledger.enter(cursor, fresh, manifest, sources.repaired)",
        "self.ledger.enter(cursor, sources.files, manifest, {})",
    ),
    Broken(
        "rows left out are counted as loaded",
        "Ledger.enter",
        "rest = repaired.get(file)",
        "rest = None",
    ),
    Broken(
        "lines counted from 0", "_json", "enumerate(_lines(stream), 1)", "enumerate(_lines(stream))"
    ),
    Broken(
        "a letter names what was loaded in the place of its file",
        "_letter",
        "file=file.url,",
        "file=rest.file.url,",
    ),
    Broken(
        "a good row lost on the way",
        "_split",
        "_write(row.data, others)",
        '_write(row.data if count else b"", others)',
    ),
    Broken(
        "only the first bad row is looked for",
        "looking_for",
        'return f" NOLOAD{tolerating(bad_rows)}"',
        'return " NOLOAD MAXERROR 1"',
    ),
    Broken(
        "a file with rows left out is rehearsed as a whole",
        "Rehearsal._can_load",
        'tolerating(left_out) if left_out else ""',
        '""',
    ),
    Broken(
        "the original is loaded though rows were left out",
        "Sources.__init__",
        "self.repaired[file].file if file in self.repaired else file: file for file in files",
        "file: file for file in files",
    ),
    Broken(
        "letters of a load together",
        "DeadLetters.write_rejected",
        "by_position = sorted(rejected, key=lambda one: one.record.position)",
        "for record, reason in rejected:\n"
        "    self.add(record, stage, reason)\n"
        "self.write()\n"
        "by_position = []",
        two.test_what_one_loader_refuses_takes_no_letter_of_anothers,
    ),
    Broken(
        "letters of a file after the file",
        "Chain.write",
        "batch.write_letters()",
        "",
    ),
    Broken(
        "what a destination refuses dropped",
        "Pipeline._emit",
        "batch.write_letters()",
        "",
    ),
    Broken(
        "a checkpoint before the load",
        "Pipeline.flush",
        "through = self._emit(last)",
        "checkpoint(last)\nthrough = self._emit(last)",
        DeliveryInOneProcess,
    ),
    Broken(
        "a found file not loaded",
        "ChainEmitter.adopt",
        "self.deliver(file)",
        "",
        DeliveryInOneProcess,
    ),
    Broken(
        "a written file not loaded",
        "ChainEmitter.emit",
        "self.deliver(file)",
        "",
        DeliveryInOneProcess,
    ),
    Broken(
        "a file that is kept out leaves no letter",
        "RedshiftBasicEmitter.deliver",
        "self.letters.write(kept_out, reason)",
        "pass",
        DeliveryInOneProcess,
    ),
    Broken(
        "a letter of one file in the place of another's",
        "FileLetters.write",
        "{file.shard}-{file.first}-file-{digest}",
        "{file.shard}-file",
        DeliveryInOneProcess,
    ),
    Broken(
        "a loaded file loaded again by the next life",
        "Ledger.judge",
        "verdict.loaded.append(file)",
        "verdict.fresh.append(file)",
        DeliveryInOneProcess,
    ),
    Broken(
        "no condition",
        "Guarded._put",
        '"ConditionExpression": "attribute_not_exists(#p) OR #p < :p",\n'
        '"ExpressionAttributeNames": {"#p": self.guard},\n'
        '"ExpressionAttributeValues": {":p": change.position},',
        "",
        DeliveryOfItems,
    ),
    Broken(
        "a condition that only the first item meets",
        "Guarded._put",
        " OR #p < :p",
        " OR #p = :p",
        DeliveryOfItems,
    ),
    Broken(
        "a number in the place of padded text",
        "Items.change",
        '{"S": position_text(record.position)}',
        '{"N": position_text(record.position).replace("-", "").lstrip("0")}',
        DeliveryOfItems,
    ),
    Broken(
        "a number of 38 digits in the place of padded text",
        "Items.change",
        '{"S": position_text(record.position)}',
        '{"N": f"{record.position.sequence:.37e}"}',
        DeliveryOfItems,
    ),
    Broken(
        "text that is not padded",
        "Items.change",
        "position_text(record.position)",
        "str(record.position)",
        DeliveryOfItems,
    ),
    Broken(
        "a guard without the sub-sequence",
        "position_text",
        "-{position.sub_sequence:0{SUB_SEQUENCE_DIGITS}}",
        "-{0:0{SUB_SEQUENCE_DIGITS}}",
        DeliveryOfItems,
    ),
    Broken(
        "the first of a key instead of the last",
        "DynamoDBEmitter.emit",
        "[of_key.pop() for of_key in versions.values()]",
        "[of_key.pop(0) for of_key in versions.values()]",
        DeliveryOfItems,
    ),
    Broken(
        "what came before a refused item of its key is forgotten",
        "DynamoDBEmitter.emit",
        "changes = [of_key.pop() for change, _ in refused if (of_key := versions[change.key])]",
        "changes = []",
        DeliveryOfItems,
    ),
    Broken(
        "an item that DynamoDB refuses leaves no letter",
        "DynamoDBEmitter.emit",
        "batch.reject(change.record, reason)",
        "pass",
        DeliveryOfItems,
    ),
    Broken(
        "an older record taken for one that is refused",
        "_outcome",
        'return "older"',
        'return Refused("older")',
        DeliveryOfItems,
    ),
    Broken(
        "a lost answer taken for a good one",
        "_outcome",
        "return Waiting(str(answer), isinstance(answer, Unavailable))",
        'return "written"',
        DeliveryOfItems,
    ),
    Broken(
        "what was not begun taken for written",
        "Guarded.send",
        "[NOT_BEGUN] * len(changes)",
        '["written"] * len(changes)',
        DeliveryOfItems,
    ),
    Broken(
        "a tombstone keeps nothing but its key",
        "Items.change",
        'item = {**names, MARK: {"BOOL": True}}',
        "item = {**names}",
        DeliveryOfItems,
    ),
    Broken(
        "a chain that is not last",
        "Several.emit",
        "for name, emitter, part in parts:",
        "for name, emitter, part in reversed(parts):",
        DeliveryOfItemsAndFiles,
    ),
    Broken(
        "skipped before the others have it",
        "Several.emit",
        "through = emitter.emit(part)",
        "return emitter.emit(part)",
        DeliveryOfItemsAndFiles,
    ),
    Broken(
        "only the last of several gets the batch",
        "Several.emit",
        "for name, emitter, part in parts:",
        "for name, emitter, part in parts[1:]:",
        DeliveryOfItemsAndFiles,
    ),
    Broken(
        "a failure of one of several ignored",
        "Several.emit",
        "through = emitter.emit(part)",
        "try:\n    through = emitter.emit(part)\nexcept Fatal:\n    pass",
        DeliveryOfItemsAndFiles,
    ),
    Broken(
        "what one of several refuses leaves no letter",
        "Part.reject",
        'self.whole.reject(record, f"{self.name}: {reason}")',
        "pass",
        DeliveryOfItemsAndFiles,
    ),
    Broken(
        "letters of what the first refuses after the file of the last",
        "Part.write_letters",
        "self.whole.write_letters()",
        "",
        DeliveryOfItemsAndFiles,
    ),
    Broken(
        "a conflict of writes ends the process",
        "AT_ONCE_WITH_ANOTHER",
        "ConditionalRequestConflict ",
        "",
    ),
]


# What the first seed finds only after thousands of histories.
SEEDS = {
    "a checkpoint inside an object that another wrote": 2,
    "a checkpoint of what was not delivered": 2,
    "the buffer is trimmed of too much": 2,
    "dead letters named by their first position alone": 8,
    "no lock": 6,
    "the ledger asked only for numbers as long as the least": 7,
    "the ledger asked only for numbers as long as the greatest": 3,
    "a file that COPY passed over is entered": 4,
}


def search(copy, broken):
    """Let the model look for a history that ends badly."""
    what = broken.scenario or Delivery
    if not isinstance(what, type):
        return warm.run([copy, TESTS], TWO, [what.__name__], copy / "log", SECONDS)
    words = [what.__name__, str(SEEDS.get(broken.name, 1))]
    return warm.run([copy, TESTS], MODEL, words, copy / "log", SECONDS)


@pytest.fixture(scope="module")
def searches(request, tmp_path_factory):
    """Begin the searches of the tests that run, as many at once as there are processors."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:

        def begin(broken):
            try:  # in this thread: Python 3.11 parses wrong in several at once
                copy = broken_copy(tmp_path_factory.mktemp("copy"), broken)
            except AssertionError as error:
                failed = Future()
                failed.set_exception(error)
                return failed
            return pool.submit(search, copy, broken)

        yield {
            item.callspec.params["broken"].name: begin(item.callspec.params["broken"])
            for item in request.session.items
            if item.path == request.path and "broken" in item.fixturenames
        }
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("broken", LINES, ids=lambda broken: broken.name)
def test_a_broken_line_is_found(searches, broken):
    """The model finds a counterexample, whichever safety line is taken out.

    Of those that chance is too slow to find, a scenario is named.
    """
    found = searches[broken.name].result()

    _, failed, reason = found.stderr.partition("AssertionError")
    assert found.returncode == 1
    assert failed, found.stderr
    assert [error for error in NOT_RUNNING if error in reason] == [], reason
