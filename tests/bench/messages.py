"""The daemon's messages, made beforehand: flights as 300-byte JSON records."""

import itertools
import json

from support.child_talk import record_message

SHARD = "shardId-000000000007"
FIRST = 49590338271490256608559692538361925221059304674498969602
ARRIVAL = 1_709_618_828_000
INITIALIZE = {"shardId": SHARD, "sequenceNumber": "TRIM_HORIZON", "subSequenceNumber": 0}


def line(action, **fields):
    """Write a message as Jackson does."""
    return json.dumps({"action": action, **fields}, separators=(",", ":")).encode() + b"\n"


def record(data, number):
    return record_message(data, FIRST + number, key=str(number), arrival=ARRIVAL + number)


def deliveries(payloads, count, per_line, start=0):
    """Yield lines that deliver ``count`` records, their payloads taken in turn."""
    for first in range(start, start + count, per_line):
        turn = itertools.islice(itertools.cycle(payloads), first % len(payloads), None)
        records = [record(next(turn), first + number) for number in range(per_line)]
        yield line("processRecords", records=records, millisBehindLatest=0)


EMPTY = line("processRecords", records=[], millisBehindLatest=0)
