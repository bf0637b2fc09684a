"""What stage one tells stage two: one file, as a message on the manifest stream."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple

import msgspec

from .errors import Rejected
from .kinds import BUCKET_NAME, KEY_BYTES
from .record import Position, Record
from .settings import S3_BUCKET, Settings
from .transformers import Transformer

VERSION = 1
# docs.aws.amazon.com/AmazonS3/latest/userguide/directory-bucket-naming-rules.html
DIRECTORY_BUCKET = "--x-s3"
EXTENSIONS = {"gzip": ".gz", "zstd": ".zst", "none": ""}

Compression = Literal["gzip", "zstd", "none"]


class Chain(NamedTuple):
    """The files of one shard as one pipeline wrote them: their ranges must not overlap."""

    application: str
    stream: str
    shard: str


# What fits S3 and the ledger's columns: one message must not be able to stop a load of others.
Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Name = Annotated[str, msgspec.Meta(max_length=255, pattern=r"\A[^\x00]*\Z")]
Place = Annotated[str, msgspec.Meta(pattern=r"\A[0-9]{1,60}-[0-9]{1,20}\Z")]


class File(msgspec.Struct, frozen=True, kw_only=True):
    """One file in S3. A bare path of the ancestors says only ``bucket`` and ``key``."""

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

    @property
    def chain(self) -> Chain | None:
        """The chain it has a place in, if it says so."""
        if self.application and self.stream and self.shard and self.first and self.last:
            return Chain(self.application, self.stream, self.shard)
        return None

    @property
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
            "compression": _compression_of(self.key),
        }
        said = msgspec.to_builtins(self)
        merged = {**found, **{name: value for name, value in said.items() if value is not None}}
        return msgspec.convert(merged, File)

    def encode(self) -> builtins.bytes:
        """Write the message."""
        return msgspec.json.encode(self)


def _compression_of(key: str) -> Compression:
    return "gzip" if key.endswith(".gz") else "zstd" if key.endswith(".zst") else "none"


class ManifestMessage(Transformer[File]):
    """Reads a message: our JSON object, or the bare path that the ancestors sent."""

    def __init__(self, bucket: str) -> None:
        self.bucket = bucket

    @classmethod
    def from_settings(cls, settings: Settings) -> ManifestMessage:
        """Bare paths lie in ``s3Bucket``."""
        return cls(settings[S3_BUCKET])

    def transform(self, record: Record) -> tuple[File]:
        """Return the one file that is announced; reject what announces none."""
        return (read_message(record.data, self.bucket),)


def read_message(data: bytes, bucket: str) -> File:
    """Read one message; a bare ``key`` lies in ``bucket``. Raises Rejected."""
    try:
        text = data.decode().strip()
    except UnicodeDecodeError as error:
        raise Rejected("not a manifest message: not UTF-8") from error
    file = _structured(text) if text.startswith(("{", "[")) else _bare(text, bucket)
    if file.bucket.endswith(DIRECTORY_BUCKET):
        raise Rejected(
            f"a manifest message of {file.url}: files in directory buckets are not loaded"
        )
    return file


def _structured(text: str) -> File:
    try:
        file = msgspec.json.decode(text, type=File)
    except (ValueError, RecursionError) as error:
        raise Rejected(f"not a manifest message: {error}") from error
    if file.version != VERSION:
        raise Rejected(f"a manifest message of version {file.version}; this program knows 1")
    return file


def _bare(text: str, bucket: str) -> File:
    if text.startswith("s3://"):
        bucket, _, text = text.removeprefix("s3://").partition("/")
    if not text.isprintable():
        raise Rejected("not a manifest message: neither JSON nor the path of a file")
    try:
        return msgspec.convert({"bucket": bucket, "key": text}, File)
    except ValueError as error:
        raise Rejected(
            f"not a manifest message: neither JSON nor the path of a file: {error}"
        ) from error
