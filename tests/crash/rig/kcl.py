"""The KCL, played: leases and checkpoints in memory, records from the stream, real children."""

import base64
import itertools
import threading
import time
from contextlib import suppress
from pathlib import Path

from aws_kinesis_agg.deaggregator import iter_deaggregate_records

from crash.rig.tally import count
from record_processors.config.keys import STREAM_NAME
from record_processors.flow.record import Position
from support.child_talk import SECONDS, Talk
from support.fault_proxy import Fault, Faults

IDLE = 0.1  # seconds between reads of a shard that has nothing new
START = Position(0)


class Lease:
    """A shard, how far it is done, and the one life that may say so."""

    def __init__(self, shard):
        self.shard = shard["ShardId"]
        self.parents = {shard.get("ParentShardId"), shard.get("AdjacentParentShardId")}
        self.lock = threading.Lock()
        self.checkpoint = START
        self.ended = False
        self.owner = None
        self.quiet = 0.0  # when the last read began that found everything done


class Application:
    """The coordination of one stage: every shard has an owner, parents before their children."""

    def __init__(self, stage, settings, kinesis, environment, random):
        self.stage, self.kinesis, self.random = stage, kinesis, random
        self.stream, self.properties = settings[STREAM_NAME], settings.path
        self.folder = Path(settings.path).parent
        self.environment = environment
        self.checkpoints = Faults()
        self.leases = {}
        self.lives = []
        self.problems = []
        self._spares = []
        self._numbers = itertools.count()
        self._lock = threading.RLock()
        self.look_at_shards()

    def look_at_shards(self):
        """Make leases of the shards that have none."""
        for shard in self.kinesis.list_shards(StreamName=self.stream)["Shards"]:
            self.leases.setdefault(shard["ShardId"], Lease(shard))

    def tend(self):
        """Give each shard that may be read, and that nobody reads, to a new life."""
        with self._lock:
            for lease in self.leases.values():
                if lease.owner is None and not lease.ended and self._begins(lease):
                    self.give(lease)
            if not self._spares:  # begun ahead, for a start takes half a second
                self._spares.append(Life(self, next(self._numbers)))

    def give(self, lease):
        """Begin a life on the shard, whoever has it now; return that one, the zombie."""
        if lease.ended:
            return None
        with self._lock:
            life = self._spares.pop() if self._spares else Life(self, next(self._numbers))
            self.lives.append(life)
            return life.take(lease)

    def forget_spares(self):
        """Let the next life be one that reads the properties as they are now."""
        with self._lock:
            while self._spares:
                self._spares.pop().kill()

    def is_quiet(self, since):
        """Whether everything in the stream was done at a moment after ``since``."""
        return all(lease.ended or lease.quiet > since for lease in self.leases.values())

    def progress(self):
        """Return how far each shard is done."""
        return [(lease.checkpoint, lease.ended) for lease in list(self.leases.values())]

    def owners(self):
        """Return the lives that own a shard and have been given records."""
        owners = [lease.owner for lease in self.leases.values()]
        return [life for life in owners if life is not None and life.calls]

    def close(self):
        self.forget_spares()
        for life in list(self.lives):
            life.is_ours = True
            life.kill()
            life.done.wait(SECONDS)

    def _begins(self, lease):
        parents = [self.leases[parent] for parent in lease.parents if parent in self.leases]
        return all(parent.ended for parent in parents)


