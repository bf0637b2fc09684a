"""Agents that metrics are sent to: a UDP socket, and strict readers of the public formats."""

import json
import re
import socket
from typing import NamedTuple

import jsonschema

MOST_BYTES = 1400  # that pass the usual networks in one piece

# docs.datadoghq.com/extend/dogstatsd/datagram_shell; values as Telegraf reads them in counters.
LINE = re.compile(
    r"(?P<name>[a-zA-Z][\w.]*):(?P<value>[0-9]+)\|(?P<kind>c|g|ms)(\|@(?P<rate>0\.[0-9]+))?"
    r"\|#(?P<tags>[a-z]+:[\w./-]+(,[a-z]+:[\w./-]+)*)",
    re.ASCII,
)

# docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/
# CloudWatch_Embedded_Metric_Format_Specification.html, and LogGroupName of the agent's page.
NAME = {"type": "string", "minLength": 1, "maxLength": 255}
EMF = {
    "type": "object",
    "required": ["_aws"],
    "properties": {
        "_aws": {
            "type": "object",
            "required": ["Timestamp", "CloudWatchMetrics", "LogGroupName"],
            "additionalProperties": False,
            "properties": {
                "Timestamp": {"type": "integer", "minimum": 10**12},
                "LogGroupName": {"type": "string", "pattern": r"^[\w./#-]{1,512}$"},
                "CloudWatchMetrics": {
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "type": "object",
                        "required": ["Namespace", "Dimensions", "Metrics"],
                        "additionalProperties": False,
                        "properties": {
                            "Namespace": NAME,
                            "Dimensions": {
                                "type": "array",
                                "minItems": 1,
                                "items": {
                                    "type": "array",
                                    "minItems": 1,
                                    "maxItems": 30,
                                    "items": NAME,
                                },
                            },
                            "Metrics": {
                                "type": "array",
                                "minItems": 1,
                                "maxItems": 100,
                                "items": {
                                    "type": "object",
                                    "required": ["Name"],
                                    "additionalProperties": False,
                                    "properties": {
                                        "Name": NAME,
                                        "Unit": {"enum": ["Count", "Bytes", "Milliseconds"]},
                                    },
                                },
                            },
                        },
                    },
                },
            },
        },
    },
}
TARGET = {
    "anyOf": [
        {"type": "number"},
        {"type": "array", "items": {"type": "number"}, "minItems": 1, "maxItems": 100},
    ]
}


class Point(NamedTuple):
    """One metric as an agent understands it."""

    name: str
    values: list
    tags: dict
    kind: str = ""
    rate: float = 1.0


class Listener:
    """Listens on a port of its own."""

    def __init__(self, family=socket.AF_INET):
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        self.socket.settimeout(30)
        self.port = self.socket.getsockname()[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def wait(self):
        """Return the next datagram, once it is there."""
        return self.socket.recv(65_536)

    def received(self):
        """Return the datagrams that are there."""
        self.socket.setblocking(False)
        found = []
        try:
            while True:
                found.append(self.wait())
        except BlockingIOError:
            self.socket.settimeout(30)
            return found


def read_statsd(datagram):
    """Return the points of a datagram of lines; complain of whatever is not in the format."""
    assert 0 < len(datagram) <= MOST_BYTES
    for line in datagram.decode("ascii").split("\n"):
        found = LINE.fullmatch(line)
        assert found, line
        tags = dict(tag.split(":") for tag in found["tags"].split(","))
        yield Point(
            found["name"], [int(found["value"])], tags, found["kind"], float(found["rate"] or 1)
        )


def read_emf(datagram):
    """Return the points of a document; complain of whatever is not in the format."""
    assert 0 < len(datagram) <= MOST_BYTES
    document = json.loads(datagram)
    jsonschema.validate(document, EMF)
    (directive,) = document["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "KinesisConnectors"
    names = {name for dimensions in directive["Dimensions"] for name in dimensions}
    metrics = {metric["Name"]: metric["Unit"] for metric in directive["Metrics"]}
    assert len(metrics) == len(directive["Metrics"])
    assert set(document) == {"_aws", *names, *metrics}
    tags = {name: document[name] for name in names}
    assert all(isinstance(value, str) and 0 < len(value) <= 1024 for value in tags.values())
    for name, unit in metrics.items():
        jsonschema.validate(document[name], TARGET)
        value = document[name]
        yield Point(name, value if isinstance(value, list) else [value], tags, unit)


def totals(points):
    """Add up what was counted, by name and the tag that is the metric's own."""
    found = {}
    for point in points:
        own = [value for tag, value in point.tags.items() if tag not in {"application", "shard"}]
        key = " ".join([point.name.removeprefix("kinesis_connectors."), *own])
        found[key] = found.get(key, 0) + sum(point.values)
    return found
