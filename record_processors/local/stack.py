"""All stand-ins on this machine, started together and ended together.

`with Stack(directory) as stack:` starts the stand-ins for AWS and for Redshift; `stack.environment`
and `stack.properties` are what a pipeline needs to use them instead of the real ones.
"""

import json
import os
import re
import secrets
import shlex
import signal
import sys
import threading
from contextlib import ExitStack
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from record_processors.config.shipped_files import shipped_files
from record_processors.local.children import Child
from record_processors.local.demo.pipelines import SOON, write_pipeline
from record_processors.local.host import HOST, held, listener
from record_processors.local.intervals import QUICK
from record_processors.local.redshift.postgres import binary

_REGION = "us-east-1"
_SECONDS_BETWEEN_LOOKS = 1.0
_USUAL_PORT = 9200  # of OpenSearch, in the files until one has run here
_MOVING = ("aws", "redshift", "opensearch")
# The ports and the password, for the next start.
_REMEMBERED = "remembered.json"
# For two daemons on two cores: the quick compiler only, the collector without threads, a heap that
# holds what KCL fetches ahead of four shards.
_JVM = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xmx256m"


# Of a shell's own settings, what could lead a client to an AWS account all the same.
UNSET = "unset AWS_PROFILE AWS_SESSION_TOKEN\n"


class Stack:
    """The stand-ins of one directory; `directory/logs` has what they say. They begin empty.

    `environment` are the variables to set and `properties` the keys of a pipeline's .properties
    file; both are empty until the stack is entered. They are those of the directory's last start,
    unless `port` names another for AWS; Redshift has the next one. With `opensearch`, a real one
    runs beside them, on whatever port. `throttled`: a shard gives 2 MB a second, as on Kinesis.
    Entering raises `ChildError` if a stand-in does not start, `HostError` if a port is taken, or
    OpenSearch cannot be had. Enter it in the main thread.
    """

    def __init__(
        self,
        directory: Path,
        port: int | None = None,
        *,
        opensearch: bool = False,
        throttled: bool = False,
    ) -> None:
        self.directory = directory
        self._throttled = ["--throttled"] if throttled else []
        self._port = port
        self._opensearch = opensearch
        self.environment: dict[str, str] = {}
        self.properties: dict[str, str] = {}
        self._children: list[Child] = []
        self._stop = ExitStack()

    def __enter__(self) -> "Stack":
        with ExitStack() as stop:
            self._start(stop)
            self._stop = stop.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.close()

    def process_environment(self) -> dict[str, str]:
        """Give the whole environment of a process that is to use the stand-ins.

        Of this process' own variables none is kept that could lead it to an AWS account.
        """
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return {**kept, **self.environment}

    def check(self) -> None:
        """Raise `ChildError` if a stand-in is not running any more."""
        for child in self._children:
            child.check()

    def _start(self, stop: ExitStack) -> None:
        last = _remembered(self.directory)
        ports = (self._port, self._port + 1) if self._port else (last["aws"], last["redshift"])
        # The sockets are ours, so that each stand-in can be told the other's address at once.
        with listener(ports[0]) as for_aws, listener(ports[1]) as for_redshift:
            now = {
                "aws": for_aws.getsockname()[1],
                "redshift": for_redshift.getsockname()[1],
                "password": last["password"] or secrets.token_hex(16),
            }
            endpoint = f"http://{HOST}:{now['aws']}"
            self.environment = aws_environment(endpoint)
            self.environment["REDSHIFT_PASSWORD"] = now["password"]
            handed = for_aws.fileno()
            aws = self._child("aws", ["--listener", str(handed), *self._throttled], handed)
            stop.callback(aws.stop)
            handed, database = for_redshift.fileno(), str(self.directory / "redshift")
            there = ["--listener", str(handed), "--directory", database]
            redshift = self._child("redshift", there, handed)
            stop.callback(redshift.stop)
        self._children = [aws, redshift]
        now["opensearch"] = self._started_opensearch(stop) or last["opensearch"]
        aws.ready()
        warehouse = redshift.ready()
        self.properties = _properties(endpoint, warehouse)
        self.properties["openSearchURL"] = f"http://{HOST}:{now['opensearch']}"
        _write(self.directory / "environment", UNSET + exports(self.environment))
        _write(self.directory / "psql", _psql(warehouse), 0o700)
        _lead_anew(self.directory / "properties", last, now)
        _write(self.directory / _REMEMBERED, json.dumps(now))

    def _started_opensearch(self, stop: ExitStack) -> int | None:
        """Start it, if it is asked for; return its port."""
        if not self._opensearch:
            return None
        from record_processors.local.opensearch import server  # noqa: PLC0415 - for who asks for it

        child = server.start(self.directory / "opensearch", self.process_environment())
        stop.callback(child.stop)
        self._children.append(child)
        return int(server.address(child).rpartition(":")[2])

    def _child(self, module: str, arguments: list[str], *hand_down: int) -> Child:
        return Child.start(
            f"the stand-in {module}",
            [sys.executable, "-m", f"record_processors.local.{module}", *arguments],
            self.process_environment(),
            self.directory / "logs" / f"{module}.log",
            hand_down=hand_down,
        )