class Life(Talk):
    """One child, and the thread that feeds it one shard as the KCL does."""

    def __init__(self, application, number):
        log = application.folder / f"{application.stage}-{number}.log"
        super().__init__(application.properties, log, application.environment)
        self.application = application
        self.lease = None
        self.calls = 0
        self.is_refused = False
        self.is_ours = False  # its end is the rig's doing
        self.ending = ""  # what it is to be told next: that it shall stop, or has lost the lease
        self.done = threading.Event()

    def take(self, lease):
        """Own the shard from its checkpoint on; return who did before."""
        with lease.lock:
            before, lease.owner, lease.quiet = lease.owner, self, 0.0
            self.lease = lease
            self.acknowledged = self.largest = lease.checkpoint
        threading.Thread(target=self._run, daemon=True).start()
        return before

    def orphan(self):
        """Die as its daemon: nobody answers it any more, and the shard is anybody's."""
        self.is_ours, self.ending = True, "gone"
        self._release()
        self.hang_up()

    def say(self, action, **fields):
        """Call the child; tell whether it lives to answer."""
        said = self.call(action, **fields)
        self.calls += 1
        if said and said[-1][0] == "status":
            assert said[-1] == ("status", action), said
            return True
        return False

    def send_line(self, line):
        with suppress(ValueError):  # hung up meanwhile
            super().send_line(line)

    def _run(self):
        try:
            self._serve()
            self.hang_up()
            code = self.code()
            if code != 0 and not self.is_ours:
                self._complain(f"ended with {code} by itself")
        except Exception as error:
            self._complain(repr(error))
        finally:
            count("adoptions", times=self.told().count("taken as it is"))
            self._release()
            self.application.lives.remove(self)
            self.done.set()

    def _complain(self, what):
        self.application.problems.append(f"{self.log} {what}\n{self.told()[-3000:]}")

    def _release(self):
        with self.lease.lock:
            if self.lease.owner is self:
                self.lease.owner = None

    def _serve(self):
        sequence, sub = self.acknowledged
        begin = ("TRIM_HORIZON", 0) if self.acknowledged == START else (str(sequence), sub)
        if not self.say(
            "initialize",
            shardId=self.lease.shard,
            sequenceNumber=begin[0],
            subSequenceNumber=begin[1],
        ):
            return
        iterator = self._iterator()
        while not self.ending:
            began = time.monotonic()
            records, iterator, is_tip = self._fetch(iterator)
            if not self.say("processRecords", records=records, millisBehindLatest=0):
                return
            if iterator is None:
                self.ending = self.ending or "shardEnded"
            elif is_tip:
                if self.acknowledged == self.largest:
                    self.lease.quiet = began if self.lease.owner is self else 0.0
                time.sleep(IDLE)
        self._tell_the_end()

    def _tell_the_end(self):
        if self.ending == "gone":
            return
        is_owner = self.lease.owner is self
        if self.ending != "leaseLost" and is_owner:
            if not self.say(self.ending):
                return
            if self.ending == "shardEnded":
                refused = not self.lease.ended and self.lease.owner is self
                assert not refused, "no checkpoint at the end of the shard"
                return
        self._release()
        self.say("leaseLost")

    def _iterator(self):
        sequence = self.acknowledged.sequence
        where = (
            {"ShardIteratorType": "TRIM_HORIZON"}
            if self.acknowledged == START
            else {
                "ShardIteratorType": "AT_SEQUENCE_NUMBER",
                "StartingSequenceNumber": str(sequence),
            }
        )
        answer = self.application.kinesis.get_shard_iterator(
            StreamName=self.application.stream, ShardId=self.lease.shard, **where
        )
        return answer["ShardIterator"]

    def _fetch(self, iterator):
        """Return records as messages, what to read next, and whether there was nothing to read.

        What was read may be done already: then there are no messages, and yet more to read.
        """
        answer = self.application.kinesis.get_records(
            ShardIterator=iterator, Limit=self.application.random.randint(1, 30)
        )
        messages = []
        for record in answer["Records"]:
            arrival = int(record["ApproximateArrivalTimestamp"].timestamp() * 1000)
            for found in iter_deaggregate_records([record], "Boto3"):
                one = found["kinesis"]
                sub = one.get("subSequenceNumber", 0)
                position = Position(int(record["SequenceNumber"]), sub)
                if position > self.largest:
                    self.largest = position
                    data = one["data"]
                    messages.append(
                        {
                            "action": "record",
                            "data": data.decode() if sub or "aggregated" in one else _base64(data),
                            "partitionKey": one["partitionKey"],
                            "sequenceNumber": record["SequenceNumber"],
                            "subSequenceNumber": sub,
                            "approximateArrivalTimestamp": arrival,
                        }
                    )
        return messages, answer.get("NextShardIterator"), not answer["Records"]

    # Checkpoints.

    def answer(self, heard):
        if self.ending == "gone":
            return
        fault = self.application.checkpoints.fault("checkpoint") or Fault("checkpoint", "")
        if not fault.is_after:
            fault.happen(self)
        if fault.kind == "cut":
            return
        error = fault.kind if "Exception" in fault.kind else self._decide(heard)
        if fault.is_after:
            fault.happen(self)
        if fault.kind != "cut-after":
            self.reply(heard, error)

    def _decide(self, heard):
        with self.lease.lock:
            if self.lease.owner is not self:
                self.is_refused = True
                return "ShutdownException"
            error = self.verdict(heard)
            if not error:
                self.acknowledge(heard)
                self.lease.checkpoint = self.acknowledged
                self.lease.ended = self._action == "shardEnded" and heard[1] is None
            return error


def _base64(data):
    return base64.b64encode(data).decode()
