"""Kinesis, DynamoDB, S3 and what else moto has of AWS, in one process on 127.0.0.1.

`python -m record_processors.local.aws [--port PORT]` prints `{"endpoint": "http://127.0.0.1:N"}`
on one line once it answers, and ends on SIGTERM, SIGINT, or when the process that started it is
gone. All state is in memory and new at each start. Any credentials do.

moto's own server lacks HTTP/2 with prior knowledge, on which KCL's Kinesis client insists, so
hypercorn serves it. Every call runs to its end on the one thread of the event loop: moto checks
and then writes without a lock, and a conditional write must have one winner, as on AWS.
"""

import argparse
import asyncio
import io
import json
import logging
import os
import signal
import socket
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

# moto reads its settings when it is imported: no CORS, for no browser calls, and nobody else's.
for _name in [name for name in os.environ if name.startswith("MOTO_")]:
    del os.environ[_name]
os.environ["MOTO_DISABLE_GLOBAL_CORS"] = "true"

import msgspec  # noqa: E402 - after moto's settings
from hypercorn.asyncio import serve  # noqa: E402
from hypercorn.config import Config  # noqa: E402
from moto.moto_server.werkzeug_app import (  # noqa: E402
    DomainDispatcherApplication,
    create_backend_app,
)

from record_processors.local import cbor, kinesis_calls, kinesis_model, s3_checksums  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flask import Flask
    from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, HTTPScope, Scope
    from moto.backends import SERVICE_NAMES

_log = logging.getLogger("record_processors.local.aws")
_SECONDS_BETWEEN_LOOKS_FOR_PARENT = 1.0

Answer = tuple[int, list[tuple[str, str]], bytes]


class Application:
    """The ASGI application: two Kinesis calls on a short way, every other one through moto."""

    def __init__(self, *, throttled: bool = False) -> None:
        kinesis_model.install(throttled=throttled)
        self.moto = DomainDispatcherApplication(_backend)

    async def __call__(
        self, scope: "Scope", receive: "ASGIReceiveCallable", send: "ASGISendCallable"
    ) -> None:
        """Answer one request; a fault of moto's becomes an error in AWS' shape."""
        if scope["type"] != "http":
            return
        body = await _body(receive)
        if body is None:
            return
        headers = {name.decode("latin-1"): v.decode("latin-1") for name, v in scope["headers"]}
        try:
            status, answer_headers, answer = self._answer(scope, headers, body)
        except NotImplementedError as error:
            _log.warning("not implemented: %s", error)
            status, answer_headers, answer = _error(501, "NotImplemented", str(error))
        except Exception as error:
            _log.exception("%s %s failed", scope["method"], headers.get("x-amz-target", ""))
            status, answer_headers, answer = _error(500, "InternalFailure", repr(error))
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [
                    (name.lower().encode("latin-1"), value.encode("latin-1"))
                    for name, value in answer_headers
                ],
            }
        )
        await send({"type": "http.response.body", "body": answer, "more_body": False})

    def _answer(self, scope: "HTTPScope", headers: dict[str, str], body: bytes) -> Answer:
        if headers.get("content-type") == cbor.TYPE:
            return self._answer_in_cbor(scope, headers, body)
        if (quick := _quick(headers, body)) is not None:
            return 200, [("Content-Type", cbor.JSON)], msgspec.json.encode(quick)
        if (refusal := s3_checksums.refusal(headers, body)) is not None:
            return refusal
        return _call(self.moto, _environ(scope, headers, body))

    def _answer_in_cbor(self, scope: "HTTPScope", headers: dict[str, str], body: bytes) -> Answer:
        try:
            body = cbor.to_json(body)
        except ValueError as error:
            return in_cbor(_error(400, "SerializationException", str(error)))
        headers = {**headers, "content-type": cbor.JSON}
        if (quick := _quick(headers, body)) is not None:
            return 200, [("Content-Type", cbor.TYPE)], cbor.encode(quick)
        return in_cbor(_call(self.moto, _environ(scope, headers, body)))


