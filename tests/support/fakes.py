"""Stand-ins that write what happens to one journal, and files to try things on."""

import json
from pathlib import Path

from record_processors import Batch, Buffer, DeadLetters, Pipeline, Position, Record, Rejected
from record_processors.flow.emitter import Emitter
from record_processors.flow.filter import Filter
from record_processors.flow.transformer import Transformer

SHARD = "shardId-000000000000"


class Clock:
    """Time that moves when told to."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds

    def pass_milliseconds(self, milliseconds: float) -> None:
        """Let time pass."""
        self.seconds += milliseconds / 1000


class Words(Transformer[bytes]):
    """One row of each record; ``bad`` is rejected, ``none`` gives no row, ``bug`` is a bug."""

    def transform(self, record: Record) -> tuple[bytes, ...]:
        """Return the record's bytes."""
        if record.data == b"bad":
            raise Rejected("a bad word")
        if record.data == b"bug":
            raise TypeError("a bug in the transformer")
        return () if record.data == b"none" else (record.data,)


class Any(Filter):
    """Keeps everything."""

    def keep(self, record: Record) -> bool:
        """Say yes."""
        return True


class JournalBucket:
    """Writes to the journal which positions a file of dead letters holds."""

    name = "bucket"

    def __init__(self, journal: list[object]) -> None:
        self.journal = journal
        self.bodies: dict[str, bytes] = {}

    def put(self, key: str, body: bytes) -> None:
        """Note the dead letters."""
        self.bodies[key] = body
        letters = [json.loads(line) for line in body.splitlines()]
        self.journal.append(("letters", *(letter["position"] for letter in letters)))

    def url(self, key: str) -> str:
        """Return an address."""
        return f"journal://{self.name}/{key}"


class JournalEmitter(Emitter[bytes]):
    """Writes to the journal what it is given; answers as told, None when told nothing."""

    def __init__(
        self,
        journal: list[object],
        answers: dict[int, Position],
        written: dict[int, Position],
    ) -> None:
        self.journal = journal
        self.answers = answers
        self.written = written
        self.is_listed = False  # what was written: it tells where the next batch begins
        self.refuses: set[bytes] = set()
        self.batches: list[Batch[bytes]] = []

    def emit(self, batch: Batch[bytes]) -> Position | None:
        """Note the sequence numbers of the batch, and through where it covers the shard."""
        self.batches.append(batch)
        records = [kept.record for kept in batch.kept]
        sequences = [record.position.sequence for record in records]
        self.journal.append(("emit", sequences, str(batch.last)))
        for record in records:
            if record.data in self.refuses:
                batch.reject(record, "the destination refuses it")
        return self.answers.get(sequences[0])

    def next_written(self, record: Record) -> Position | None:
        """Say where what was written by an earlier life goes on, if that is listed."""
        sequence = record.position.sequence
        later = [Position(begin) for begin in self.written if self.is_listed and begin >= sequence]
        self.next = min(later, default=None)
        return self.next

    def adopt(self, first: Record) -> Position | None:
        """Note what is asked about, and say what was written there by an earlier life."""
        begin = min(first.position, self.next or first.position)
        found = self.written.get(begin.sequence)
        if found is not None:
            self.journal.append(("adopt", str(first.position), str(found)))
        return found


class Flow:
    """A pipeline between fakes, and the journal of what it did.

    ``answers`` are what the emitter returns for batches that begin with these sequence numbers,
    ``written`` what it finds there at the start of a life; if that is ``listed``, at any record.
    """

    def __init__(
        self,
        records: int = 1000,
        size: int = 1_000_000,
        milliseconds: int = 60_000,
        answers: dict[int, Position] | None = None,
        written: dict[int, Position] | None = None,
        *,
        listed: bool = False,
    ) -> None:
        self.journal: list[object] = []
        self.clock = Clock()
        self.emitter = JournalEmitter(self.journal, answers or {}, written or {})
        self.emitter.is_listed = listed
        self.bucket = JournalBucket(self.journal)
        self.pipeline: Pipeline[bytes] = Pipeline(
            Words(),
            Any(),
            Buffer(records, size, milliseconds, self.clock),
            self.emitter,
            DeadLetters(self.bucket, "errors/app/", "events", 1_000_000),
        )
        self.pipeline.start(SHARD)

    def checkpoint(self, position: Position) -> None:
        """Note a checkpoint."""
        self.journal.append(("checkpoint", str(position)))

    def take(self, *words: str, start: int = 1) -> list[object]:
        """Process words as records numbered from ``start``; return what happened meanwhile."""
        return self._during(
            lambda: self.pipeline.process(records(*words, start=start), self.checkpoint)
        )

    def take_records(self, *given: Record) -> list[object]:
        """Process records; return what happened meanwhile."""
        return self._during(lambda: self.pipeline.process(given, self.checkpoint))

    def flush(self) -> list[object]:
        """Flush; return what happened meanwhile."""
        return self._during(lambda: self.pipeline.flush(self.checkpoint))

    def finish(self) -> list[object]:
        """End the shard; return what happened meanwhile."""
        return self._during(lambda: self.pipeline.finish(self.checkpoint))

    def _during(self, action) -> list[object]:
        before = len(self.journal)
        action()
        return self.journal[before:]


def record(
    data: bytes | str, sequence: int = 1, sub_sequence: int = 0, key: str = "", arrival: int = 0
) -> Record:
    """Make a record."""
    data = data.encode() if isinstance(data, str) else data
    return Record(data, str(sequence), sub_sequence, key, arrival)


def records(*words: str, start: int = 1) -> list[Record]:
    """Make records numbered from ``start``."""
    return [record(word, sequence) for sequence, word in enumerate(words, start)]


STAGE_ONE = {
    "executableName": "kinesis-connectors process {path}",
    "applicationName": "flights",
    "streamName": "events",
    "regionName": "us-east-1",
    "AwsCredentialsProvider": "DefaultCredentialsProvider",
    "initialPositionInStream": "TRIM_HORIZON",
    "retrievalMode": "POLLING",
    "callProcessRecordsEvenForEmptyRecordList": "true",
    "shutdownGraceMillis": "30000",
    "connectorDestination": "s3-manifest",
    "s3Bucket": "bucket",
    "kinesisOutputStream": "manifests",
}
STAGE_TWO = {
    **{key: value for key, value in STAGE_ONE.items() if key != "kinesisOutputStream"},
    "connectorDestination": "redshift-manifest",
    "redshiftURL": "localhost:5439/dev",
    "redshiftUsername": "connectors",
    "redshiftDataTable": "flights",
    "redshiftIamRole": "default",
}


def properties(
    folder: Path, changes: dict[str, str | None] | None = None, base: dict[str, str] = STAGE_ONE
) -> str:
    """Write a valid file with ``changes`` (None takes a key out); return its path."""
    path = folder / "pipeline.properties"
    entries = {**base, **(changes or {})}
    lines = [
        f"{key} = {value.format(path=path) if key == 'executableName' else value}\n"
        for key, value in entries.items()
        if value is not None
    ]
    path.write_text("".join(lines), encoding="utf-8")
    return str(path)
