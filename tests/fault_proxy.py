"""An HTTP proxy that passes requests on to a stand-in for AWS, and does to some what networks do.

Each fault is for the next request that matches it::

    proxy.faults.append(Fault("PUT /bucket/", "cut-after"))
"""

import base64
import http.client
import json
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

UNAVAILABLE = (503, [("Content-Type", "text/plain")], b"")


@dataclass
class Fault:
    """What happens to requests that begin with ``request``.

    ``503`` and ``cut``: it does not get through. ``503-after`` and ``cut-after``: it does, and its
    answer is lost. ``hold``: ``arrived`` is set, and it waits for ``released``; then 503.
    """

    request: str
    kind: str
    always: bool = False
    arrived: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)


class Proxy:
    """Notes every write that got through in ``effects``, before it is answered."""

    def __init__(self, upstream, effects):
        self.upstream = urlsplit(upstream)
        self.effects = effects
        self.faults = []
        self.requests = []
        handler = type("Handler", (_Handler,), {"proxy": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self):
        for fault in self.faults:
            fault.released.set()
        self._server.shutdown()
        self._server.server_close()

    def fault(self, request):
        found = next((f for f in self.faults if request.startswith(f.request)), None)
        if found and not found.always:
            self.faults.remove(found)
        return found


class _Server(ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):  # the client was killed
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        target = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        request = f"{self.command} {unquote(urlsplit(self.path).path)}{target}"
        self.proxy.requests.append(request)
        fault = self.proxy.fault(request)
        kind = fault.kind if fault else ""
        if kind == "hold":
            fault.arrived.set()
            fault.released.wait()
        if kind in {"", "503-after", "cut-after"}:
            answer = self.pass_on(body)
            self.note(request, answer[0], body)
        if kind.startswith("cut"):
            self.close_connection = True
            return
        self.reply(*(UNAVAILABLE if kind else answer))

    def pass_on(self, body):
        upstream = http.client.HTTPConnection(self.proxy.upstream.netloc, timeout=30)
        try:
            headers = {k: v for k, v in self.headers.items() if k.lower() != "expect"}
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
        elif method != "HEAD":
            self.proxy.effects.append((method.lower(), path.split("/", 2)[-1]))

    def reply(self, status, headers, body):
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in {"connection", "content-length", "transfer-encoding"}:
                self.send_header(name, value)
        length = dict(headers).get("Content-Length") if self.command == "HEAD" else None
        self.send_header("Content-Length", length or str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = answer  # noqa: N815 - names of http.server
