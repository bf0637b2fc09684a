"""One COPY in its session: its rows to the server, its answer to the client."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from record_processors.local.redshift import system_tables, wire
from record_processors.local.redshift.failures import INTERNAL_ERROR, BadRow, CopyError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from record_processors.local.redshift.load import Load
    from record_processors.local.redshift.postgres import Cluster
    from record_processors.local.redshift.system_tables import LoadErrorDetail

_CHECK = "  Check 'sys_load_error_detail' system table for details."
_FAILED = "Load into table '{}' failed." + _CHECK
_COMPLETED = "Load into table '{}' completed, {} record(s) {}"
# One message each, between requests: the server may send them at any time.
_ASIDE = (b"N", b"S", b"A")


class Server(NamedTuple):
    """A session's server process, both ways, and the client that hears what it says besides."""

    read: asyncio.StreamReader
    write: asyncio.StreamWriter
    client: asyncio.StreamWriter


class CopyRun:
    """Runs one COPY from the server's CopyInResponse to the answer for the client.

    ``word`` makes the client's message of the fields of an error that is not about a row.
    """

    def __init__(
        self,
        load: Load,
        server: Server,
        cancelled: asyncio.Event,
        word: Callable[[dict[str, str]], bytes],
    ) -> None:
        self._load = load
        self._server = server
        self._cancelled = cancelled
        self._word = word

    async def answer(self) -> bytes:
        """Feed the rows and return what the client gets as its answer."""
        load = self._load
        self._tell(0)
        answer = asyncio.ensure_future(self._answered())
        failure: CopyError | BadRow | None = None
        try:
            completed = await self._feed(load.blocks(), answer)
        except (CopyError, BadRow) as error:
            completed, failure = False, error
        if completed:
            self._tell(load.rows)  # before the server goes on to the next statement
        self._server.write.write(wire.pack(b"c") if completed else wire.pack(b"f", b"\0"))
        kind, body = await answer
        if kind == b"C":
            return await self._success()
        self._tell(0)
        return await self._failure(wire.fields_of(body), failure)

    async def _feed(self, blocks: Iterator[bytes], answer: asyncio.Future[wire.Message]) -> bool:
        """Send rows; return whether that was all, not an answer or a cancel before the end."""
        cancelled = asyncio.ensure_future(self._cancelled.wait())
        try:
            while True:
                block = asyncio.ensure_future(asyncio.to_thread(next, blocks, None))
                waited: set[asyncio.Future[Any]] = {block, answer, cancelled}
                await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
                if answer.done() or cancelled.done():
                    return False
                if (data := block.result()) is None:
                    return True
                self._server.write.write(wire.pack(b"d", data))
                await self._server.write.drain()
        finally:
            cancelled.cancel()

    async def _answered(self) -> wire.Message:
        """Return the server's answer to a COPY; pass on what it says besides."""
        message = await wire.read_message(self._server.read)
        while message.kind in _ASIDE:
            self._server.client.write(wire.pack(*message))
            message = await wire.read_message(self._server.read)
        return message

    async def _success(self) -> bytes:
        load = self._load
        await self._record(None)
        if not load.copy.no_load:
            files = [(progress.file.url, progress.rows) for progress in load.files]
            await asyncio.to_thread(
                system_tables.record_commits,
                load.cluster, load.user, load.query, files, load.copy.layout.format,
            )  # fmt: skip
        told = _COMPLETED.format(load.copy.table[-1], load.rows, "loaded successfully.")
        notices = wire.info(told)
        if load.left_out:
            notices += wire.info(
                _COMPLETED.format(load.copy.table[-1], load.left_out, "could not be loaded.")
                + _CHECK
            )
        return notices + wire.pack(b"C", b"COPY\0")

    async def _failure(self, fields: dict[str, str], failure: CopyError | BadRow | None) -> bytes:
        """Tell what went wrong; the server's own complaint is about an earlier row than ours."""
        load = self._load
        error: LoadErrorDetail | None = None
        is_server = not fields["M"].startswith("COPY from stdin failed")
        if is_server:
            error = await asyncio.to_thread(load.refused_row, fields)
        elif isinstance(failure, BadRow):
            error = await asyncio.to_thread(load.bad_row, failure)
        await self._record(error)
        if error:
            return wire.error(INTERNAL_ERROR, _FAILED.format(load.copy.table[-1]))
        if is_server:
            return self._word(fields)
        if isinstance(failure, CopyError):
            detail = failure.detail(load.query, load.session)
            return wire.error(failure.code, failure.message, detail)
        return wire.error("57014", f"Query ({load.query}) cancelled on user's request")

    async def _record(self, last: LoadErrorDetail | None) -> None:
        """Enter the errors of the rows that were left out, and of the one that failed the COPY."""
        errors = [last] if last else []
        if self._load.left_out:
            errors = [*await asyncio.to_thread(self._load.errors_left_out), *errors]
        if errors:
            await asyncio.to_thread(system_tables.record_errors, self._load.cluster, errors)

    def _tell(self, rows: int) -> None:
        """Set what ``pg_last_copy_id()`` and ``pg_last_copy_count()`` say."""
        told = last_copy(self._load.cluster, self._load.session)
        told.write_text(f"{{{self._load.query},{rows}}}")


def last_copy(cluster: Cluster, session: int) -> Path:
    """Return the file that tells of a session's last COPY."""
    return cluster.data / system_tables.LAST_COPIES / str(session)
