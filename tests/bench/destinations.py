"""What a record costs on its way to each destination, in the child and in calls."""

import itertools
import time
from contextlib import ExitStack, closing
from itertools import pairwise
from statistics import mean, median
from typing import NamedTuple

import psycopg2

from bench.child import BARE
from bench.messages import deliveries
from bench.sink import Sink
from record_processors.destinations.redshift.settings import DATA_TABLE
from record_processors.local.demo import flights
from support.fault_proxy import Proxy
from support.redshift_wire import Wire

PER_LINE = 5_000  # as the shipped files read
STEP, STEPS = 10_000, 5  # records; a step more comes before the measure
MOST_ROUNDS = 3

_tables = itertools.count(1)

RECORD = b'"partitionKey"'  # once in each, of a line

OF_FILES = {"bufferRecordCountLimit": "10000", "bufferByteSizeLimit": "4194304"}
# A label, the shipped file that it begins with, and what is changed in it.
KINDS = (
    ("s3-manifest", "s3_manifest", {}),
    ("redshift-basic", "redshift_basic", {"redshiftIamRole": "default"}),
    ("kinesis", "kinesis", {}),
    ("opensearch", "opensearch", {"openSearchIndex": "index"}),
    ("dynamodb, no guard", "dynamodb", {"dynamoDBPositionAttribute": "none"}),
    ("dynamodb", "dynamodb", {}),
    (
        "dynamodb, s3-manifest",
        "dynamodb",
        {
            "connectorDestination": "dynamodb, s3-manifest",
            "s3Bucket": "bench",
            "kinesisOutputStream": "bench",
            **OF_FILES,
        },
    ),
)


class Found(NamedTuple):
    """What one life of a child took; CPU in µs a record, calls for 1,000 records."""

    cost: float
    first: float
    last: float
    rate: float  # records/s
    calls: float
    peak: float  # MiB


def destinations(workbench):
    """Yield for the yardstick and for each destination what a record costs, and how it ages."""
    steps, found = _steps(workbench), {}
    for _ in range(min(workbench.rounds, MOST_ROUNDS)):
        with workbench.program("-c", BARE) as child:
            found.setdefault("bare amazon_kclpy", []).append(_measure(child, steps, lambda: 0))
        for label, stage, changes in KINDS:
            found.setdefault(label, []).append(_destination(workbench, steps, stage, changes))
    bare = found["bare amazon_kclpy"]
    for label, rounds in found.items():
        ratio = median(one.cost / other.cost for one, other in zip(rounds, bare, strict=True))
        cost, first, last, rate, calls, peak = (median(each) for each in zip(*rounds, strict=True))
        costs = [f"{cost:.1f}", f"{ratio:.2f}", f"{first:.1f}", f"{last:.1f}"]
        yield label, [*costs, f"{rate:.0f}", f"{calls:.2f}", f"{peak:.0f}"]


def _steps(workbench):
    """Return the records before the measure, and those of each step, as lines."""
    payloads = [b'{"id":"%d",%b' % (n, each[1:]) for n, each in enumerate(workbench.payloads)]
    step, per_line = workbench.some(STEP), workbench.some(PER_LINE)
    lines = list(deliveries(payloads, step * (1 + STEPS), per_line))
    size = step // per_line
    return [lines[begin : begin + size] for begin in range(0, len(lines), size)]


def _destination(workbench, steps, stage, changes):
    properties = workbench.stack.properties
    address, _, database = properties["redshiftURL"].partition("/")
    host, _, port = address.partition(":")
    with ExitStack() as stack:
        sink, s3, redshift = (
            stack.enter_context(closing(each))
            for each in (
                Sink(properties["kinesisEndpoint"]),
                Proxy(properties["s3Endpoint"], []),
                Wire((host, int(port))),
            )
        )
        settings = workbench.pipeline(
            stage,
            kinesisEndpoint=sink.endpoint,
            dynamoDBEndpoint=sink.endpoint,
            s3Endpoint=s3.endpoint,
            **({"openSearchURL": sink.endpoint} if stage == "opensearch" else {}),
            **(_redshift(f"{redshift.url}/{database}") if "redshift" in stage else {}),
            **changes,
        )
        if "redshift" in stage:
            _make_table(workbench, settings[DATA_TABLE])
        with workbench.child(settings) as child:
            return _measure(
                child,
                steps,
                lambda: sink.calls.total() + len(s3.requests) + len(redshift.statements),
            )


def _redshift(url):
    """Return what leads to it, and tables that no other round has."""
    number = next(_tables)
    return {
        "redshiftURL": url,
        "redshiftDataTable": f"rows_{number}",
        "redshiftFileTable": f"files_{number}",
    }


def _measure(child, steps, calls):
    _deliver(child, steps[0])
    called, began, spent = calls(), time.perf_counter(), [child.cpu]
    for step in steps[1:]:
        _deliver(child, step)
        spent.append(child.cpu)
    seconds, called = time.perf_counter() - began, calls() - called
    size = sum(line.count(RECORD) for line in steps[0])
    costs = [(after - before) / size * 1e6 for before, after in pairwise(spent)]
    records = size * STEPS
    return Found(
        *(mean(costs), costs[0], costs[-1]),
        *(records / seconds, called / records * 1e3, child.mebibytes("VmHWM")),
    )


def _deliver(child, lines):
    for line in lines:
        child.say(line)


def _make_table(workbench, table):
    properties = workbench.stack.properties
    where = f"postgresql://{properties['redshiftUsername']}@{properties['redshiftURL']}"
    password = workbench.environment["REDSHIFT_PASSWORD"]
    with closing(psycopg2.connect(where, password=password)) as connection:
        flights.create_table(connection, table)
