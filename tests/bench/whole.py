"""The whole on one host, JVM and children together, against the bare daemon of amazon_kclpy.

Both read the same records in the same run. Three loads: a full stream is caught up with, records
come steadily, none come.
"""

import time
from itertools import islice
from statistics import median

import boto3

from bench.consumer import Bare, Ours
from record_processors.aws.put_records import OutgoingRecord, batches, put_records
from record_processors.flow.retry import Retry
from support.shards import shard_of

RECORDS = {4: 1_200_000, 1: 400_000, 16: 1_200_000}  # by shards
WARM = 0.25  # of the records, that come before the measure: Java compiles what it runs often
MOST_ROUNDS = 3  # each takes minutes
KCLS_OWN = {"maxRecords": "10000", "idleTimeBetweenReadsInMillis": "1500"}
# A stand-in takes in seconds what a shard takes in minutes: the last of it is less than two seconds
# behind the newest record, and would be read as what is no backlog.
A_BACKLOG = {"millisBehindLatestThresholdForReducedTps": "0"}

SETTLING, WINDOW = 90.0, 40.0  # seconds; in the first minute Java compiles
RATES = (1_000, 250, 0)  # records a second and shard
ONCE_A_SECOND = {"maxRecords": "10000", "idleTimeBetweenReadsInMillis": "1000"}  # as ours reads
PUTS_A_SECOND = 4

FOR_FOUR = {"maxLeasesForWorker": "4"}
SMALLEST = {
    **A_BACKLOG,
    **FOR_FOUR,
    "maxRecords": "1000",
    "idleTimeBetweenReadsInMillis": "250",
}


def catch_up(workbench):
    """Yield CPU per record, time and memory for a full stream."""
    for shards, records in list(RECORDS.items())[: 1 if workbench.small else None]:
        total = workbench.some(records) // shards // 10_000 * shards * 10_000
        stream = _stream(f"full-{shards}", shards)
        for batch in batches(islice(_records(workbench, shards), total)):
            put_records(boto3.client("kinesis"), stream, batch, Retry(3, 100))
        yield from _compared(workbench, stream, shards, total)


def _compared(workbench, stream, shards, total):
    leases = {**A_BACKLOG, "maxLeasesForWorker": str(shards)}
    kinds = {
        "bare amazon_kclpy": lambda: Bare(workbench, stream, **KCLS_OWN),
        "text": lambda: Ours(workbench, stream, transformer="text", **leases),
    }
    if shards == 4:
        kinds |= {
            "text, as shipped": lambda: Ours(workbench, stream, transformer="text", **A_BACKLOG),
            "text, smallest": lambda: Ours(workbench, stream, transformer="text", **SMALLEST),
            "delimited": lambda: Ours(workbench, stream, transformer="delimited", **leases),
        }
    found = {name: [] for name in kinds}
    for _ in range(min(workbench.rounds, MOST_ROUNDS)):
        for name, start in kinds.items():
            with start() as consumer:
                found[name].append(_caught_up(consumer, total))
    bare = found["bare amazon_kclpy"]
    for name, rounds in found.items():
        cost, seconds, java, everything = (median(each) for each in zip(*rounds, strict=True))
        ratio = median(one[0] / other[0] for one, other in zip(rounds, bare, strict=True))
        cells = [
            f"{cost:.1f}",
            f"{ratio:.2f}",
            f"{seconds:.1f}",
            f"{java:.0f}",
            f"{everything:.0f}",
        ]
        yield f"{shards} shards: {name}", cells


def _caught_up(consumer, total):
    """Return µs of CPU per record, seconds, MiB of Java and of all."""
    began, early = consumer.wait(total * WARM)
    before = consumer.cpu()
    ended, seen = consumer.wait(total)
    cost = (consumer.cpu() - before) / (seen - early) * 1e6
    return cost, ended - began, *consumer.mebibytes()


def steady(workbench):
    """Yield CPU per second for records that come steadily, and for none."""
    for rate in RATES[-1 if workbench.small else 0 :]:
        costs = {}
        for name, kind, changes in (
            ("bare amazon_kclpy", Bare, ONCE_A_SECOND),
            ("text", Ours, {"transformer": "text", **FOR_FOUR}),
        ):
            stream = _stream(f"steady-{rate}-{name[:4]}", 4)
            with kind(workbench, stream, **changes) as consumer:
                costs[name] = _while_they_come(workbench, consumer, stream, rate)
                java, everything = consumer.mebibytes()
            ratio = costs[name] / costs["bare amazon_kclpy"]
            cells = [f"{costs[name]:.0f}", f"{ratio:.2f}", f"{java:.0f}", f"{everything:.0f}"]
            yield f"{rate or 'no'} records/s a shard: {name}", cells


def _while_they_come(workbench, consumer, stream, rate):
    """Return ms of CPU per second."""
    records = _records(workbench, 4)
    put_records(boto3.client("kinesis"), stream, list(islice(records, 400)), Retry(3, 100))
    _put_for(workbench.some(SETTLING), stream, records, rate)
    before, began = consumer.cpu(), time.monotonic()
    _put_for(workbench.some(WINDOW), stream, records, rate)
    used = (consumer.cpu() - before) / (time.monotonic() - began) * 1e3
    consumer.child.check()
    return used


def _put_for(seconds, stream, records, rate):
    kinesis, end = boto3.client("kinesis"), time.monotonic() + seconds
    turn = time.monotonic()
    while turn < end:
        for batch in batches(islice(records, rate * 4 // PUTS_A_SECOND)):
            put_records(kinesis, stream, batch, Retry(3, 100))
        turn += 1 / PUTS_A_SECOND
        time.sleep(max(0.0, turn - time.monotonic()))


def _stream(name, shards):
    kinesis = boto3.client("kinesis")
    kinesis.create_stream(StreamName=name, ShardCount=shards)
    kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1})
    return name


def _records(workbench, shards):
    """Yield records without end, to each shard in turn."""
    keys, number = {}, 0
    while len(keys) < shards:
        keys.setdefault(shard_of(str(number), shards), str(number))
        number += 1
    keys = list(keys.values())
    while True:
        for turn, payload in enumerate(workbench.payloads):
            yield OutgoingRecord(payload, keys[turn % shards])
