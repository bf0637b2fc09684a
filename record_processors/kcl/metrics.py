"""Sends the metrics of a child to an agent: datagrams, for which nothing ever waits."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Mapping

from ..config.agent import Agent
from ..flow.metrics import METRICS_LOST
from .metric_formats import FORMATS, taken

log = logging.getLogger(__name__)

SECONDS_BETWEEN = 10.0
# After a failure, the agent's name is looked up again, but not more often: DNS may take long.
SECONDS_BETWEEN_LOOKUPS = 300.0


class Sender:
    """Sends what was gathered, at most once in ten seconds.

    An agent that is not there is logged once; each datagram that this host knows to be lost counts.
    """

    def __init__(self, agent: Agent, tags: Mapping[str, str]) -> None:
        self.agent = agent
        self.tags = tags
        self.format = FORMATS[agent.protocol]
        self._sent_at = time.monotonic()
        self._looked_up_at = float("-inf")
        self._is_told = False
        self._socket: socket.socket | None = None
        self._connect()

    def beat(self) -> None:
        """Send if it is time."""
        if time.monotonic() - self._sent_at >= SECONDS_BETWEEN:
            self.send()

    def send(self) -> None:
        """Send what has come since the last time."""
        self._sent_at = time.monotonic()
        for datagram in self.format(taken(), self.tags, time.time()):
            if self._sends(datagram):
                continue
            METRICS_LOST.add()
            if self._sent_at - self._looked_up_at >= SECONDS_BETWEEN_LOOKUPS:
                self._connect()

    def close(self) -> None:
        """Send the rest."""
        self.send()
        self._hang_up()

    def _sends(self, datagram: bytes) -> bool:
        if self._socket is None:
            return False
        try:
            self._socket.send(datagram)
        except OSError as error:
            self._tell(error)
            return False
        return True

    def _tell(self, error: OSError) -> None:
        if self._is_told:
            return
        self._is_told = True
        protocol, host, port = self.agent
        log.warning(
            "metrics = %s://%s:%d: metrics are lost, and nothing else: %s",
            *(protocol, f"[{host}]" if ":" in host else host, port, error.strerror or error),
        )

    def _connect(self) -> None:
        """Look the agent up. A connected socket is told when nobody listens there."""
        self._looked_up_at = time.monotonic()
        try:
            found = socket.getaddrinfo(self.agent.host, self.agent.port, type=socket.SOCK_DGRAM)
            # Of a name with both, as localhost, IPv4: agents listen there, if not on both.
            found.sort(key=lambda one: one[0] != socket.AF_INET)
            family, kind, protocol, _, address = found[0]
            self._hang_up()
            self._socket = socket.socket(family, kind, protocol)
            self._socket.setblocking(False)
            self._socket.connect(address)
        except OSError as error:
            self._hang_up()
            self._tell(error)

    def _hang_up(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None
