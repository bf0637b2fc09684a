"""A TCP proxy before Redshift that knows statements, and does to some what networks do.

Each fault is for the next statement that begins like it, as on the HTTP proxy. ``cut``: it does not
get through. ``cut-after``: its answer is lost. ``late``: the client is cut off, and the statement
arrives when another connection asks for the ledger or its lock, or at once if one is waiting::

    wire.faults.append(Fault(COMMIT, "cut-after"))
"""

import socket
import struct
import threading
from collections import deque
from contextlib import suppress

from support.fault_proxy import Fault, Faults, cut

COMMIT = "COMMIT of a load"  # there are others, of nothing
# What waits for another's lock: of a rehearsal, the look into the ledger comes without a LOCK.
ASKING = ("LOCK", 'SELECT "file"')


class Wire(Faults):
    """Passes connections on to ``address``."""

    def __init__(self, address):
        super().__init__()
        self.address = address
        self.late = deque()  # what arrives at the next LOCK
        self.statements = []  # that were sent
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = "{}:{}".format(*self._listener.getsockname())
        self._connections = []
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    def close(self):
        self.release()
        cut(self._listener)  # which ends the wait for a client; closing it alone does not
        self._acceptor.join()
        self._listener.close()
        for connection in self._connections:
            connection.close()

    def deliver_late(self):
        """Let late statements arrive, if anybody asks for the lock: it may be theirs until then."""
        while any(connection.asks for connection in self._connections) and self._deliver():
            pass

    def deliver_all(self):
        """Let late statements arrive that nobody has waited for."""
        while self._deliver():
            pass

    def _deliver(self):
        try:
            server, frame = self.late.popleft()
        except IndexError:
            return False
        with suppress(OSError):
            server.sendall(frame)
        return True

    def _accept(self):
        with suppress(OSError):
            while True:
                client, address = self._listener.accept()
                self._connections.append(_Connection(self, client, address))


class _Connection:
    def __init__(self, wire, client, address):
        self.wire, self.client, self.address = wire, client, address
        self.server = socket.create_connection(wire.address)
        for end in (client, self.server):  # else small frames wait 40 ms for each other
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        self.loads = self.is_late = False
        self.asks = False  # for the lock, and has no answer yet
        self.after = None  # the fault that waits for an answer
        self.ways = [
            threading.Thread(target=self.run, args=(way, end), daemon=True)
            for way, end in ((self.requests, self.hang_up), (self.answers, self.cut))
        ]
        for way in self.ways:
            way.start()

    def run(self, way, end):
        with suppress(OSError):
            way()
        self.asks = False
        end()

    def hang_up(self):
        """End the connection, but for a statement that is still to arrive on it."""
        cut(self.client)
        if not self.is_late:
            cut(self.server)

    def cut(self):
        cut(self.client)
        cut(self.server)

    def close(self):
        self.cut()
        for way in self.ways:
            way.join()
        self.client.close()
        self.server.close()

    def requests(self):
        for frame in frames(self.client, begun=False):
            statement = self.statement(frame)
            fault = self.wire.fault(statement) or Fault(statement, "")
            if fault.is_after:
                self.after = fault
            else:
                fault.happen(self.address)
            if fault.kind == "late":
                self.is_late = True
                cut(self.client)  # first: an answer would be heard, and the transaction stay open
                self.wire.late.append((self.server, frame))
                self.wire.deliver_late()
            if fault.kind in {"cut", "late"}:
                break
            self.asks = statement.startswith(ASKING)
            self.server.sendall(frame)
            self.wire.deliver_late()

    def answers(self):
        answer = b""
        for frame in frames(self.server):
            answer += frame
            if frame[:1] == b"Z":
                self.asks = False
            if self.after:
                if frame[:1] != b"Z":  # ready for the next query: this one is done
                    continue
                self.after.happen(self.address)
                if self.after.kind == "cut-after":
                    break
                self.after = None
            self.client.sendall(answer)
            answer = b""

    def statement(self, frame):
        """Return the words of a simple query, "" of anything else."""
        if frame[:1] != b"Q":
            return ""
        words = frame[5:-1].decode().strip()
        self.wire.statements.append(words)
        if words == "COMMIT":
            return COMMIT if self.loads else words
        self.loads = words.startswith("INSERT") or (self.loads and not words.startswith("BEGIN"))
        return words


def frames(source, begun=True):
    """Read PostgreSQL's messages whole; a client's first has no letter."""
    buffer = b""
    while data := source.recv(1 << 16):
        buffer += data
        while (size := _size(buffer, begun)) and len(buffer) >= size:
            yield buffer[:size]
            buffer, begun = buffer[size:], True


def _size(buffer, begun):
    head = int(begun)
    return head + struct.unpack_from("!I", buffer, head)[0] if len(buffer) >= head + 4 else 0
