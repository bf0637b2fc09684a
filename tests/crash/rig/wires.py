"""What stands between the processes and the stand-ins, and the steps of the protocol on it.

Every effect of the protocol crosses a wire, so a step is a request. A fault at it comes before the
request is passed on, or after it had its effect and before its answer is given.
"""

from typing import NamedTuple

import psutil

from record_processors.destinations.redshift.settings import REDSHIFT_URL
from support.fault_proxy import Fault, Proxy
from support.redshift_wire import COMMIT, Wire

STEPS = {
    "one": ("look", "dead letter", "file", "announcement", "checkpoint"),
    "two": (
        *("lock", "ledger", "manifest", "copy", "insert", "commit"),
        *("blame", "repair", "dead letter", "checkpoint"),
    ),
}
# What must be put for a step to come: all others do by themselves.
NEEDS = {
    ("two", "blame"): "poison",
    ("two", "repair"): "poison",
    ("two", "dead letter"): "junk",
}
STATEMENTS = {
    "lock": "LOCK",
    "ledger": 'SELECT "file"',
    "copy": "COPY",
    "insert": "INSERT",
    "blame": "SELECT trim(file_name)",  # whose fault it is that a COPY failed
    "commit": COMMIT,
}
# Whose a step is that is no file's.
SERVICES = {
    "announcement": "Kinesis",
    "rows": "Kinesis",
    "item": "DynamoDB",
    "documents": "OpenSearch",
}


class Place(NamedTuple):
    """Where a step is seen: a wire, and how the request begins, and what it holds."""

    wire: object
    request: str
    body: bytes = b""


class Wires:
    """One HTTP proxy for each stage, and one before Redshift."""

    def __init__(self, stack, name):
        self.name = name
        upstream = stack.properties["kinesisEndpoint"]
        self.http = {stage: Proxy(upstream, []) for stage in STEPS}
        address, _, self.database = stack.properties[REDSHIFT_URL.key].partition("/")
        host, _, port = address.partition(":")
        self.redshift = Wire((host, int(port)))

    def properties(self, stage):
        """Return the keys that lead a pipeline through the wires."""
        endpoint = self.http[stage].endpoint
        keys = {f"{service}Endpoint": endpoint for service in ("kinesis", "dynamoDB", "s3")}
        if stage == "two":
            keys[REDSHIFT_URL.key] = f"{self.redshift.url}/{self.database}"
        return keys

    def place(self, stage, step):
        """Say where a step is seen."""
        if step in STATEMENTS:
            return Place(self.redshift, STATEMENTS[step])
        bucket, application = f"/{self.name}-bucket", f"{self.name}-{stage}"
        request = {
            "look": f"GET {bucket}",
            "file": f"PUT {bucket}/{application}/",
            "manifest": f"PUT {bucket}/{application}/manifests/",
            "repair": f"PUT {bucket}/{application}/repaired/",
            "dead letter": f"PUT {bucket}/errors/{application}/",
            "announcement": "POST /PutRecord",
            "checkpoint": "POST /UpdateItem",  # the JVM's, among its renewals of the lease
        }[step]
        body = b'"checkpoint"' if step == "checkpoint" else b""
        return Place(self.http[stage], request, body)

    def close(self):
        for wire in (*self.http.values(), self.redshift):
            wire.close()

    @property
    def refused(self):
        """Return how many conditional writes lost."""
        return sum(proxy.statuses[412] for proxy in self.http.values())


def arm(place, kind, strike=lambda _: None):
    """Let a fault of that kind happen at the place."""
    fault = Fault(place.request, kind, body=place.body, strike=strike)
    place.wire.faults.append(fault)
    return fault


def disarm(place, fault):
    """Take back a fault, if it has not happened; tell whether it has."""
    happened = fault not in place.wire.faults
    if not happened:
        place.wire.faults.remove(fault)
    fault.released.set()
    return happened


def pid_at(address):
    """Return the id of the process whose end of a connection has that address, if it lives."""
    _, port = address  # the host may be written as IPv6: a JVM's is
    ends = psutil.net_connections("tcp")
    return next((end.pid for end in ends if end.laddr and end.laddr.port == port and end.pid), None)