def in_cbor(answer: Answer) -> Answer:
    """Give an answer in JSON to a client that speaks CBOR."""
    status, headers, body = answer
    kept = [(name, value) for name, value in headers if not name.lower().startswith("content-")]
    return status, [*kept, ("Content-Type", cbor.TYPE)], cbor.from_json(body or b"{}")


def _quick(headers: dict[str, str], body: bytes) -> dict[str, Any] | None:
    region = _region(headers)
    return kinesis_calls.answer(headers.get("x-amz-target", ""), region, body) if region else None


def _backend(service: "SERVICE_NAMES | None") -> "Flask":
    if service is None:
        raise NotImplementedError("moto has no such service")
    return create_backend_app(service)


async def _body(receive: "ASGIReceiveCallable") -> bytes | None:
    """Read the whole body; None if the client goes away before its end, as a killed one does."""
    parts = []
    more = True
    while more:
        message: Any = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


def _region(headers: dict[str, str]) -> str | None:
    """Find the region in `AWS4-HMAC-SHA256 Credential=key/date/region/service/aws4_request, …`."""
    scope = headers.get("authorization", "").partition(",")[0].split("/")
    return scope[2] if len(scope) == 5 else None


def _environ(scope: "HTTPScope", headers: dict[str, str], body: bytes) -> dict[str, Any]:
    host, port = scope["server"] or ("127.0.0.1", 0)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": scope["path"].encode().decode("latin-1"),
        # As it was sent: moto tells an encoded slash in an object's key from a plain one.
        "RAW_URI": scope["raw_path"].decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in headers.items():
        key = name.upper().replace("-", "_")
        environ[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
    # The body is whole here, however it came over the wire.
    environ.pop("HTTP_CONTENT_LENGTH", None)
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    return environ


def _call(application: DomainDispatcherApplication, environ: dict[str, Any]) -> Answer:
    started: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], _fault: object = None) -> None:
        started[:] = [int(status.split(" ", 1)[0]), headers]

    chunks: Iterable[bytes] = application(environ, start_response)
    try:
        body = b"".join(chunks)
    finally:
        if hasattr(chunks, "close"):
            chunks.close()
    status, headers = started
    return status, headers, body


def _error(status: int, code: str, message: str) -> Answer:
    headers = [("Content-Type", cbor.JSON), ("x-amzn-ErrorType", code)]
    return status, headers, json.dumps({"__type": code, "message": message}).encode()


async def _serve(application: Application, listener: socket.socket) -> None:
    parent = os.getppid()

    async def end() -> None:  # hypercorn calls it once it serves
        told = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, told.set)
        print(json.dumps({"endpoint": "http://{}:{}".format(*listener.getsockname())}), flush=True)
        while not told.is_set() and os.getppid() == parent:
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(told.wait(), _SECONDS_BETWEEN_LOOKS_FOR_PARENT)

    await serve(application, _config(listener), shutdown_trigger=end, mode="asgi")


def _config(listener: socket.socket) -> Config:
    config = Config()
    config.bind = [f"fd://{listener.fileno()}"]
    config.loglevel = "WARNING"
    # A pipeline keeps its connections for days; a closed one costs it a failed call.
    config.keep_alive_timeout = 24 * 3600.0
    config.keep_alive_max_requests = sys.maxsize
    config.graceful_timeout = 0.5
    return config


def main(arguments: list[str] | None = None) -> int:
    """Serve until told to end; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m record_processors.local.aws")
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes a free one")
    parser.add_argument("--listener", type=int, help="a listening socket that was handed down")
    parser.add_argument("--throttled", action="store_true", help="a shard gives 2 MB a second")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    if options.listener is None:
        listener = socket.create_server(("127.0.0.1", options.port), backlog=100)
    else:
        listener = socket.socket(fileno=options.listener)
    asyncio.run(_serve(Application(throttled=options.throttled), listener))
    return 0


if __name__ == "__main__":
    sys.exit(main())
