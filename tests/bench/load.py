"""Stage two: what a file costs that is loaded into a table whose ledger is young, or old."""

import gzip
import time
from contextlib import closing
from statistics import median

import boto3
import psycopg2

from bench.messages import line, record
from record_processors.config.keys import S3_BUCKET
from record_processors.destinations.redshift.settings import DATA_TABLE, FILE_TABLE, REDSHIFT_URL
from record_processors.files.file import File
from support.fault_proxy import Proxy
from support.redshift_wire import Wire

ROWS = 100  # in a file
# Files in a load, and rows of the ledger.
LOADS = ((100, 1_000), (100, 100_000), (100, 1_000_000), (500, 1_000), (1_000, 1_000))
SHARDS = 4

# As if this pipeline had run for as long as that: the shards' files, one after the other.
FILL = """
    INSERT INTO {ledger} (file, data_table, application, stream, shard, first_position,
        last_position, row_count, byte_count, manifest, loaded_at, digits)
    SELECT 's3://{bucket}/one/2024/01/01/00/' || shard || '-' || n * 100 || '-0.json.gz',
        '{table}', 'one', 'events', shard, n * 100 || '-0', n * 100 + 99 || '-0', 100, 1000,
        's3://{bucket}/manifest', getdate(), length(n * 100 || '')
    FROM (SELECT n / {shards} + {first} AS n, 'shardId-' || lpad(n % {shards} || '', 12, '0')
        AS shard FROM generate_series(0, {rows} - 1) n) numbered
"""
FIRST = 4_959_033_827_149_025_660_855_969_253_836_192_522_105_930_467_449_896


def load(workbench):
    """Yield for each size of a load and age of the ledger: CPU and time per file, round trips."""
    for files, rows in LOADS[: 1 if workbench.small else None]:
        yield f"{files:,} files a load, {rows:,} in the ledger", _load(workbench, files, rows)


def _load(workbench, files, rows):
    address, _, database = workbench.stack.properties[REDSHIFT_URL.key].partition("/")
    host, _, port = address.partition(":")
    with (
        closing(Proxy(workbench.stack.properties["s3Endpoint"], [])) as s3,
        closing(Wire((host, int(port)))) as redshift,
    ):
        settings = workbench.pipeline(
            "redshift_manifest",
            bufferRecordCountLimit=str(files),
            s3Endpoint=s3.endpoint,
            redshiftURL=f"{redshift.url}/{database}",
            redshiftDataTable=f"rows_{files}_{rows}",
            redshiftFileTable=f"files_{files}_{rows}",
            redshiftIamRole="default",
        )
        _prepare(workbench, settings, rows)
        costs, spans, requests, statements = [], [], [], []
        with workbench.child(settings) as child:
            for number in range(workbench.rounds + 1):
                call = _announcements(settings, rows // SHARDS + number * files, files)
                s3.requests.clear()
                redshift.statements.clear()
                before, began = child.cpu, time.perf_counter()
                child.say(call)
                if number:  # the first connects
                    costs.append((child.cpu - before) / files * 1e6)
                    spans.append((time.perf_counter() - began) / files * 1e3)
                    requests.append(len(s3.requests))
                    statements.append(len(redshift.statements))
    return [
        f"{median(costs):.0f}",
        f"{median(spans):.2f}",
        f"{median(requests):.0f}",
        f"{median(statements):.0f}",
    ]


def _prepare(workbench, settings, rows):
    properties = workbench.stack.properties
    with closing(
        psycopg2.connect(
            f"postgresql://{properties['redshiftUsername']}@{properties['redshiftURL']}",
            password=workbench.environment["REDSHIFT_PASSWORD"],
        )
    ) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            table, ledger = settings[DATA_TABLE], settings[FILE_TABLE]
            cursor.execute(f"CREATE TABLE {table} (id BIGINT, text VARCHAR(200))")
            names = {"ledger": ledger, "bucket": settings[S3_BUCKET], "table": table}
            cursor.execute(FILL.format(rows=rows, shards=SHARDS, first=FIRST, **names))
            cursor.execute(f"VACUUM {ledger}")  # else it comes in the middle
            cursor.execute(f"ANALYZE {ledger}")


def _announcements(settings, first, files):
    """Put new files, behind those of the ledger; return the call that announces them."""
    s3 = boto3.client("s3")
    row = b'{"id": 1, "text": "a row of some length, as rows are"}\n'
    body = gzip.compress(row * ROWS)
    calls = []
    for number in range(files):
        begin = (FIRST + first + number) * 100
        shard = f"shardId-{number % SHARDS:012}"
        file = File(
            application="one",
            bucket=settings[S3_BUCKET],
            key=f"one/2024/01/01/00/{shard}-{begin}-0.json.gz",
            bytes=len(body),
            rows=ROWS,
            stream="events",
            shard=shard,
            first=f"{begin}-0",
            last=f"{begin + 99}-0",
            format="json",
            compression="gzip",
        )
        s3.put_object(Bucket=file.bucket, Key=file.key, Body=body)
        calls.append(record(file.encode(), first + number))
    return line("processRecords", records=calls, millisBehindLatest=0)
