"""One file in S3: where it is, what it holds, and which part of its shard it covers."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, NamedTuple

import msgspec

from ..config.null_string import NULL_STRING
from ..config.types import BUCKET_NAME, KEY_BYTES
from ..flow.record import Position
from .compression import Compression, compression_of

VERSION = 1


class ChainName(NamedTuple):
    """The files of one shard as one pipeline wrote them: their ranges must not overlap."""

    application: str
    stream: str
    shard: str


# What fits S3 and the ledger's columns: one message must not be able to stop a load of others.
Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Name = Annotated[str, msgspec.Meta(max_length=255, pattern=r"\A[^\x00]*\Z")]
Place = Annotated[str, msgspec.Meta(pattern=r"\A[0-9]{1,60}-[0-9]{1,20}\Z")]


class File(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One file in S3. A bare path of the ancestors says only ``bucket`` and ``key``.

    ``fields`` are the keys of the first row of JSON; ``null`` is the text that stands for null, if
    it is not COPY's own.
    """

    version: int = VERSION
    application: Name | None = None
    bucket: Annotated[str, msgspec.Meta(pattern=rf"\A{BUCKET_NAME}\Z")]
    key: Annotated[str, msgspec.Meta(pattern=r"\A[^\x00]+\Z")]
    bytes: Count | None = None
    rows: Count | None = None
    stream: Name | None = None
    shard: Name | None = None
    first: Place | None = None
    last: Place | None = None
    format: Name | None = None
    compression: Compression | None = None
    fields: tuple[str, ...] | None = None
    null: Annotated[str, msgspec.Meta(pattern=rf"\A(?:{NULL_STRING})\Z")] | None = None

    def __post_init__(self) -> None:
        """Refuse what no single field shows. msgspec hands a ValueError on as its own."""
        if len(self.key.encode()) > KEY_BYTES:
            raise ValueError(f"the key is longer than {KEY_BYTES} bytes")
        if (self.first is None) != (self.last is None):
            raise ValueError("one of first and last is missing")
        if self.first is not None:
            _ = self.covered

    @property
    def url(self) -> str:
        """``s3://bucket/key``: the file's name in the manifest and in the ledger."""
        return f"s3://{self.bucket}/{self.key}"

    @cached_property
    def chain(self) -> ChainName | None:
        """The chain it has a place in, if it says so."""
        if self.application and self.stream and self.shard and self.first and self.last:
            return ChainName(self.application, self.stream, self.shard)
        return None

    @cached_property
    def covered(self) -> tuple[Position, Position]:
        """The first and last position that it covers. Raises ValueError if it does not say so."""
        first, last = Position.parse(self.first or ""), Position.parse(self.last or "")
        if last < first:
            raise ValueError(f"the range {first} to {last} ends before it begins")
        return first, last

    @property
    def is_bare(self) -> bool:
        """Whether it says where the file is, and no more: a bare path, or as good as one."""
        return self == File(bucket=self.bucket, key=self.key)

    @property
    def is_whole(self) -> bool:
        """Whether nothing that a load needs must be looked up."""
        return None not in (self.bytes, self.compression)

    @property
    def metadata(self) -> dict[str, str]:
        """What its object says of it, from which ``completed`` reads all but ``fields`` again."""
        said = {
            "null": self.null,
            "first-position": self.first,
            "last-position": self.last,
            "rows": self.rows,
            "format": self.format,
            "application": self.application,
            "stream": self.stream,
            "shard": self.shard,
        }
        return {name: str(value) for name, value in said.items() if value is not None}

    def completed(self, head: Mapping[str, Any]) -> File:
        """Fill in from HeadObject's answer what the message did not say.

        Raises ValueError if the object's metadata make no sense.
        """
        metadata: Mapping[str, str] = head.get("Metadata", {})
        rows = metadata.get("rows", "")
        found = {
            "bytes": head["ContentLength"],
            "rows": int(rows) if rows.isdigit() else None,
            "first": metadata.get("first-position"),
            "last": metadata.get("last-position"),
            "format": metadata.get("format"),
            "application": metadata.get("application"),
            "stream": metadata.get("stream"),
            "shard": metadata.get("shard"),
            "compression": compression_of(self.key),
            "null": metadata.get("null"),
        }
        return msgspec.convert({**found, **self._said}, File)

    def encode(self) -> builtins.bytes:
        """Write the message."""
        return msgspec.json.encode(self._said)

    @property
    def _said(self) -> dict[str, Any]:
        everything = msgspec.to_builtins(self).items()
        return {name: value for name, value in everything if value is not None}
