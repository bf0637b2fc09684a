"""What is put on the streams, and what must become of it.

That is a function of the data alone; but a row that COPY refuses takes its whole file with it, and
what shares its file is for the bucket to say.
"""

import itertools
import json
from collections import Counter
from typing import NamedTuple

from aws_kinesis_agg.aggregator import RecordAggregator

from crash.rig.poison import TOLD, UNTOLD
from crash.rig.several import rows_of
from crash.rig.tally import count
from record_processors.config.keys import STREAM_NAME
from record_processors.destinations.s3_manifest import OUTPUT_STREAM

FATES = {"one row": 8, "several rows": 2, "no row": 1, "filtered": 1, "rejected": 1}


class Put(NamedTuple):
    """Where a record came to be on its stream."""

    shard: str
    position: str


class Source:
    """Puts records of every fate, and notes what is to come of them.

    Rows are noted before their records are put, so that no row is ever seen that is not noted. What
    is rejected, by shard and position: at which stage, and its bytes.
    """

    def __init__(self, both, random):
        self.both, self.kinesis, self.random = both, both.kinesis, random
        self.events = both.one[STREAM_NAME]
        self.manifests = both.one[OUTPUT_STREAM]
        self.rows = Counter()
        self.rejected = {}
        self.junk = {}  # on the manifest stream
        self.poison = {}  # the rows that COPY refuses, by shard and position
        self._ids = itertools.count()

    def put(self, count):
        """Put so many records, each third time aggregated as the Producer Library does."""
        records = [self._record() for _ in range(count)]
        for data, fate in records:
            if fate in {"one row", "several rows"}:
                rows = rows_of(json.loads(data))
                self.rows.update((row["id"], row["text"]) for row in rows)
        if self.random.random() < 1 / 3:
            self._put_aggregated(records)
        else:
            self._put_single(records)

    def put_junk(self):
        """Put on the manifest stream what is no message, or names no file."""
        kinds = [("transform", b"\xff\xfe %d"), ("load", b"by/nobody-%d.json")]
        stage, text = self.random.choice(kinds)
        data = text % next(self._ids)
        answer = self.kinesis.put_record(StreamName=self.manifests, PartitionKey="junk", Data=data)
        self.junk[answer["ShardId"], f"{answer['SequenceNumber']}-0"] = stage, data

    def put_poison(self, *, may_be_untold=True):
        """Put a record whose row COPY refuses; at times one that Redshift does not tell of.

        Not before a file is loaded: until then nobody can say whose fault an untold failure is, and
        the child ends, as it must.
        """
        number = next(self._ids)
        is_told = self.random.random() < 1 / 2 or not may_be_untold
        is_told = is_told or not self._is_anything_loaded()
        said = {"id": number, "text": f"{TOLD if is_told else UNTOLD} {number}", "rows": 1}
        (row,) = [(row["id"], row["text"]) for row in rows_of(said)]
        self.rows[row] += 1
        answer = self.kinesis.put_record(
            StreamName=self.events,
            PartitionKey=str(self.random.random()),
            Data=json.dumps(said).encode(),
        )
        self.poison[answer["ShardId"], f"{answer['SequenceNumber']}-0"] = row
        count("bad rows", "named by Redshift" if is_told else "found by halves")

    def _is_anything_loaded(self):
        return self.both.query(f"SELECT 1 FROM {self.both.table} LIMIT 1")

    def _record(self):
        number = next(self._ids)
        fate = self.random.choices(list(FATES), list(FATES.values()))[0]
        if fate == "rejected":
            return b"bad %d" % number, fate
        rows = {"several rows": self.random.randint(2, 4), "no row": 0}.get(fate, 1)
        said = {"id": number, "text": f'{number} é "quoted" \\ 🛩', "rows": rows}
        if fate == "filtered":
            said["skip"] = True
        return json.dumps(said).encode(), fate

    def _put_single(self, records):
        entries = [(str(self.random.random()), data) for data, _ in records]
        self._note(records, put_single(self.kinesis, self.events, entries))

    def _put_aggregated(self, records):
        # One key: the KCL drops what does not hash into the shard, as left by a reshard.
        key = f"together {next(self._ids)}"
        data = [one for one, _ in records]
        self._note(records, put_aggregated(self.kinesis, self.events, key, data))

    def _note(self, records, puts):
        for (data, fate), put in zip(records, puts, strict=True):
            if fate == "rejected":
                self.rejected[put] = "transform", data


def put_single(kinesis, stream, entries):
    """Put pairs of key and data, each a record; return where each is."""
    entries = [{"PartitionKey": key, "Data": data} for key, data in entries]
    answer = kinesis.put_records(StreamName=stream, Records=entries)
    assert answer["FailedRecordCount"] == 0
    return [Put(one["ShardId"], f"{one['SequenceNumber']}-0") for one in answer["Records"]]


def put_aggregated(kinesis, stream, key, data):
    """Put several as one record, as the Producer Library does; return where each is."""
    aggregator = RecordAggregator()
    for one in data:
        aggregator.add_user_record(key, one)
    _, _, together = aggregator.clear_and_get().get_contents()
    put = kinesis.put_record(StreamName=stream, PartitionKey=key, Data=together)
    return [Put(put["ShardId"], f"{put['SequenceNumber']}-{sub}") for sub in range(len(data))]
