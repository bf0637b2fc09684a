"""All stand-ins on this machine, started together and ended together.

`with Stack(directory) as stack:` starts the stand-ins for AWS and for Redshift; `stack.environment`
and `stack.properties` are what a pipeline needs to use them instead of the real ones.
"""

import os
import shlex
import signal
import socket
import sys
import threading
from contextlib import ExitStack
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from record_processors.local.children import Child
from record_processors.local.demo.pipelines import SHIPPED, write_pipeline
from record_processors.local.leases import QUICK

_HOST = "127.0.0.1"
_REGION = "us-east-1"
_SECONDS_BETWEEN_LOOKS = 1.0
# moto speaks no CBOR. The rest is for two daemons on two cores: the quick compiler only, the
# collector without threads, a heap that holds what KCL fetches ahead of four shards.
_JVM = "-Daws.cborEnabled=false -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xmx256m"


# Of a shell's own settings, what could lead a client to an AWS account all the same.
UNSET = "unset AWS_PROFILE AWS_SESSION_TOKEN\n"


class Stack:
    """The stand-ins of one directory; `directory/logs` has what they say.

    `environment` are the variables to set and `properties` the keys of a pipeline's .properties
    file; both are empty until the stack is entered. Entering raises `ChildError` if a stand-in
    does not start. Enter it in the main thread.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
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
        # The socket is ours, so that Redshift's stand-in can be told the address at once.
        with socket.create_server((_HOST, 0), backlog=100) as listener:
            endpoint = "http://{}:{}".format(*listener.getsockname())
            self.environment = aws_environment(endpoint)
            handed = listener.fileno()
            aws = self._child("aws", ["--listener", str(handed)], handed)
            stop.callback(aws.stop)
        redshift = self._child("redshift", ["--directory", str(self.directory / "redshift")])
        stop.callback(redshift.stop)
        self._children = [aws, redshift]
        aws.ready()
        database = redshift.ready()
        self.environment["REDSHIFT_PASSWORD"] = database["password"]
        self.properties = _properties(endpoint, database)
        _write(self.directory / "environment", UNSET + exports(self.environment))

    def _child(self, module: str, arguments: list[str], *hand_down: int) -> Child:
        return Child.start(
            f"the stand-in {module}",
            [sys.executable, "-m", f"record_processors.local.{module}", *arguments],
            self.process_environment(),
            self.directory / "logs" / f"{module}.log",
            hand_down=hand_down,
        )


def foreground(directory: Path) -> int:
    """Run the stand-ins until SIGINT or SIGTERM, after printing how to use them.

    Gives the exit code. Raises `ChildError` if one does not start or ends by itself.
    """
    ended = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        ended.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    with Stack(directory) as stack:
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
        "NO_PROXY": f"{_HOST},localhost",
        "no_proxy": f"{_HOST},localhost",
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
    """Point the shipped files, if we are where they are, at these stand-ins."""
    folder = stack.directory / "properties"
    names = [path.stem for path in sorted(SHIPPED.glob("*.properties"))]
    return [write_pipeline(name, folder, {}, stack.properties).path for name in names]


def _manual(stack: Stack, pipelines: list[str]) -> str:
    lines = {**stack.properties, **QUICK}
    properties = "".join(f"{key} = {value}\n" for key, value in lines.items())
    return (
        f"The stand-ins are running; Ctrl-C ends them, and all that they hold is gone then.\n"
        f"\n# For a shell (also in {stack.directory / 'environment'}):\n"
        f"{UNSET}{exports(stack.environment)}"
        f"\n# In a pipeline's .properties file these keys have these values (Redshift's in\n"
        f"# stage two only):\n{properties}"
        f"\n# The shipped files, with these values: {' '.join(pipelines) or 'not here'}\n"
    )


def _write(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
