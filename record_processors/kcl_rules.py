"""What contradicts itself, or is dangerous, in the daemon's part of a file."""

from __future__ import annotations

from collections.abc import Iterator
from os.path import realpath

from .limits import COPY_MILLISECONDS, LOCK_MILLISECONDS, LONGEST_WAIT, READ_SECONDS
from .setting import Settings
from .settings import (
    DESTINATION,
    EXECUTABLE_NAME,
    KINESIS_ENDPOINT,
    REGION,
    RETRY_LIMIT,
    STREAM_NAME,
)

Contradiction = tuple[str, str]  # the key at fault, and the sentence

FLUSH_MILLISECONDS = 1_000  # the least that one takes: a PUT and a message; a COPY takes more
# A try of stage two; it takes more to find out which of its files cannot be loaded.
LOAD_SECONDS = (LOCK_MILLISECONDS + COPY_MILLISECONDS) // 1000

# Above these a shard lies idle for minutes after a host has died, or after a reshard.
SLOW = {
    "failoverTimeMillis": (60_000, "so long nobody reads the shards of a host that died"),
    "leaseAssignmentIntervalMillis": (120_000, "so long shards without an owner wait for one"),
    "parentShardPollIntervalMillis": (120_000, "so long the children of a shard wait behind it"),
    "shardSyncIntervalMillis": (600_000, "so long the shards of a reshard are not seen"),
}
SKIP_SYNC = "skipShardSyncAtWorkerInitializationIfLeasesExist"
POLLING_ONLY = (
    "idleTimeBetweenReadsInMillis",
    "maxRecords",
    "millisBehindLatestThresholdForReducedTps",
)
# What sets the same thing twice: which one counts, the order of a hash table decides.
SAME = [
    ("workerId", "workerIdentifier"),
    ("initialPositionInStream", "initialPositionInStreamExtended"),
    (KINESIS_ENDPOINT.key, "kinesisClient.endpointOverride"),
    ("dynamoDBEndpoint", "dynamoDbClient.endpointOverride"),
    *((REGION.key, f"{client}.region") for client in ("kinesisClient", "dynamoDbClient")),
    (REGION.key, "cloudWatchClient.region"),
]


def contradictions(settings: Settings) -> Iterator[Contradiction]:
    """Yield every contradiction among keys that are valid one by one."""
    yield from _command(settings)
    yield from _calls(settings)
    yield from _ends(settings)
    yield from _same_things(settings)
    yield from _takeover(settings)


def notes(settings: Settings) -> Iterator[str]:
    """Yield what may be meant so, and should be known."""
    for key in ("workerId", "workerIdentifier"):
        if key in settings.texts:
            yield (
                f"{key} stands in the file: two hosts that share it would take each other's "
                "shards; without it, `run` gives each host a name of its own that stays"
            )
    if settings.texts.get(SKIP_SYNC) == "true":
        yield (
            f"{SKIP_SYNC} = true: KCL then delivers aggregates with records of other shards, which "
            "it otherwise leaves out; change it only when all workers are stopped gracefully"
        )
    mode = settings.texts.get("retrievalMode")
    for key in settings.texts:
        is_of_other = key in POLLING_ONLY if mode == "FANOUT" else key.startswith("fanoutConfig.")
        if is_of_other:
            yield f"{key} has no effect with retrievalMode = {mode}"


def _command(settings: Settings) -> Iterator[Contradiction]:
    command = settings[EXECUTABLE_NAME].split()
    runs_us = len(command) >= 3 and command[-2] == "process"
    if not runs_us or realpath(command[-1]) != realpath(settings.path):
        yield (
            EXECUTABLE_NAME.key,
            f"executableName = {' '.join(command)}: does not run this file; it should be "
            f"kinesis-connectors process {settings.path}",
        )
    if " " in settings.path:
        yield EXECUTABLE_NAME.key, "the daemon cannot pass on a path with a blank: move the file"


def _calls(settings: Settings) -> Iterator[Contradiction]:
    texts = settings.texts
    if texts.get("callProcessRecordsEvenForEmptyRecordList") != "true":
        yield (
            "callProcessRecordsEvenForEmptyRecordList",
            "callProcessRecordsEvenForEmptyRecordList must be true, or bufferMillisecondsLimit "
            "has no effect on a shard that falls silent",
        )
    mode = texts.get("retrievalMode", "DEFAULT")
    if mode == "DEFAULT":
        yield (
            "retrievalMode",
            "retrievalMode must be POLLING, or FANOUT, which is charged for; KCL's own default "
            "is fan-out",
        )


def _ends(settings: Settings) -> Iterator[Contradiction]:
    texts = settings.texts
    destination = settings[DESTINATION]
    grace = int(texts.get("shutdownGraceMillis", "0"))
    if grace < FLUSH_MILLISECONDS:
        yield (
            "shutdownGraceMillis",
            f"shutdownGraceMillis must be longer than a flush takes: {FLUSH_MILLISECONDS} at the "
            "least, rather 30000; with KCL's own default of 0 a stop flushes nothing",
        )
    timeout = texts.get("timeoutInSeconds")
    one_try = LOAD_SECONDS if destination == "redshift-manifest" else READ_SECONDS
    longest = settings[RETRY_LIMIT] * (one_try + LONGEST_WAIT)
    if timeout is not None and int(timeout) < longest:
        yield (
            "timeoutInSeconds",
            f"timeoutInSeconds = {timeout}: a batch may need {longest} s (retryLimit tries of "
            f"{one_try} s, {LONGEST_WAIT} s apart) before the daemon may be stopped for it",
        )
    threads = int(texts.get("maxActiveThreads", "0"))
    leases = texts.get("maxLeasesForWorker")
    if threads and (leases is None or threads < 1 + 3 * int(leases)):
        yield (
            "maxActiveThreads",
            f"maxActiveThreads = {threads}: each shard needs three threads, and the daemon one, or "
            "they wait for each other for ever; leave it out, or set maxLeasesForWorker too",
        )


def _same_things(settings: Settings) -> Iterator[Contradiction]:
    texts = settings.texts
    for one, other in SAME:
        if one in texts and other in texts and texts[one] != texts[other]:
            yield other, f"{one} and {other} set the same thing, and KCL takes either: keep one"
    if "initialPositionInStream" not in texts and "initialPositionInStreamExtended" not in texts:
        yield (
            "initialPositionInStream",
            "initialPositionInStream is missing, and needed: KCL would begin at LATEST",
        )
    arn = texts.get("streamArn", "")
    if arn and arn.rpartition("/")[2] != settings[STREAM_NAME]:
        yield "streamArn", "streamArn would override streamName; name the stream by streamName"


def _takeover(settings: Settings) -> Iterator[Contradiction]:
    for key, (most, why) in SLOW.items():
        if int(settings.texts.get(key, "0")) > most:
            yield key, f"{key} = {settings.texts[key]}: {why}; at most {most}"
