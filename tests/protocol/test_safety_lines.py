"""The test of the tests: with one safety line broken, a scenario of the protocol fails.

Each line is broken in a copy of the package. A copy that merely does not run proves nothing, and
is told from one that does harm.
"""

import pytest
import test_protocol as protocol

from protocol.daemon import Scenes
from support.broken import NOT_RUNNING, Broken, broken_copy

LINES = [
    Broken(
        "checkpoint before emit",
        "Pipeline.flush",
        "through = self._emit(last)",
        "checkpoint(last)\nthrough = self._emit(last)",
        protocol.test_the_count_cuts,
        r"record \S+ \(kept\) is 0 times",
    ),
    Broken(
        "buffer cleared without emit",
        "Pipeline.flush",
        "through = self._emit(last) if kept else last",
        "through = last",
        protocol.test_the_count_cuts,
        r"record \S+ \(kept\) is 0 times",
    ),
    Broken(
        "thresholds looked at once per call",
        "Pipeline.process",
        "elif self.buffer.keep(record, rows):",
        "elif self.buffer.keep(record, rows) and record is records[-1]:",
        protocol.test_the_count_cuts,
    ),
    Broken(
        "no look at the clock",
        "Pipeline.process",
        "if self.buffer.due:\n    self.flush(checkpoint)",
        "",
        protocol.test_an_empty_call_flushes_on_time,
    ),
    Broken(
        "filtered records leave the checkpoint where it is",
        "Pipeline._pass_over",
        "self.buffer.pass_over(record)",
        "if isinstance(verdict, Rejection):\n    self.buffer.pass_over(record)",
        protocol.test_filtered_records_move_the_checkpoint,
    ),
    Broken(
        "a bad record dropped",
        "Pipeline._pass_over",
        "self.dead_letters.add(record, stage, verdict.reason)",
        "pass",
        protocol.test_bad_records_alone_move_the_checkpoint,
        "is no dead letter",
    ),
    Broken(
        "dead letters after the checkpoint",
        "Pipeline.flush",
        "self.dead_letters.write()",
        "",
        protocol.test_bad_records_alone_move_the_checkpoint,
        "is no dead letter",
    ),
    Broken(
        "dead letters after the object",
        "Pipeline.flush",
        "self.dead_letters.write()",
        "",
        protocol.test_a_bad_record_is_a_dead_letter_first,
    ),
    Broken(
        "dead letters of the emitter after the checkpoint",
        "Pipeline._write_rejected",
        "self.dead_letters.write_rejected(rejected, self.emitter.stage)",
        "for record, reason in rejected:\n"
        "    self.dead_letters.add(record, self.emitter.stage, reason)",
        protocol.test_what_a_destination_refuses_is_a_dead_letter,
        "is no dead letter",
    ),
    Broken(
        "what the emitter refuses dropped",
        "Pipeline._emit",
        "batch.write_letters()",
        "",
        protocol.test_what_a_destination_refuses_is_a_dead_letter,
        "is no dead letter",
    ),
    Broken(
        "dead letters of the emitter after its file",
        "Chain.write",
        "batch.write_letters()",
        "",
        lambda make: protocol.test_what_is_refused_of_a_file_is_a_dead_letter_before_it(
            make, "delay-after"
        ),
        "is no dead letter",
    ),
    Broken(
        "a reason in the place of another",
        "DeadLetters.write_rejected",
        "groupby(by_position, lambda one: one.record.position)",
        "groupby(by_position)",
        protocol.test_two_reasons_for_a_record_are_two_lines_of_one_dead_letter,
    ),
    Broken(
        "files of the format that the settings name",
        "Pipeline.start",
        "self.transformer.format",
        '"json"',
        protocol.test_files_are_of_the_format_of_the_pipelines_own_transformer,
    ),
    Broken(
        "an emitter left open",
        "Pipeline.close",
        "self.emitter.close()",
        "pass",
        lambda make: protocol.test_the_emitter_is_closed_at_an_orderly_end(make, "shardEnded"),
    ),
    Broken(
        "a pipeline left open",
        "child.process",
        "pipeline.close()",
        "pass",
        lambda make: protocol.test_the_emitter_is_closed_at_an_orderly_end(make, "shardEnded"),
    ),
    Broken(
        "a failure at the end outside the crash boundary",
        "child.process",
        'with crash_boundary("end"):',
        "if crash_boundary:",
        protocol.test_an_emitter_that_cannot_be_closed,
    ),
    Broken(
        "a checkpoint inside an object, when it is found",
        "Pipeline.flush",
        "self._skip_through(through)",
        "self._skip_through(through)\ncheckpoint(last)",
        protocol.test_a_larger_object_appears,
        "inside flights/",
    ),
    Broken(
        "a checkpoint inside an object, when it is found at the start",
        "Pipeline._adopt",
        "self._skip_through(through)",
        "self._skip_through(through)\ncheckpoint(record.position)\nreturn True",
        protocol.test_a_larger_object_is_there,
        "inside flights/",
    ),
    Broken(
        "no look at what an earlier life wrote",
        "Pipeline.__init__",
        "self._may_be_written = True",
        "self._may_be_written = False",
        protocol.test_what_an_earlier_life_wrote_is_announced_at_once,
    ),
    Broken(
        "a found object not announced",
        "ChainEmitter.adopt",
        "self.deliver(file)",
        "",
        protocol.test_an_earlier_life_wrote_an_object,
        "is not announced",
    ),
    Broken(
        "bad records before a found object dropped",
        "Pipeline._adopt",
        "self.dead_letters.write()",
        "",
        protocol.test_bad_records_before_an_object_are_dead_letters_first,
        "is no dead letter",
    ),
    Broken(
        "a checkpoint inside an object, on the way through it",
        "Pipeline._skips",
        "if position >= end:\n    self._durable_through = None\n    checkpoint(end)",
        "checkpoint(min(position, end))\nif position >= end:\n    self._durable_through = None",
        protocol.test_a_larger_object_is_there,
        "inside flights/",
    ),
    Broken(
        "a checkpoint inside an object, on a stop",
        "Pipeline.flush",
        "self._skip_through(through)",
        "checkpoint(last)",
        protocol.test_a_stop_finds_a_larger_object,
        "inside flights/",
    ),
    Broken(
        "records skipped, and not checkpointed at the object's end",
        "Pipeline._skips",
        "checkpoint(end)",
        "",
        protocol.test_a_larger_object_is_there,
    ),
    Broken(
        "the end of a shard inside an object",
        "Pipeline.finish",
        "raise Fatal(",
        "Fatal(",
        protocol.test_a_shard_ends_inside_an_object,
    ),
    Broken(
        "an object overwritten",
        "Bucket.create",
        '"IfNoneMatch": "*", ',
        "",
        protocol.test_a_larger_object_appears,
    ),
    Broken(
        "a smaller object overwritten",
        "Bucket.create",
        '"IfNoneMatch": "*", ',
        "",
        protocol.test_a_smaller_object_appears,
    ),
    Broken(
        "an object that is there taken for ours: records lost",
        "Chain._winner",
        "return theirs",
        "return ours",
        protocol.test_a_smaller_object_appears,
        r"record \S+ \(kept\) is 0 times",
    ),
    Broken(
        "an object that is there taken for ours: rows doubled",
        "Chain._winner",
        "return theirs",
        "return ours",
        protocol.test_a_larger_object_appears,
        "inside flights/",
    ),
    Broken(
        "a stranger's object adopted",
        "Chain._read",
        "is_of_our_chain = False",
        "end = str(start.first)\n"
        "return File(bucket=place.bucket, key=start.key, shard=self.shard, first=end, last=end)",
        protocol.test_a_strangers_object,
        r"record \S+ \(kept\) is 0 times",
    ),
    Broken(
        "a file not announced",
        "ChainEmitter.emit",
        "self.deliver(file)",
        "",
        protocol.test_the_count_cuts,
        "is not announced",
    ),
    Broken(
        "an error of the program swallowed",
        "crash_boundary",
        'log.critical("%s: %s", action, said, exc_info=True, extra=ENDED.of())\n'
        "raise SystemExit(EXIT_FAILED) from error",
        'log.critical("%s: %s", action, said, exc_info=True, extra=ENDED.of())',
        protocol.test_a_bug_in_a_transformer,
    ),
    Broken(
        "a failure swallowed",
        "crash_boundary",
        'log.critical("%s: %s", action, error, extra=ENDED.of())\n'
        "raise SystemExit(EXIT_FAILED) from error",
        'log.critical("%s: %s", action, error, extra=ENDED.of())',
        protocol.test_s3_stays_down,
    ),
    Broken(
        "a failure swallowed at the end of a shard",
        "crash_boundary",
        'log.critical("%s: %s", action, error, extra=ENDED.of())\n'
        "raise SystemExit(EXIT_FAILED) from error",
        'log.critical("%s: %s", action, error, extra=ENDED.of())',
        protocol.test_a_shard_must_not_end_undelivered,
    ),
    Broken(
        "a bug taken for bad data",
        "BAD_DATA",
        "BAD_DATA = (ValueError, LookupError, RecursionError)",
        "BAD_DATA = (Exception,)",
        protocol.test_a_bug_in_a_transformer,
    ),
    Broken(
        "the end of a shard answered unflushed",
        "RecordProcessor.shard_ended",
        "self.pipeline.finish(self._checkpoint(checkpointer))",
        "",
        protocol.test_a_shard_ends,
        r"record \S+ \(kept\) is 0 times",
    ),
    Broken(
        "the end of a shard not checkpointed",
        "RecordProcessor.shard_ended",
        'self._tell("the end of the shard", checkpointer.checkpoint)',
        "",
        protocol.test_an_empty_shard_ends,
    ),
    Broken(
        "a stop without a flush",
        "RecordProcessor.shutdown_requested",
        "self.pipeline.flush(self._checkpoint(shutdown_requested_input.checkpointer))",
        "pass",
        protocol.test_the_count_cuts,
    ),
    Broken(
        "writing goes on after leaseLost",
        "RecordProcessor._fall_silent",
        "self.lease_is_lost = True",
        "",
        protocol.test_a_lost_lease_is_silence,
    ),
    Broken(
        "writing goes on after a refused checkpoint",
        "RecordProcessor._fall_silent",
        "self.lease_is_lost = True",
        "",
        protocol.test_a_refused_checkpoint_is_silence,
    ),
    Broken(
        "a lost lease takes records",
        "RecordProcessor.process_records",
        "if self.lease_is_lost:",
        "if False:",
        protocol.test_a_lost_lease_is_silence,
    ),
    Broken(
        "a lost lease flushes on a stop",
        "RecordProcessor.shutdown_requested",
        "if self.lease_is_lost:",
        "if False:",
        protocol.test_a_lost_lease_is_silence,
    ),
    Broken(
        "a lost lease ends the shard",
        "RecordProcessor.shard_ended",
        "if self.lease_is_lost:",
        "if False:",
        protocol.test_a_shard_that_ends_elsewhere,
    ),
    Broken(
        "a refused checkpoint is tried again",
        "_classify",
        "return LeaseLost(",
        "return Unavailable(",
        protocol.test_a_refused_checkpoint_is_silence,
    ),
    Broken(
        "a refused checkpoint is taken for made",
        "RecordProcessor._tell",
        "raise _classify(error, where) from error",
        "log.error(where)",
        lambda make: protocol.test_a_checkpoint_refused_for_good(make, "Novel"),
    ),
    Broken(
        "throttling ends the child",
        "TRANSIENT_CHECKPOINTS",
        'frozenset({"ThrottlingException", "KinesisClientLibDependencyException"})',
        "frozenset()",
        lambda make: protocol.test_a_checkpoint_is_tried_again(make, "ThrottlingException"),
    ),
    Broken(
        "a checkpoint without its sub-sequence",
        "RecordProcessor._checkpoint",
        "checkpointer.checkpoint(str(sequence), sub_sequence)",
        "checkpointer.checkpoint(str(sequence))",
        protocol.test_an_aggregate_is_cut_between_its_records,
    ),
    Broken(
        "records without their sub-sequence",
        "Record",
        "self.sub_sequence_number or 0",
        "0",
        protocol.test_an_aggregate_is_cut_between_its_records,
    ),
    Broken(
        "stdout left to everybody",
        "take_the_protocol",
        "os.dup2(2, 1)",
        "",
        protocol.test_the_protocol_is_out_of_reach,
    ),
    Broken(
        "stdin left to everybody",
        "take_the_protocol",
        "os.dup2(null, 0)",
        "",
        protocol.test_the_protocol_is_out_of_reach,
        r"record \S+ \(kept\) is 0 times",
    ),
    Broken(
        "SIGTERM ends it",
        "outlive_signals",
        "(signal.SIGTERM, signal.SIGINT, signal.SIGHUP)",
        "(signal.SIGINT, signal.SIGHUP)",
        lambda make: protocol.test_a_signal_does_not_end_it(make, "SIGTERM"),
    ),
    Broken(
        "SIGINT ends it",
        "outlive_signals",
        "(signal.SIGTERM, signal.SIGINT, signal.SIGHUP)",
        "(signal.SIGTERM, signal.SIGHUP)",
        lambda make: protocol.test_a_signal_does_not_end_it(make, "SIGINT"),
    ),
    Broken(
        "a terminal that hangs up ends it",
        "outlive_signals",
        "(signal.SIGTERM, signal.SIGINT, signal.SIGHUP)",
        "(signal.SIGTERM, signal.SIGINT)",
        lambda make: protocol.test_a_signal_does_not_end_it(make, "SIGHUP"),
    ),
    Broken(
        "a file of another stream is taken for ours",
        "Chain._read",
        'said.get("stream", self.stream)',
        "self.stream",
        protocol.test_an_object_of_another_stream,
    ),
    Broken(
        "no arrival is unreadable",
        "Record",
        "approximate_arrival_timestamp: int | None = 0",
        "approximate_arrival_timestamp: int = 0",
        protocol.test_a_record_without_arrival_lies_in_1970,
    ),
    Broken(
        "a daemon that is gone is no reason to end",
        "Retry._insist_on_parent",
        "if self._parent not in {None, os.getppid()}:",
        "if False:",
        protocol.test_the_daemon_dies_during_a_retry,
    ),
    Broken(
        "a child that knows no daemon",
        "child.process",
        "Retry.daemon = os.getppid()",
        "",
        protocol.test_the_daemon_dies_during_a_retry,
    ),
    Broken(
        "an error of the protocol outside the crash boundary",
        "serve",
        """with crash_boundary("the daemon's messages"):""",
        "if crash_boundary:",
        lambda make: protocol.test_garbage_for_a_message(make, "garbage"),
    ),
    Broken(
        "retries without end",
        "Retry.__call__",
        "stop=failures.are_final,",
        "stop=tenacity.stop_after_attempt(self.limit + 1),",
        protocol.test_s3_stays_down,
    ),
    Broken(
        "a lost connection ends the child",
        "aws._without_an_answer",
        "if isinstance(error, UNAVAILABLE_ERRORS)",
        "if not UNAVAILABLE_ERRORS",
        protocol.test_lost_answers,
    ),
    Broken(
        "wrong settings run",
        "child.process",
        "return EXIT_USAGE",
        "return EXIT_OK",
        lambda make: protocol.test_wrong_settings(make, {"transformer": "nowhere:Mine"}, "nowhere"),
    ),
]


