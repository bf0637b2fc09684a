"""The test of the model: with one safety line broken, it finds a history that ends badly."""

import subprocess
import sys
from pathlib import Path

import pytest
from broken import NOT_RUNNING, Broken, broken_copy

MODEL = Path(__file__).with_name("test_model.py")
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
        "            ours = classify(error)\n",
        "            try:\n                connection.commit()\n"
        "            except psycopg2.OperationalError:\n                self.close()\n"
        "        except psycopg2.Error as error:\n            ours = classify(error)\n",
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
        "                can_load = self.rehearse()\n",
        "                can_load = None\n",
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
    Broken("a conflict of writes ends the process", "aws.py", " ConditionalRequestConflict", ""),
]


@pytest.mark.parametrize("broken", LINES, ids=lambda broken: broken.name)
def test_a_broken_line_is_found(tmp_path, broken):
    """The model finds a counterexample within a minute, whichever safety line is taken out."""
    found = subprocess.run(
        [sys.executable, str(MODEL)],
        env={"PYTHONPATH": str(broken_copy(tmp_path, broken))},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )

    assert found.returncode == 1
    assert "AssertionError" in found.stderr, found.stderr
    assert [error for error in NOT_RUNNING if error in found.stderr] == [], found.stderr
