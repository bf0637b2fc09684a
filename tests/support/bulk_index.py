"""OpenSearch's ``_bulk`` as a destination knows it, in this process, where its jars are too dear.

Documents by their names, of a few fields of the protocol: ``create``, ``index`` with an external
version, conflicts, and a mapping that refuses an ``id`` that is no number.
"""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

REFUSED = {"type": "mapper_parsing_exception", "reason": "failed to parse field [id]"}


class BulkIndex:
    """One index; ``strict`` says whether its mapping wants a number."""

    def __init__(self):
        self.documents = {}
        self.versions = {}
        self.strict = True
        here = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                lines = self.rfile.read(int(self.headers["content-length"])).splitlines()
                items = [here.take(*pair) for pair in zip(lines[::2], lines[1::2], strict=True)]
                body = json.dumps({"items": items}).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def take(self, action, row):
        ((verb, about),) = json.loads(action).items()
        name, document = about["_id"], json.loads(row)
        version = about.get("version", 0)
        if self.strict and not isinstance(document.get("id"), int):
            return {verb: {"status": 400, "error": REFUSED}}
        is_there = name in self.documents
        if is_there and (verb == "create" or version < self.versions[name]):
            return {verb: {"status": 409, "error": {"type": "version_conflict_engine_exception"}}}
        self.documents[name], self.versions[name] = document, version
        return {verb: {"status": 200 if is_there else 201}}

    def close(self):
        self._server.shutdown()
        self._server.server_close()
