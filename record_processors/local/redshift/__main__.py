"""Start the stand-in for Redshift, tell on stdout where it is, run until told to stop."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import secrets
import signal
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from record_processors.local.redshift import system_tables
from record_processors.local.redshift.postgres import DATABASE, Cluster
from record_processors.local.redshift.proxy import Proxy
from record_processors.local.redshift.sources import s3_client

_LOADERS = 64  # COPY statements that may read S3 at the same time
_PARENT_CHECK = 0.5  # seconds


def main() -> None:
    """Run the command ``python -m record_processors.local.redshift``."""
    parser = argparse.ArgumentParser(prog="record_processors.local.redshift", description=__doc__)
    parser.add_argument("--directory", type=Path, required=True, help="where the database lies")
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--listener", type=int, help="a listening socket that was handed down")
    options = parser.parse_args()
    try:
        if options.listener is None:
            listener = socket.create_server(("127.0.0.1", options.port), backlog=100)
        else:
            listener = socket.socket(fileno=options.listener)
        asyncio.run(serve(options.directory.resolve(), listener))
    except (RuntimeError, OSError) as error:
        sys.exit(f"redshift stand-in: {error}")


async def serve(directory: Path, listener: socket.socket) -> None:
    """Serve on files in ``directory`` until SIGTERM, SIGINT or the end of the parent process.

    When ready it prints one line of JSON: host, port, database, user, password, version. The
    password is the environment's REDSHIFT_PASSWORD, or a new one.
    """
    parent = os.getppid()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.set_default_executor(ThreadPoolExecutor(_LOADERS))
    s3 = asyncio.ensure_future(asyncio.to_thread(s3_client))
    cluster = Cluster(directory)
    try:
        cluster.start()
        password = os.environ.get("REDSHIFT_PASSWORD") or secrets.token_hex(16)
        system_tables.prepare(cluster, password)
        server = await Proxy(cluster, s3).serve(listener)
        _announce(cluster, server.sockets[0].getsockname()[1], password)
        while not stop.is_set() and os.getppid() == parent:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(stop.wait(), _PARENT_CHECK)
        server.close()
    finally:
        cluster.stop()
    os._exit(0)  # at once: a thread may still wait for S3


def _announce(cluster: Cluster, port: int, password: str) -> None:
    with cluster.connect() as own:
        release = str(own.server_version // 10000) + f".{own.server_version % 10000}"
    own.close()
    ready = {
        "host": "127.0.0.1",
        "port": port,
        "database": DATABASE,
        "user": system_tables.USER,
        "password": password,
        "version": f"PostgreSQL {release}",
    }
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
