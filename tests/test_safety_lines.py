"""The test of the tests: with one safety line broken, a scenario of the protocol fails.

Each line is broken in a copy of the package. A copy that merely does not run proves nothing, and
is told from one that does harm.
"""

import pytest
import test_protocol as protocol
from broken import NOT_RUNNING, Broken, broken_copy
from daemon import Worlds

LINES = [
    Broken(
        "checkpoint before emit",
        "pipeline.py",
        "            through = self._emit(last)",
        "            checkpoint(last)\n            through = self._emit(last)",
        protocol.test_the_count_cuts,
        r"record \S+ \(kept\) is 0 times",
    ),
    Broken(
        "buffer cleared without emit",
        "pipeline.py",
        "through = self._emit(last) if self.buffer.kept else last",
        "through = last",
        protocol.test_the_count_cuts,
        r"record \S+ \(kept\) is 0 times",
    ),
    Broken(
        "thresholds looked at once per call",
        "pipeline.py",
        "                elif self.buffer.keep(record, rows):\n",
        "                elif self.buffer.keep(record, rows) and record is records[-1]:\n",
        protocol.test_the_count_cuts,
    ),
    Broken(
        "no look at the clock",
        "pipeline.py",
        "        if self.buffer.due:\n            self.flush(checkpoint)\n",
        "",
        protocol.test_an_empty_call_flushes_on_time,
    ),
    Broken(
        "filtered records leave the checkpoint where it is",
        "pipeline.py",
        "        self.buffer.pass_over(record)\n",
        "        if isinstance(verdict, Refused):\n            self.buffer.pass_over(record)\n",
        protocol.test_filtered_records_move_the_checkpoint,
    ),
    Broken(
        "a bad record dropped",
        "pipeline.py",
        "            self.dead_letters.add(record, stage, verdict.reason)\n",
        "            pass\n",
        protocol.test_bad_records_alone_move_the_checkpoint,
        "is no dead letter",
    ),
    Broken(
        "dead letters after the checkpoint",
        "pipeline.py",
        "            self.dead_letters.write()\n            through",
        "            through",
        protocol.test_bad_records_alone_move_the_checkpoint,
        "is no dead letter",
    ),
    Broken(
        "dead letters after the object",
        "pipeline.py",
        "            self.dead_letters.write()\n            through",
        "            through",
        protocol.test_a_bad_record_is_a_dead_letter_first,
    ),
    Broken(
        "dead letters of the emitter after the checkpoint",
        "pipeline.py",
        "            self.dead_letters.add(*rejection)\n        self.dead_letters.write()\n",
        "            self.dead_letters.add(*rejection)\n",
        protocol.test_what_a_destination_refuses_is_a_dead_letter,
        "is no dead letter",
    ),
    Broken(
        "a checkpoint inside an object, when it is found",
        "pipeline.py",
        "                self._skip_through(through)\n",
        "                self._skip_through(through)\n                checkpoint(last)\n",
        protocol.test_a_larger_object_appears,
        "inside flights/",
    ),
    Broken(
        "a checkpoint inside an object, when it is found at the start",
        "pipeline.py",
        "        return self._skips(first.position, checkpoint)\n",
        "        checkpoint(first.position)\n        return True\n",
        protocol.test_a_larger_object_is_there,
        "inside flights/",
    ),
    Broken(
        "no look at what an earlier life wrote",
        "pipeline.py",
        "        self._may_be_written = True  #",
        "        self._may_be_written = False  #",
        protocol.test_what_an_earlier_life_wrote_is_announced_at_once,
    ),
    Broken(
        "a look at every record",
        "pipeline.py",
        "        self._may_be_written = through is not None\n",
        "",
        protocol.test_a_life_looks_once,
    ),
    Broken(
        "a found object not announced",
        "emitters/s3_manifest.py",
        "        self.announce(file)\n        return file.covered[1]\n\n    def announce",
        "        return file.covered[1]\n\n    def announce",
        protocol.test_an_earlier_life_wrote_an_object,
        "is not announced",
    ),
    Broken(
        "bad records before a found object dropped",
        "pipeline.py",
        "        self.dead_letters.write()\n        self.buffer.release(through)\n",
        "        self.buffer.release(through)\n",
        protocol.test_bad_records_before_an_object_are_dead_letters_first,
        "is no dead letter",
    ),
    Broken(
        "a checkpoint inside an object, on the way through it",
        "pipeline.py",
        "        if position >= end:\n            self._durable_through = None\n"
        "            checkpoint(end)\n",
        "        checkpoint(min(position, end))\n"
        "        if position >= end:\n            self._durable_through = None\n",
        protocol.test_a_larger_object_is_there,
        "inside flights/",
    ),
    Broken(
        "a checkpoint inside an object, on a stop",
        "pipeline.py",
        "                self._skip_through(through)\n",
        "                checkpoint(last)\n",
        protocol.test_a_stop_finds_a_larger_object,
        "inside flights/",
    ),
    Broken(
        "records skipped, and not checkpointed at the object's end",
        "pipeline.py",
        "            self._durable_through = None\n            checkpoint(end)\n",
        "            self._durable_through = None\n",
        protocol.test_a_larger_object_is_there,
    ),
    Broken(
        "the end of a shard inside an object",
        "pipeline.py",
        "        if self._durable_through is not None:\n            raise Fatal(",
        "        if self._durable_through is not None:\n            Fatal(",
        protocol.test_a_shard_ends_inside_an_object,
    ),
    Broken(
        "an object overwritten",
        "bucket.py",
        '"IfNoneMatch": "*", ',
        "",
        protocol.test_a_larger_object_appears,
    ),
    Broken(
        "a smaller object overwritten",
        "bucket.py",
        '"IfNoneMatch": "*", ',
        "",
        protocol.test_a_smaller_object_appears,
    ),
    Broken(
        "an object that is there taken for ours: records lost",
        "emitters/s3.py",
        "        return theirs\n",
        "        return ours\n",
        protocol.test_a_smaller_object_appears,
        r"record \S+ \(kept\) is 0 times",
    ),
    Broken(
        "an object that is there taken for ours: rows doubled",
        "emitters/s3.py",
        "        return theirs\n",
        "        return ours\n",
        protocol.test_a_larger_object_appears,
        "inside flights/",
    ),
    Broken(
        "a stranger's object adopted",
        "emitters/s3.py",
        "            is_of_our_chain = False\n",
        "            end = str(first.position)\n"
        "            return File(bucket=place.bucket, key=key, shard=shard, first=end, last=end)\n",
        protocol.test_a_strangers_object,
        r"record \S+ \(kept\) is 0 times",
    ),
    Broken(
        "a file not announced",
        "emitters/s3_manifest.py",
        "        file = self.files.write(batch)\n        self.announce(file)\n",
        "        file = self.files.write(batch)\n",
        protocol.test_the_count_cuts,
        "is not announced",
    ),
    Broken(
        "an error of the program swallowed",
        "processor.py",
        "exc_info=True)\n        raise SystemExit(EXIT_FAILED) from error\n",
        "exc_info=True)\n",
        protocol.test_a_bug_in_a_transformer,
    ),
    Broken(
        "a failure swallowed",
        "processor.py",
        "action, error)\n        raise SystemExit(EXIT_FAILED) from error\n    except Exception",
        "action, error)\n    except Exception",
        protocol.test_s3_stays_down,
    ),
    Broken(
        "a failure swallowed at the end of a shard",
        "processor.py",
        "action, error)\n        raise SystemExit(EXIT_FAILED) from error\n    except Exception",
        "action, error)\n    except Exception",
        protocol.test_a_shard_must_not_end_undelivered,
    ),
    Broken(
        "a bug taken for bad data",
        "errors.py",
        "BAD_DATA = (ValueError, LookupError, RecursionError)",
        "BAD_DATA = (Exception,)",
        protocol.test_a_bug_in_a_transformer,
    ),
    Broken(
        "the end of a shard answered unflushed",
        "processor.py",
        "            self.pipeline.finish(self._checkpoint(checkpointer))\n",
        "",
        protocol.test_a_shard_ends,
        r"record \S+ \(kept\) is 0 times",
    ),
    Broken(
        "the end of a shard not checkpointed",
        "processor.py",
        '            self._tell("the end of the shard", checkpointer.checkpoint)\n',
        "",
        protocol.test_an_empty_shard_ends,
    ),
    Broken(
        "a stop without a flush",
        "processor.py",
        "self.pipeline.flush(self._checkpoint(shutdown_requested_input.checkpointer))",
        "pass",
        protocol.test_the_count_cuts,
    ),
    Broken(
        "writing goes on after leaseLost",
        "processor.py",
        "        self.lease_is_lost = True\n",
        "",
        protocol.test_a_lost_lease_is_silence,
    ),
    Broken(
        "writing goes on after a refused checkpoint",
        "processor.py",
        "        self.lease_is_lost = True\n",
        "",
        protocol.test_a_refused_checkpoint_is_silence,
    ),
    Broken(
        "a lost lease takes records",
        "processor.py",
        'with self._owning("process_records"):\n            if self.lease_is_lost:\n',
        'with self._owning("process_records"):\n            if False:\n',
        protocol.test_a_lost_lease_is_silence,
    ),
    Broken(
        "a lost lease flushes on a stop",
        "processor.py",
        'with self._owning("shutdown_requested"):\n            if self.lease_is_lost:\n',
        'with self._owning("shutdown_requested"):\n            if False:\n',
        protocol.test_a_lost_lease_is_silence,
    ),
    Broken(
        "a lost lease ends the shard",
        "processor.py",
        'with self._owning("shard_ended"):\n            if self.lease_is_lost:\n',
        'with self._owning("shard_ended"):\n            if False:\n',
        protocol.test_a_shard_that_ends_elsewhere,
    ),
    Broken(
        "a refused checkpoint is tried again",
        "processor.py",
        "        return LeaseLost(",
        "        return Transient(",
        protocol.test_a_refused_checkpoint_is_silence,
    ),
    Broken(
        "a refused checkpoint is taken for made",
        "processor.py",
        "                raise _classify(error, where) from error\n",
        "                log.error(where)\n",
        lambda make: protocol.test_a_checkpoint_refused_for_good(make, "Novel"),
    ),
    Broken(
        "throttling ends the child",
        "processor.py",
        'frozenset({"ThrottlingException", "KinesisClientLibDependencyException"})',
        "frozenset()",
        lambda make: protocol.test_a_checkpoint_is_tried_again(make, "ThrottlingException"),
    ),
    Broken(
        "a checkpoint without its sub-sequence",
        "processor.py",
        "checkpointer.checkpoint(str(sequence), sub_sequence)",
        "checkpointer.checkpoint(str(sequence))",
        protocol.test_an_aggregate_is_cut_between_its_records,
    ),
    Broken(
        "records without their sub-sequence",
        "record.py",
        "self.sub_sequence_number or 0",
        "0",
        protocol.test_an_aggregate_is_cut_between_its_records,
    ),
    Broken(
        "stdout left to everybody",
        "child.py",
        "    os.dup2(2, 1)\n",
        "",
        protocol.test_the_protocol_is_out_of_reach,
    ),
    Broken(
        "stdin left to everybody",
        "child.py",
        "    os.dup2(null, 0)\n",
        "",
        protocol.test_the_protocol_is_out_of_reach,
        r"record \S+ \(kept\) is 0 times",
    ),
    Broken(
        "SIGTERM ends it",
        "child.py",
        "    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n",
        "",
        lambda make: protocol.test_a_signal_does_not_end_it(make, "SIGTERM"),
    ),
    Broken(
        "SIGINT ends it",
        "child.py",
        "    signal.signal(signal.SIGINT, signal.SIG_IGN)\n",
        "",
        lambda make: protocol.test_a_signal_does_not_end_it(make, "SIGINT"),
    ),
    Broken(
        "no arrival is unreadable",
        "record.py",
        "approximate_arrival_timestamp: int | None = 0",
        "approximate_arrival_timestamp: int = 0",
        protocol.test_a_record_without_arrival_lies_in_1970,
    ),
    Broken(
        "a daemon that is gone is no reason to end",
        "retry.py",
        "        if self._parent not in {None, os.getppid()}:\n",
        "        if False:\n",
        protocol.test_the_daemon_dies_during_a_retry,
    ),
    Broken(
        "an error of the protocol outside the crash boundary",
        "processor.py",
        """    with crash_boundary("the daemon's messages"):\n""",
        "    if crash_boundary:\n",
        lambda make: protocol.test_garbage_for_a_message(make, "garbage"),
    ),
    Broken(
        "retries without end",
        "retry.py",
        "stop=tenacity.stop_after_attempt(self.limit),",
        "stop=tenacity.stop_after_attempt(self.limit + 1),",
        protocol.test_s3_stays_down,
    ),
    Broken(
        "a lost connection ends the child",
        "aws.py",
        "    if isinstance(error, TRANSIENT_ERRORS):\n",
        "    if not TRANSIENT_ERRORS:\n",
        protocol.test_lost_answers,
    ),
    Broken(
        "wrong settings run",
        "child.py",
        "        return EXIT_USAGE\n",
        "        return EXIT_OK\n",
        lambda make: protocol.test_wrong_settings(make, {"transformer": "nowhere:Mine"}, "nowhere"),
    ),
]