def _remembered(directory: Path) -> dict[str, Any]:
    """Return the ports and the password of the last start; 0 and "" if there was none."""
    try:
        found: dict[str, Any] = json.loads((directory / _REMEMBERED).read_text())
    except (FileNotFoundError, ValueError):  # the first start, or one that was cut off
        found = {}
    return {"aws": 0, "redshift": 0, "opensearch": _USUAL_PORT, "password": "", **found}


def _lead_anew(folder: Path, last: dict[str, Any], now: dict[str, Any]) -> None:
    """Change the stand-ins' addresses, and nothing else, in files that were written before."""
    moved = {f"{HOST}:{last[name]}": f"{HOST}:{now[name]}" for name in _MOVING}
    pattern = "|".join(rf"{re.escape(address)}(?!\d)" for address in moved)
    for path in folder.glob("*.properties") if any(a != b for a, b in moved.items()) else ():
        text = path.read_text("latin-1")
        path.write_text(re.sub(pattern, lambda found: moved[found[0]], text), "latin-1")


def foreground(directory: Path, port: int | None = None, *, opensearch: bool = False) -> int:
    """Run the stand-ins until SIGINT or SIGTERM, after printing how to use them.

    Gives the exit code. Raises `ChildError` if one does not start or ends by itself, `HostError`
    and `FolderError` for what is found before they start.
    """
    shipped_files(str(directory / "properties"))  # a directory that they cannot name is told now
    ended = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        ended.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    with held(directory), Stack(directory, port, opensearch=opensearch) as stack:
        print(_manual(stack, _pipelines(stack)), flush=True)
        while not ended.wait(_SECONDS_BETWEEN_LOOKS):
            stack.check()
    return 0


def exports(environment: dict[str, str]) -> str:
    """Write variables as lines for a shell: `export NAME='value'`."""
    return "".join(f"export {name}={_quoted(value)}\n" for name, value in environment.items())


def _quoted(value: str) -> str:
    plain = shlex.quote(value)
    return plain if plain.startswith("'") else f"'{value}'"


def aws_environment(endpoint: str) -> dict[str, str]:
    """Give the variables with which a process, Python or Java, uses AWS' stand-in."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": _REGION,
        "AWS_DEFAULT_REGION": _REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": f"{HOST},localhost",
        "no_proxy": f"{HOST},localhost",
        "JAVA_TOOL_OPTIONS": _JVM,
    }


def _properties(endpoint: str, database: dict[str, Any]) -> dict[str, str]:
    return {
        "regionName": _REGION,
        "kinesisEndpoint": endpoint,
        "dynamoDBEndpoint": endpoint,
        "s3Endpoint": endpoint,
        "metricsLevel": "NONE",
        "retrievalMode": "POLLING",
        "redshiftURL": "{host}:{port}/{database}".format(**database),
        "redshiftUsername": database["user"],
        "redshiftSSLMode": "disable",
    }


def _pipelines(stack: Stack) -> list[str]:
    """Write the shipped files that are not there yet, pointed at these stand-ins."""
    folder = stack.directory / "properties"
    paths = [folder / name for name in shipped_files(str(folder))]
    for path in paths:
        if not path.exists():
            write_pipeline(path.stem, folder, SOON, stack.properties)
    return [str(path) for path in paths]


def _manual(stack: Stack, pipelines: list[str]) -> str:
    lines = {**stack.properties, **QUICK}
    properties = "".join(f"{key} = {value}\n" for key, value in lines.items())
    return (
        f"The stand-ins are running, and all are empty. Ctrl-C ends them, and what they hold is\n"
        f"gone then, Redshift's tables too; their addresses and your files stay.\n"
        f"\n# For a shell (also in {stack.directory / 'environment'}):\n"
        f"{UNSET}{exports(stack.environment)}"
        f"\n# In a pipeline's .properties file these keys have these values (Redshift's in\n"
        f"# stage two only):\n{properties}"
        f"\n# The shipped files, with these values, yours to edit: {' '.join(pipelines)}\n"
        f"\n# Redshift's tables: {stack.directory / 'psql'} -c 'SELECT ...'\n"
    )


def _psql(database: dict[str, Any]) -> str:
    """Write the script that opens the stand-in for Redshift with the psql of the wheel."""
    where = {
        "PGHOST": str(database["host"]),
        "PGPORT": str(database["port"]),
        "PGDATABASE": str(database["database"]),
        "PGUSER": str(database["user"]),
        "PGPASSWORD": str(database["password"]),
    }
    return f'#!/bin/sh\n{exports(where)}exec {shlex.quote(binary("psql"))} "$@"\n'


def _write(path: Path, text: str, mode: int = 0o600) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
