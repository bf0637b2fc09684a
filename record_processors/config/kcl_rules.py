"""What contradicts itself, or is dangerous, in the daemon's part of a file."""

from __future__ import annotations

from collections.abc import Iterator
from os.path import realpath
from re import fullmatch
from typing import Any

from .component import Contradiction
from .kcl_settings import (
    ASSIGNMENT_INTERVAL,
    CALL_WITHOUT_RECORDS,
    CONSUMER_ARN,
    CONSUMER_NAME,
    FAILOVER,
    INITIAL_POSITION,
    INITIAL_TIMESTAMP,
    MAX_LEASES,
    MAX_THREADS,
    PARENT_POLL_INTERVAL,
    RETRIEVAL_MODE,
    SHARD_SYNC_INTERVAL,
    SHUTDOWN_GRACE,
    SKIP_SYNC,
    STREAM_ARN,
    TIMEOUT,
    WORKER_IDENTIFIER,
    is_pushed,
)
from .keys import (
    APPLICATION_NAME,
    DYNAMODB_ENDPOINT,
    EXECUTABLE_NAME,
    KINESIS_ENDPOINT,
    LONGEST_WAIT,
    OUTAGE_PATIENCE,
    REGION,
    RETRY_LIMIT,
    STREAM_NAME,
    WORKER_ID,
)
from .setting import Setting, Settings
from .types import CONSUMER

FLUSH_MILLISECONDS = 1_000  # the least that one takes: a PUT and a message; a COPY takes more
# Above these a shard lies idle for minutes after a host has died, or after a reshard.
SLOW: list[tuple[Setting[Any], int, str]] = [
    (FAILOVER, 60_000, "so long nobody reads the shards of a host that died"),
    (ASSIGNMENT_INTERVAL, 120_000, "so long shards without an owner wait for one"),
    (PARENT_POLL_INTERVAL, 120_000, "so long the children of a shard wait behind it"),
    (SHARD_SYNC_INTERVAL, 600_000, "so long the shards of a reshard are not seen"),
]
POLLING_ONLY = (
    "idleTimeBetweenReadsInMillis",
    "maxRecords",
    "millisBehindLatestThresholdForReducedTps",
)
# What sets the same thing twice: which one counts, the order of a hash table decides.
SAME = [
    (WORKER_ID.key, WORKER_IDENTIFIER.key),
    (INITIAL_POSITION.key, INITIAL_TIMESTAMP.key),
    (KINESIS_ENDPOINT.key, "kinesisClient.endpointOverride"),
    (DYNAMODB_ENDPOINT.key, "dynamoDbClient.endpointOverride"),
    *((REGION.key, f"{client}.region") for client in ("kinesisClient", "dynamoDbClient")),
    (REGION.key, "cloudWatchClient.region"),
]


def contradictions(settings: Settings, longest_try: int) -> Iterator[Contradiction]:
    """Yield every contradiction among keys that are valid one by one.

    ``longest_try`` is how many seconds a try of the destination may last.
    """
    yield from _command(settings)
    yield from _calls(settings)
    yield from _ends(settings, longest_try)
    yield from _same_things(settings)
    yield from _takeover(settings)
    yield from _fan_out(settings)


def notes(settings: Settings) -> Iterator[str]:
    """Yield what may be meant so, and should be known."""
    yield from notes_of_worker(settings)
    if settings[SKIP_SYNC]:
        yield (
            f"{SKIP_SYNC.key} = true: KCL then delivers aggregates with records of other shards, "
            "which it otherwise leaves out; change it only when all workers are stopped gracefully"
        )
    mode = settings[RETRIEVAL_MODE]
    for key in settings.texts:
        is_of_other = (
            key in POLLING_ONLY if is_pushed(settings) else key.startswith("fanoutConfig.")
        )
        if is_of_other:
            yield f"{key} has no effect with retrievalMode = {mode}"
        elif (
            CONSUMER_ARN in settings and key.startswith("fanoutConfig.") and key != CONSUMER_ARN.key
        ):
            yield f"{key} has no effect with {CONSUMER_ARN.key}, which names the consumer"


