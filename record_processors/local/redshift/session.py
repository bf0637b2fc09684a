"""A client's session: its messages to PostgreSQL and back, with COPY done in between.

The server does all that is about transactions. Of a query's text only what differs between
Redshift and PostgreSQL is replaced, in place. A COPY becomes two statements: one that tells
of its table, whose answer the client never sees, and ``COPY … FROM STDIN``, which the
session feeds itself.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, NoReturn

from record_processors.local.redshift import wire
from record_processors.local.redshift.copy_run import CopyRun, Server, last_copy
from record_processors.local.redshift.dialect import MARK, translate
from record_processors.local.redshift.failures import INTERNAL_ERROR
from record_processors.local.redshift.load import Load

if TYPE_CHECKING:
    from record_processors.local.redshift.copy_statement import CopyStatement
    from record_processors.local.redshift.shared import Shared

INDEX_MADE = b"DO\0"  # how the server ends what ``index_statements`` makes, and nothing else


class Session:
    """One client and its server process."""

    def __init__(
        self,
        shared: Shared,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        server: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        self.key = b""
        self.cancelled = asyncio.Event()
        self._shared = shared
        self._client, self._to_client = client
        self._server, self._to_server = server
        self._pid = 0
        self._copies: deque[CopyStatement] = deque()
        self._facts = b""
        self._rewritten = False
        self._idle = asyncio.Event()  # not set while a query with a COPY runs
        self._idle.set()

    async def run(self) -> None:
        """Pass messages on until one side ends; the server then rolls back what is open."""
        both = [asyncio.ensure_future(self._requests()), asyncio.ensure_future(self._answers())]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in both:
                task.cancel()
            ends = await asyncio.gather(*both, return_exceptions=True)
            if self._shared.sessions.pop(self._pid, None):
                last_copy(self._shared.cluster, self._pid).unlink(missing_ok=True)
        for end in ends:  # a side that has gone is no error, all else is a fault of ours
            if not isinstance(end, (asyncio.IncompleteReadError, OSError, asyncio.CancelledError)):
                raise end

    async def _requests(self) -> NoReturn:
        while True:
            # Read first, then wait: so a client that goes away during its COPY is noticed.
            kind, body = await wire.read_message(self._client)
            await self._idle.wait()
            if kind == b"Q":
                body = self._query(body)
            elif kind == b"P":
                name, query, rest = body.split(b"\0", 2)
                translation = translate(_decoded(query), is_simple=False)
                body = name + b"\0" + wire.text(translation.text) + rest
            self._to_server.write(wire.pack(kind, body))
            await self._to_server.drain()

    def _query(self, body: bytes) -> bytes:
        query = _decoded(body[:-1])
        translation = translate(query)
        self._rewritten = translation.text != query
        if translation.copies:
            self._copies.extend(translation.copies)
            self.cancelled.clear()
            self._idle.clear()
        return wire.text(translation.text)

    async def _answers(self) -> NoReturn:
        while True:
            kind, body = await wire.read_message(self._server)
            if kind == b"T" and wire.first_column(body) == MARK.encode():
                await self._read_facts()
                continue
            if kind == b"C" and body == INDEX_MADE:
                continue
            if kind == b"G" and self._copies:
                kind, body = b"", await self._load(self._copies.popleft())
            elif kind == b"E":
                kind, body = b"", self._error(wire.fields_of(body))
            elif kind == b"K":
                self._pid, self.key = int.from_bytes(body[:4], "big"), body[4:]
                self._shared.sessions[self._pid] = self
            elif kind == b"Z":
                self._copies.clear()
                self._idle.set()
            self._to_client.write(wire.pack(kind, body) if kind else body)
            await self._to_client.drain()

    async def _read_facts(self) -> None:
        kind = b""
        while kind != b"C":
            kind, body = await wire.read_message(self._server)
            if kind == b"D":
                self._facts = wire.first_value(body)

    def _error(self, fields: dict[str, str]) -> bytes:
        if fields["C"] == "40001":
            return wire.error(
                INTERNAL_ERROR,
                "1023",
                "Serializable isolation violation on table - 0, transactions forming the cycle "
                f"are: 0, 0 (pid:{self._pid})",
            )
        if self._rewritten:  # places and contexts of a text that the client did not write
            fields = {key: value for key, value in fields.items() if key not in "PpqW"}
        return wire.pack_fields(b"E", fields)

    async def _load(self, copy: CopyStatement) -> bytes:
        """Feed a COPY and return what the client gets as its answer."""
        load = Load.of(copy, await self._shared.s3, self._shared.cluster, self._facts)
        server = Server(self._server, self._to_server, self._to_client)
        return await CopyRun(load, server, self.cancelled, self._error).answer()


def _decoded(query: bytes) -> str:
    return query.decode("utf-8", "surrogateescape")
