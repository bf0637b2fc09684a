"""A client's session: its messages to PostgreSQL and back, with COPY done in between.

The server does all that is about transactions. Of a query's text only what differs between
Redshift and PostgreSQL is replaced, in place. A COPY becomes two statements: one that tells
of its table, whose answer the client never sees, and ``COPY … FROM STDIN``, which the
session feeds itself.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, NoReturn

from record_processors.local.redshift import system_tables, wire
from record_processors.local.redshift.dialect import MARK, translate
from record_processors.local.redshift.failures import INTERNAL_ERROR, BadRow, CopyError
from record_processors.local.redshift.load import Load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from record_processors.local.redshift.copy_statement import CopyStatement
    from record_processors.local.redshift.shared import Shared
    from record_processors.local.redshift.system_tables import LoadErrorDetail

_FAILED = "Load into table '{}' failed.  Check 'sys_load_error_detail' system table for details."
INDEX_MADE = b"DO\0"  # how the server ends what ``index_statements`` makes, and nothing else
# One message each, between requests: the server may send them at any time.
_ASIDE = (b"N", b"S", b"A")


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
                self._last_copy.unlink(missing_ok=True)
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
        self._tell(load, 0)
        answer = asyncio.ensure_future(self._answer())
        failure: CopyError | BadRow | None = None
        try:
            completed = await self._feed(load.blocks(), answer)
        except (CopyError, BadRow) as error:
            completed, failure = False, error
        if completed:
            self._tell(load, load.rows)  # before the server goes on to the next statement
        self._to_server.write(wire.pack(b"c") if completed else wire.pack(b"f", b"\0"))
        kind, body = await answer
        if kind == b"C":
            return await self._success(load)
        self._tell(load, 0)
        return await self._failure(load, wire.fields_of(body), failure)

    async def _feed(self, blocks: Iterator[bytes], answer: asyncio.Future[wire.Message]) -> bool:
        """Send rows; return whether that was all, not an answer or a cancel before the end."""
        cancelled = asyncio.ensure_future(self.cancelled.wait())
        try:
            while True:
                block = asyncio.ensure_future(asyncio.to_thread(next, blocks, None))
                waited: set[asyncio.Future[Any]] = {block, answer, cancelled}
                await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
                if answer.done() or cancelled.done():
                    return False
                if (data := block.result()) is None:
                    return True
                self._to_server.write(wire.pack(b"d", data))
                await self._to_server.drain()
        finally:
            cancelled.cancel()

    async def _answer(self) -> wire.Message:
        """Return the server's answer to a COPY; pass on what it says besides."""
        message = await wire.read_message(self._server)
        while message.kind in _ASIDE:
            self._to_client.write(wire.pack(*message))
            message = await wire.read_message(self._server)
        return message

    async def _success(self, load: Load) -> bytes:
        files = [(progress.file.url, progress.rows) for progress in load.files]
        await asyncio.to_thread(
            system_tables.record_commits,
            self._shared.cluster, load.user, load.query, files, load.copy.layout.format,
        )  # fmt: skip
        table = load.copy.table[-1]
        said = f"Load into table '{table}' completed, {load.rows} record(s) loaded successfully."
        return wire.info(said) + wire.pack(b"C", b"COPY\0")

    async def _failure(
        self, load: Load, fields: dict[str, str], failure: CopyError | BadRow | None
    ) -> bytes:
        """Tell what went wrong; the server's own complaint is about an earlier row than ours."""
        if not fields["M"].startswith("COPY from stdin failed"):
            error = await asyncio.to_thread(load.refused_row, fields)
            return await self._load_error(load, error) if error else self._error(fields)
        if isinstance(failure, BadRow):
            error = await asyncio.to_thread(load.bad_row, failure)
            return await self._load_error(load, error)
        if isinstance(failure, CopyError):
            detail = failure.detail(load.query, load.session)
            return wire.error(failure.code, failure.message, detail)
        return wire.error("57014", f"Query ({load.query}) cancelled on user's request")

    async def _load_error(self, load: Load, error: LoadErrorDetail) -> bytes:
        await asyncio.to_thread(system_tables.record_error, self._shared.cluster, error)
        return wire.error(INTERNAL_ERROR, _FAILED.format(load.copy.table[-1]))

    def _tell(self, load: Load, rows: int) -> None:
        """Set what ``pg_last_copy_id()`` and ``pg_last_copy_count()`` say."""
        self._last_copy.write_text(f"{{{load.query},{rows}}}")

    @property
    def _last_copy(self) -> Path:
        return self._shared.cluster.data / system_tables.LAST_COPIES / str(self._pid)


def _decoded(query: bytes) -> str:
    return query.decode("utf-8", "surrogateescape")