@pytest.mark.parametrize("broken", LINES, ids=lambda broken: broken.name)
def test_a_broken_line_is_noticed(tmp_path, broken):
    """A scenario that holds of the program fails when this line of it is broken."""
    with Scenes(tmp_path, broken_copy(tmp_path / "copy", broken)) as scenes:
        with pytest.raises(AssertionError, match=broken.match):
            broken.scenario(scenes)
        told = "".join(daemon.told() for scene in scenes.all for daemon in scene.daemons)

    assert [error for error in NOT_RUNNING if error in told] == [], told


def test_a_whole_copy_runs(tmp_path):
    """An unbroken copy passes, so that it is the broken line that the other copies fail by."""
    whole = Broken("", "child.process", "outlive_signals()", "outlive_signals()", None)
    with Scenes(tmp_path, broken_copy(tmp_path / "copy", whole)) as scenes:
        protocol.test_the_count_cuts(scenes)


@pytest.mark.parametrize(
    ("symbol", "old"),
    [
        ("Pipeline.nowhere", "pass"),
        ("classify", "return Transient("),
        ("Pipeline.flush", "self.dead_letters.add("),
        ("Pipeline.flush", "through"),
    ],
)
def test_only_what_is_there_once_is_broken(tmp_path, symbol, old):
    """A symbol or a line that is not there, or there twice, is an error that names the mutation."""
    with pytest.raises(AssertionError, match="a mutation: not "):
        broken_copy(tmp_path, Broken("a mutation", symbol, old, ""))


def test_a_copy_is_what_runs(tmp_path):
    """A copy that cannot run fails, and its log says so."""
    dead = Broken("", "child.process", "outlive_signals()", "outlive()", None)
    scenes = Scenes(tmp_path, broken_copy(tmp_path / "copy", dead))
    with pytest.raises(AssertionError, match="NameError"), scenes:
        protocol.test_the_count_cuts(scenes)
