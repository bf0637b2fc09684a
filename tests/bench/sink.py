"""A service that says yes, after as long as a near one takes: of what a child costs, its own."""

import asyncio
import http.client
import json
import threading
from collections import Counter
from urllib.parse import urlsplit

SECONDS = 0.005  # from a request to its answer

# What it answers itself, by the end of X-Amz-Target or of the path; all else is the stand-in's.
ANSWERS = {
    "PutRecords": lambda body: {
        "FailedRecordCount": 0,
        "Records": [
            {"SequenceNumber": str(FIRST + n), "ShardId": "shardId-000000000000"}
            for n in range(body.count(b'"PartitionKey"'))
        ],
    },
    "PutItem": lambda _: {},
    "BatchWriteItem": lambda _: {"UnprocessedItems": {}},
    "_bulk": lambda body: {"items": [{"create": {"status": 201}}] * (body.count(b"\n") // 2)},
    "index": lambda _: {"index": {"settings": {"index": {"uuid": "of the bench"}}}},
}
FIRST = 49590338271490256608559692538361925221059304674498969602


class Sink:
    """Counts its ``calls``; what it has no answer to goes on to ``upstream``."""

    def __init__(self, upstream):
        self.upstream = urlsplit(upstream)
        self.calls = Counter()
        self.loop = asyncio.new_event_loop()
        server = self.loop.run_until_complete(
            self.loop.create_server(lambda: _Connection(self), "127.0.0.1", 0)
        )
        self.endpoint = "http://{}:{}".format(*server.sockets[0].getsockname())
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def close(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    def answer(self, method, path, headers, body):
        """Return status and body."""
        name = headers.get("x-amz-target", path.partition("?")[0]).rpartition(".")[2]
        name = name.rpartition("/")[2]
        self.calls[name] += 1
        if make := ANSWERS.get(name):
            return 200, json.dumps(make(body)).encode()
        stand_in = http.client.HTTPConnection(self.upstream.netloc, timeout=30)
        stand_in.request(method, path, body, {**headers, "connection": "close"})
        answer = stand_in.getresponse()
        return answer.status, answer.read()


class _Connection(asyncio.Protocol):
    def __init__(self, sink):
        self.sink = sink
        self.heard = bytearray()

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.heard += data
        head, end, _ = self.heard.partition(b"\r\n\r\n")
        if not end:
            return
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (one.partition(": ") for one in lines)}
        size = len(head) + len(end) + int(headers.get("content-length", 0))
        if len(self.heard) < size:
            return
        body = bytes(self.heard[len(head) + len(end) :])
        self.heard.clear()  # nobody sends the next one before the answer
        method, path, _ = first.split(" ")
        status, said = self.sink.answer(method, path, headers, body)
        reply = b"HTTP/1.1 %d -\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
        self.sink.loop.call_later(SECONDS, self.transport.write, reply % (status, len(said), said))
