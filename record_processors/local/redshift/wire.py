"""The messages of the PostgreSQL frontend/backend protocol, version 3.

https://www.postgresql.org/docs/18/protocol-message-formats.html
"""

from __future__ import annotations

import asyncio
import struct
from typing import NamedTuple

SSL_REQUEST = 80877103
GSS_REQUEST = 80877104
CANCEL_REQUEST = 80877102


class Message(NamedTuple):
    """A message: its type (one byte) and its body, the length left out."""

    kind: bytes
    body: bytes


async def read_message(reader: asyncio.StreamReader) -> Message:
    """Read one message; ``asyncio.IncompleteReadError`` when the other side has gone."""
    header = await reader.readexactly(5)
    length = int.from_bytes(header[1:], "big")
    return Message(header[:1], await reader.readexactly(length - 4))


async def read_startup(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Read the first message of a connection, which has no type: its code and all its bytes."""
    length = await reader.readexactly(4)
    body = await reader.readexactly(int.from_bytes(length, "big") - 4)
    return int.from_bytes(body[:4], "big"), length + body


def startup_parameters(message: bytes) -> dict[str, str]:
    """Return the parameters (``user``, ``database``, …) of a StartupMessage."""
    parts = message[8:].decode("utf-8", "replace").split("\0")
    return dict(zip(parts[::2], parts[1::2], strict=False))


def pack(kind: bytes, body: bytes = b"") -> bytes:
    """Return the bytes of a message."""
    return kind + struct.pack("!i", len(body) + 4) + body


def text(value: str) -> bytes:
    """Return a string as the protocol has it: UTF-8 with a zero byte at the end."""
    return value.encode("utf-8", "surrogateescape") + b"\0"


def fields_of(body: bytes) -> dict[str, str]:
    """Return the fields of an ErrorResponse or NoticeResponse by their letters."""
    parts = body.decode("utf-8", "replace").split("\0")
    return {part[0]: part[1:] for part in parts if part}


def pack_fields(kind: bytes, fields: dict[str, str]) -> bytes:
    """Return an ErrorResponse or NoticeResponse with these fields."""
    return pack(kind, b"".join(text(letter + value) for letter, value in fields.items()) + b"\0")


def error(code: str, message: str, detail: str = "") -> bytes:
    """Return an ErrorResponse."""
    fields = {"S": "ERROR", "V": "ERROR", "C": code, "M": message}
    return pack_fields(b"E", fields | ({"D": detail} if detail else {}))


def info(message: str) -> bytes:
    """Return a NoticeResponse of the level INFO."""
    return pack_fields(b"N", {"S": "INFO", "V": "INFO", "C": "00000", "M": message})


def first_column(row_description: bytes) -> bytes:
    """Return the name of the first column that a RowDescription tells."""
    return row_description[2 : row_description.find(b"\0", 2)]


def first_value(data_row: bytes) -> bytes:
    """Return the first value of a DataRow."""
    return data_row[6 : 6 + int.from_bytes(data_row[2:6], "big")]
