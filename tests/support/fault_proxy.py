"""An HTTP proxy that passes requests on to a stand-in for AWS, and does to some what networks do.

Each fault is for the next request that matches it::

    proxy.faults.append(Fault("PUT /bucket/", "cut-after"))
"""

import base64
import http.client
import json
import socket
import sys
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

OF_THE_HOP = {"connection", "expect"}
UNAVAILABLE = (503, [("Content-Type", "text/plain")], b"")


HTTP_2 = b"PRI "  # how a client with prior knowledge of it begins


@dataclass
class Fault:
    """What happens to requests that begin with ``request`` and hold ``body``.

    ``503`` and ``cut``: it does not get through. ``503-after`` and ``cut-after``: it does, and its
    answer is lost. ``damage``: it gets through with one byte another. ``hold``: it waits for
    ``released``; then 503. ``delay`` and ``delay-after``: it or its answer waits for ``released``,
    then goes its way. ``late``: the client is cut off, and the request gets through once
    ``released``. ``said`` may be another answer than 503.

    When it happens, ``strike`` is called with the client's address, then ``arrived`` is set.
    """

    request: str
    kind: str
    always: bool = False
    body: bytes = b""
    said: tuple[int, list[tuple[str, str]], bytes] = field(default_factory=lambda: UNAVAILABLE)
    strike: Callable[[tuple[str, int]], object] = lambda _: None
    arrived: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def is_after(self):
        """Whether the request has its effect first."""
        return self.kind.endswith("-after")

    def happen(self, client):
        self.strike(client)
        self.arrived.set()
        if self.kind.startswith("delay") or self.kind == "hold":
            self.released.wait()


class Faults:
    """Those that are still to happen, on one wire."""

    def __init__(self):
        self.faults = []
        self._lock = threading.Lock()

    def fault(self, request, body=b""):
        """Take the one that this request meets."""
        with self._lock:
            matching = (f for f in self.faults if request.startswith(f.request) and f.body in body)
            found = next(matching, None)
            if found and not found.always:
                self.faults.remove(found)
            return found

    def release(self):
        for fault in self.faults:
            fault.released.set()


class Proxy(Faults):
    """Notes every write that got through in ``effects``, before it is answered."""

    def __init__(self, upstream, effects):
        super().__init__()
        self.upstream = urlsplit(upstream)
        self.effects = effects
        self.requests = []
        self.statuses = Counter()
        handler = type("Handler", (_Handler,), {"proxy": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self):
        self.release()
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):  # the client was killed
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle(self):
        if self.connection.recv(len(HTTP_2), socket.MSG_PEEK) == HTTP_2:
            self.tunnel()
        else:
            super().handle()

    def tunnel(self):
        """Carry HTTP/2, which is the JVM's way to Kinesis, as it is."""
        upstream = socket.create_connection(
            (self.proxy.upstream.hostname, self.proxy.upstream.port)
        )
        back = threading.Thread(target=carry, args=(upstream, self.connection), daemon=True)
        back.start()
        carry(self.connection, upstream)
        back.join()
        upstream.close()

    def log_message(self, *_):
        """Say nothing: a stand-in that is slow, say, is no finding, and its client tries again."""

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        target = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        request = f"{self.command} {unquote(urlsplit(self.path).path)}{target}"
        self.proxy.requests.append(request)
        fault = self.proxy.fault(request, body) or Fault(request, "")
        what = fault.kind.removesuffix("-after")
        if not fault.is_after:
            fault.happen(self.client_address)
        if what == "late":
            cut(self.connection)
            fault.released.wait()
        if what == "damage":
            body = bytes([body[0] ^ 1]) + body[1:]
        if fault.is_after or what in {"", "damage", "delay", "late"}:
            answer = self.pass_on(body)
            self.proxy.statuses[answer[0]] += 1
            self.note(request, answer[0], body)
        if fault.is_after:
            fault.happen(self.client_address)
        if what in {"cut", "late"}:
            self.close_connection = True
            return
        self.reply(*(answer if what in {"", "damage", "delay"} else fault.said))

    def pass_on(self, body):
        upstream = http.client.HTTPConnection(self.proxy.upstream.netloc, timeout=30)
        try:
            headers = {k: v for k, v in self.headers.items() if k.lower() not in OF_THE_HOP}
            headers["Connection"] = "close"  # else hypercorn keeps its end of it for a day
            upstream.request(self.command, self.path, body, headers)
            answer = upstream.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            upstream.close()

    def note(self, request, status, body):
        method, _, path = request.partition(" ")
        if status != 200:
            return
        if path == "/PutRecord":
            message = json.loads(base64.b64decode(json.loads(body)["Data"]))
            self.proxy.effects.append(("announce", message["key"]))
        elif method != "HEAD" and path.count("/") > 1:  # nor is a listing of a bucket an effect
            self.proxy.effects.append((method.lower(), path.split("/", 2)[-1]))

    def reply(self, status, headers, body):
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in {"connection", "content-length", "transfer-encoding"}:
                self.send_header(name, value)
        lengths = (value for name, value in headers if name.lower() == "content-length")
        length = next(lengths, None) if self.command == "HEAD" else None
        self.send_header("Content-Length", length or str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = answer  # noqa: N815 - names of http.server


def carry(source, sink):
    """Copy bytes from one socket to the other until it ends, and pass the end on."""
    with suppress(OSError):
        while data := source.recv(1 << 16):
            sink.sendall(data)
    cut(sink, socket.SHUT_WR)


def cut(one, how=socket.SHUT_RDWR):
    with suppress(OSError):
        one.shutdown(how)