def notes_of_worker(settings: Settings) -> Iterator[str]:
    """Yield what makes hosts that share the file pass for one another."""
    for setting in (WORKER_ID, WORKER_IDENTIFIER):
        if setting in settings:
            yield (
                f"{setting.key} stands in the file: two hosts that share it would take each "
                "other's shards; without it, `run` gives each host a name of its own that stays"
            )


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
    if not settings[CALL_WITHOUT_RECORDS]:
        yield (
            CALL_WITHOUT_RECORDS.key,
            "callProcessRecordsEvenForEmptyRecordList must be true, or bufferMillisecondsLimit "
            "has no effect on a shard that falls silent",
        )
    if settings[RETRIEVAL_MODE] == "DEFAULT":
        yield (
            RETRIEVAL_MODE.key,
            "retrievalMode must be POLLING, or FANOUT, which is charged for; KCL's own default "
            "is fan-out",
        )


def _ends(settings: Settings, longest_try: int) -> Iterator[Contradiction]:
    if settings[SHUTDOWN_GRACE] < FLUSH_MILLISECONDS:
        yield (
            SHUTDOWN_GRACE.key,
            f"shutdownGraceMillis must be longer than a flush takes: {FLUSH_MILLISECONDS} at the "
            "least, rather 30000; with KCL's own default of 0 a stop flushes nothing",
        )
    timeout = settings[TIMEOUT]
    tries = settings[RETRY_LIMIT] * (longest_try + LONGEST_WAIT)
    longest = max(tries, settings[OUTAGE_PATIENCE] + longest_try + LONGEST_WAIT)
    if timeout is not None and timeout < longest:
        yield (
            TIMEOUT.key,
            f"timeoutInSeconds = {timeout}: a batch may need {longest} s (retryLimit tries of "
            f"{longest_try} s, {LONGEST_WAIT} s apart; outagePatience) before the daemon may be "
            "stopped for it",
        )
    threads, leases = settings[MAX_THREADS], settings[MAX_LEASES]
    if threads and (leases is None or threads < 1 + 3 * leases):
        yield (
            MAX_THREADS.key,
            f"maxActiveThreads = {threads}: each shard needs three threads, and the daemon one, or "
            "they wait for each other for ever; leave it out, or set maxLeasesForWorker too",
        )


def _same_things(settings: Settings) -> Iterator[Contradiction]:
    texts = settings.texts
    for one, other in SAME:
        if one in texts and other in texts and texts[one] != texts[other]:
            yield other, f"{one} and {other} set the same thing, and KCL takes either: keep one"
    if INITIAL_POSITION not in settings and INITIAL_TIMESTAMP not in settings:
        yield (
            INITIAL_POSITION.key,
            "initialPositionInStream is missing, and needed: KCL would begin at LATEST",
        )
    arn = settings[STREAM_ARN]
    if arn and arn.rpartition("/")[2] != settings[STREAM_NAME]:
        yield STREAM_ARN.key, "streamArn would override streamName; name the stream by streamName"


def _takeover(settings: Settings) -> Iterator[Contradiction]:
    for setting, most, why in SLOW:
        if (settings[setting] or 0) > most:
            yield setting.key, f"{setting.key} = {settings[setting]}: {why}; at most {most}"


def _fan_out(settings: Settings) -> Iterator[Contradiction]:
    if not is_pushed(settings):
        return
    stream, arn = settings[STREAM_NAME], settings[CONSUMER_ARN]
    if arn and f":stream/{stream}/consumer/" not in arn:
        yield (
            CONSUMER_ARN.key,
            f"fanoutConfig.consumerArn is a consumer of another stream than streamName = {stream}",
        )
    name = settings[CONSUMER_NAME] or settings[APPLICATION_NAME]
    if not arn and not fullmatch(CONSUMER, name):
        yield (
            CONSUMER_NAME.key,
            "fanoutConfig.consumerName is missing, and needed: applicationName, which it would be, "
            "has more than the 128 characters of a consumer's name",
        )