@pytest.mark.parametrize("broken", LINES, ids=lambda broken: broken.name)
def test_a_broken_line_is_noticed(tmp_path, broken):
    """A scenario that holds of the program fails when this line of it is broken."""
    with Worlds(tmp_path, broken_copy(tmp_path / "copy", broken)) as worlds:
        with pytest.raises(AssertionError, match=broken.match):
            broken.scenario(worlds)
        told = "".join(daemon.told() for world in worlds.all for daemon in world.daemons)

    assert [error for error in NOT_RUNNING if error in told] == [], told


def test_a_whole_copy_runs(tmp_path):
    """An unbroken copy passes, so that it is the broken line that the other copies fail by."""
    whole = Broken("", "child.py", "    outlive_signals()\n", "    outlive_signals()\n", None)
    with Worlds(tmp_path, broken_copy(tmp_path / "copy", whole)) as worlds:
        protocol.test_the_count_cuts(worlds)


def test_a_copy_is_what_runs(tmp_path):
    """A copy that cannot run fails, and its log says so."""
    dead = Broken("", "child.py", "    outlive_signals()\n", "    outlive()\n", None)
    worlds = Worlds(tmp_path, broken_copy(tmp_path / "copy", dead))
    with pytest.raises(AssertionError, match="NameError"), worlds:
        protocol.test_the_count_cuts(worlds)
