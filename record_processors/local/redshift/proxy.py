"""The door for clients: greets them, opens a server process for each, passes cancels on."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING

from record_processors.local.redshift import wire
from record_processors.local.redshift.postgres import OWNER, Cluster
from record_processors.local.redshift.session import Session
from record_processors.local.redshift.shared import Shared

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_BUFFER = 1 << 20  # bytes that a side may be ahead of the other


class Proxy:
    """Listens for clients; its sessions share the cluster and the S3 client."""

    def __init__(self, cluster: Cluster, s3: asyncio.Future[S3Client]) -> None:
        self.shared = Shared(cluster, s3)

    async def serve(self, listener: socket.socket) -> asyncio.Server:
        """Let clients in by a listening socket."""
        return await asyncio.start_server(self._accept, sock=listener, limit=_BUFFER)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A side that goes away is no fault; sessions are cancelled when the stand-in stops.
        with contextlib.suppress(asyncio.IncompleteReadError, OSError, asyncio.CancelledError):
            code, message = await wire.read_startup(reader)
            while code in (wire.SSL_REQUEST, wire.GSS_REQUEST):
                writer.write(b"N")
                code, message = await wire.read_startup(reader)
            if code == wire.CANCEL_REQUEST:
                await self._cancel(message)
            elif wire.startup_parameters(message).get("user") == OWNER:
                writer.write(wire.error("28P01", f'password authentication failed for "{OWNER}"'))
            else:
                await self._run(reader, writer, message)
        writer.close()

    async def _run(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, startup: bytes
    ) -> None:
        server = await self.connect()
        try:
            server[1].write(startup)
            await Session(self.shared, (reader, writer), server).run()
        finally:
            server[1].close()

    async def _cancel(self, message: bytes) -> None:
        _, server = await self.connect()
        server.write(message)
        await server.drain()
        server.close()
        # The server does not look for a cancel while it waits for rows: end them as well.
        session = self.shared.sessions.get(int.from_bytes(message[8:12], "big"))
        if session is not None and session.key == message[12:]:
            session.cancelled.set()

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a connection to the server."""
        path = "\0" + self.shared.cluster.socket[1:] + "/.s.PGSQL.5432"
        return await asyncio.open_unix_connection(path, limit=_BUFFER)
