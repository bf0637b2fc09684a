"""The test of the model: with one safety line broken, it finds a history that ends badly."""

import subprocess
import sys
from pathlib import Path

import pytest
import test_two_at_once as two
from broken import NOT_RUNNING, Broken, broken_copy

MODEL = Path(__file__).with_name("test_model.py")
TWO = Path(two.__file__)
SECONDS = 60  # within which it must be found; most are in a second or two

LINES = [
    Broken(
        "checkpoint before emit",
        "pipeline.py",
        "            through = self._emit(last)",
        "            checkpoint(last)\n            through = self._emit(last)",
    ),
    Broken(
        "buffer cleared without emit",
        "pipeline.py",
        "through = self._emit(last) if self.buffer.kept else last",
        "through = last",
    ),
    Broken(
        "a bad record dropped",
        "pipeline.py",
        "            self.dead_letters.add(record, stage, verdict.reason)\n",
        "            pass\n",
    ),
    Broken(
        "the filter's answers taken for those of other records",
        "pipeline.py",
        "self.filter.keep_all(list(compress(chunk, rows_of)))",
        "self.filter.keep_all(chunk)",
    ),
    Broken(
        "dead letters after the object",
        "pipeline.py",
        "            self.dead_letters.write()\n            through = self._emit(last)"
        " if self.buffer.kept else last\n",
        "            through = self._emit(last) if self.buffer.kept else last\n",
    ),
    Broken(
        "a checkpoint inside an object that another wrote",
        "pipeline.py",
        "                self._skip_through(through)\n",
        "                self._skip_through(through)\n                checkpoint(last)\n",
    ),
    Broken(
        "a checkpoint inside an object that is found at the start",
        "pipeline.py",
        "        return self._skips(first.position, checkpoint)\n",
        "        checkpoint(first.position)\n        return True\n",
    ),
    Broken(
        "a checkpoint inside an object, on the way through it",
        "pipeline.py",
        "        if position >= end:\n            self._durable_through = None\n"
        "            checkpoint(end)\n",
        "        checkpoint(min(position, end))\n"
        "        if position >= end:\n            self._durable_through = None\n",
    ),
    Broken(
        "a checkpoint of what was not delivered",
        "pipeline.py",
        "            if through > last:\n",
        "            if False:\n",
    ),
    Broken(
        "what an object covers is not skipped",
        "pipeline.py",
        "        self._durable_through = end\n",
        "",
    ),
    Broken(
        "the last record of an object is not skipped",
        "pipeline.py",
        "        return position <= end\n",
        "        return position < end\n",
    ),
    Broken(
        "the buffer is not trimmed",
        "buffer.py",
        "            self.kept = [kept for kept in self.kept if kept.record.position > through]\n",
        "            pass\n",
    ),
    Broken(
        "the buffer is trimmed of too much",
        "buffer.py",
        "            self.kept = [kept for kept in self.kept if kept.record.position > through]\n",
        "            self.kept = []\n",
    ),
    Broken(
        "dead letters named by their first position alone",
        "dead_letters.py",
        "-{first.position}-{last.position}.jsonl",
        "-{first.position}.jsonl",
    ),
    Broken(
        "positions compared as text",
        "record.py",
        "    sequence: int\n    sub_sequence: int = 0\n",
        "    sequence: int\n    sub_sequence: int = 0\n\n"
        "    def __le__(self, other: object) -> bool:\n"
        "        return str(self) <= str(other)\n",
    ),
    Broken("an object overwritten", "bucket.py", '"IfNoneMatch": "*", ', ""),
    Broken(
        "an object that is there taken for ours",
        "emitters/s3.py",
        "        return theirs\n",
        "        return ours\n",
    ),
    Broken(
        "an object named by where it ends",
        "emitters/s3.py",
        "            self.bucket.create(key, ",
        '            self.bucket.create(f"{key}-{file.last}.gz", ',
    ),
    Broken(
        "a file not announced",
        "emitters/s3_manifest.py",
        "        file = self.files.write(batch)\n        self.announce(file)\n",
        "        file = self.files.write(batch)\n",
    ),
    Broken(
        "a found file not announced",
        "emitters/s3_manifest.py",
        "        self.announce(file)\n        return file.covered[1]\n\n    def announce",
        "        return file.covered[1]\n\n    def announce",
    ),
    Broken(
        "a failed write ignored",
        "emitters/s3.py",
        "        except AlreadyExists:\n            return self._winner",
        "        except Fatal:\n            return file\n"
        "        except AlreadyExists:\n            return self._winner",
    ),
    Broken(
        "a checkpoint without its sub-sequence",
        "processor.py",
        "checkpointer.checkpoint(str(sequence), sub_sequence)",
        "checkpointer.checkpoint(str(sequence))",
    ),
    Broken(
        "records without their sub-sequence",
        "record.py",
        "self.sub_sequence_number or 0",
        "0",
    ),
    Broken(
        "a failure swallowed",
        "processor.py",
        "action, error)\n        raise SystemExit(EXIT_FAILED) from error\n    except Exception",
        "action, error)\n    except Exception",
    ),
    Broken(
        "the end of a shard answered unflushed",
        "processor.py",
        "            self.pipeline.finish(self._checkpoint(checkpointer))\n",
        "",
    ),
    Broken(
        "the end of a shard not checkpointed",
        "processor.py",
        '            self._tell("the end of the shard", checkpointer.checkpoint)\n',
        "",
    ),
    Broken(
        "a throttled checkpoint taken for made",
        "processor.py",
        "                raise _classify(error, where) from error\n",
        "                log.error(where)\n",
    ),
    Broken(
        "no lock",
        "ledger.py",
        "LOCK {self.table}; ",
        "",
    ),
    Broken(
        "a read before the lock",
        "ledger.py",
        '            cursor.execute(f"LOCK ',
        '            cursor.execute("SELECT 1")\n            cursor.execute(f"LOCK ',
    ),
    Broken(
        "what is loaded is loaded again",
        "ledger.py",
        "                    verdict.loaded.append(file)\n",
        "                    verdict.fresh.append(file)\n",
    ),
    Broken(
        "a loaded file not entered",
        "emitters/load.py",
        "                    self.ledger.enter(cursor, fresh, manifest)\n",
        "",
    ),
    Broken(
        "rows and ledger in two transactions",
        "emitters/load.py",
        "                    self.ledger.enter(cursor, fresh, manifest)\n",
        "                    cursor.connection.commit()\n"
        "                    self.ledger.enter(cursor, fresh, manifest)\n",
    ),
    Broken(
        "a lost COMMIT taken for made",
        "warehouse.py",
        "            connection.commit()\n        except psycopg2.Error as error:\n"
        "            self.close()\n",
        "            try:\n                connection.commit()\n"
        "            except psycopg2.OperationalError:\n                self.close()\n"
        "        except psycopg2.Error as error:\n            self.close()\n",
    ),
    Broken(
        "one manifest for all loads",
        "emitters/load.py",
        "{hashlib.sha256(body).hexdigest()}",
        "all",
    ),
    Broken(
        "a refused file leaves no dead letter",
        "emitters/redshift_manifest.py",
        "            for file, reason in self.retry(what, search.run):\n",
        "            for file, reason in self.retry(what, search.run)[:0]:\n",
    ),
    Broken(
        "a failure that names no file is nobody's fault",
        "emitters/load_search.py",
        "        can_load = self.rehearse()\n",
        "        can_load = None\n",
    ),
    Broken(
        "rows out of order",
        "emitters/s3.py",
        '            parts.append(file.compress(b"\\n".join([*rows, b""])))\n',
        '            parts.append(file.compress(b"\\n".join([*rows[::-1], b""])))\n',
    ),
    Broken(
        "no second try",
        "retry.py",
        "tenacity.stop_after_attempt(self.limit)",
        "tenacity.stop_after_attempt(1)",
    ),
    Broken(
        "a zombie writes on after it heard",
        "processor.py",
        "        self.lease_is_lost = True\n",
        "",
    ),
    Broken(
        "one key for two shards",
        "emitters/s3.py",
        "{shard}-{first.position}{extension}",
        "{first.position}{extension}",
    ),
    Broken(
        "dead letters without their shard",
        "pipeline.py",
        "        self.dead_letters.shard = shard\n",
        "",
    ),
    Broken(
        "bad records before a found object dropped",
        "pipeline.py",
        "        self.dead_letters.write()\n        self.buffer.release(through)\n",
        "        self.buffer.release(through)\n",
    ),
    Broken(
        "a transaction that begins with the connection",
        "warehouse.py",
        "                connection.commit()\n            except psycopg2.Error as error:\n"
        "                raise",
        "            except psycopg2.Error as error:\n                raise",
    ),
    Broken(
        "a rehearsal is no rehearsal",
        "warehouse.py",
        "            yield cursor\n            cursor.connection.rollback()\n",
        "            yield cursor\n",
    ),
    Broken(
        "a lock that is long in coming ends the process",
        "ledger.py",
        'raise Transient(\n                f"the ledger {self.table} (redshiftFileTable) is locked',
        'raise Fatal(\n                f"the ledger {self.table} (redshiftFileTable) is locked',
    ),
    Broken(
        "what overlaps is loaded",
        "ledger.py",
        "elif (other := taken.overlapping(file)) is not None:",
        "elif (other := None) is not None:",
    ),
    Broken(
        "what overlaps in one load is loaded",
        "ledger.py",
        "                taken.add(file)\n",
        "",
    ),
    Broken(
        "what is announced twice in one load overlaps itself",
        "ledger.py",
        "                by_url[file.url] = file\n",
        "",
    ),
    Broken(
        "another range taken for what is loaded",
        "ledger.py",
        "if differ(file, same):",
        "if False:",
    ),
    Broken(
        "the ledger asked only for numbers as long as the least",
        "ledger_query.py",
        "range(len(str(low)), len(str(high)) + 1)",
        "range(len(str(low)), len(str(low)) + 1)",
    ),
    Broken(
        "the ledger asked only for numbers as long as the greatest",
        "ledger_query.py",
        "range(len(str(low)), len(str(high)) + 1)",
        "range(len(str(high)), len(str(high)) + 1)",
    ),
    Broken(
        "the ledger not asked for files whose numbers get longer",
        "ledger_query.py",
        "        unordered.append(",
        "        list(",
    ),
    Broken(
        "the ledger asked for the last span alone",
        "ranges.py",
        "                yield chain, low, high\n                low = first\n",
        "                low = first\n",
    ),
    Broken(
        "others of a load with a bad file are given up",
        "emitters/load_search.py",
        "            self._parts.appendleft(others)\n",
        "            pass\n",
    ),
    Broken(
        "a file blamed by guess",
        "emitters/blame.py",
        '    return Unnamed(message, Transient(f"Redshift: {message}"))',
        "    return BadFile(files[0], message)",
    ),
    Broken(
        "a file that is named is blamed for everybody's fault",
        "emitters/load_search.py",
        "        if self._accused and not self._is_shown and self.rehearse() is False:\n",
        "        if False:\n",
    ),
    Broken(
        "a file that fails alone is blamed for everybody's fault",
        "emitters/load_search.py",
        "        if can_load is False or self._fruitless",
        "        if self._fruitless",
    ),
    Broken(
        "a file with a fault stands in the way of others",
        "emitters/load.py",
        "sorted(files, key=lambda file: file in faults)",
        "files",
    ),
    Broken(
        "a file that COPY passed over is entered",
        "emitters/load.py",
        "                    self._insist_on_all(fresh, rows)\n",
        "",
    ),
    Broken(
        "letters of a load together",
        "dead_letters.py",
        "if stage == LOAD_STAGE:",
        "if False:",
        two.test_what_one_loader_refuses_takes_no_letter_of_anothers,
    ),
    Broken("a conflict of writes ends the process", "aws.py", " ConditionalRequestConflict", ""),
]


@pytest.mark.parametrize("broken", LINES, ids=lambda broken: broken.name)
def test_a_broken_line_is_found(tmp_path, broken):
    """The model finds a counterexample within a minute, whichever safety line is taken out.

    Of those that chance is too slow to find, a scenario is named.
    """
    command = [str(TWO), broken.scenario.__name__] if broken.scenario else [str(MODEL)]
    found = subprocess.run(
        [sys.executable, *command],
        env={"PYTHONPATH": str(broken_copy(tmp_path, broken))},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )

    _, failed, reason = found.stderr.partition("AssertionError")
    assert found.returncode == 1
    assert failed, found.stderr
    assert [error for error in NOT_RUNNING if error in reason] == [], reason
