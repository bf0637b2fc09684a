"""The stand-in for Redshift, started and asked as tests do it."""

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psycopg2

PATIENCE = 60  # seconds that only something that hangs takes
ROLE = "IAM_ROLE 'arn:aws:iam::123456789012:role/loader'"
ESCAPED = f"{ROLE} DELIMITER '|' ESCAPE NULL AS '\\N'"
FAILED = "Load into table '{}' failed.  Check 'sys_load_error_detail' system table for details.\n"


def start(directory, **environment):
    process = subprocess.Popen(
        [sys.executable, "-m", "record_processors.local.redshift", "--directory", str(directory)],
        stdout=subprocess.PIPE,
        env=os.environ | environment,
    )
    return process, json.loads(process.stdout.readline())


def connect(ready, **options):
    return psycopg2.connect(dsn(ready | options))


def dsn(ready):
    return (
        f"host={ready['host']} port={ready['port']} dbname={ready['database']} "
        f"user={ready['user']} password={ready['password']} sslmode=disable"
    )


def postgres_of(directory):
    """Return the ids of all processes that have the cluster's lock file open."""
    lock = str(directory / "lock")
    holders = set()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if lock in [str(file.readlink()) for file in (process / "fd").iterdir()]:
                holders.add(int(process.name))
    return holders


def eventually(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "never came true"
        time.sleep(0.01)


def run(connection, statement, *parameters):
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters or None)
        return cursor.fetchall() if cursor.description else cursor.rowcount


def put(s3, key, body):
    s3.put_object(Bucket="bucket", Key=key, Body=body)
    return f"s3://bucket/{key}"


def manifest(s3, key, *entries):
    return put(s3, key, json.dumps({"entries": list(entries)}))


def last_error(
    db, columns="trim(filename), line_number, trim(colname), err_code, trim(err_reason)"
):
    return run(db, f"SELECT {columns} FROM stl_load_errors ORDER BY query DESC LIMIT 1")[0]
