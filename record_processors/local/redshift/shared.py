"""What the sessions of one stand-in share."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from record_processors.local.redshift.postgres import Cluster

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class Cancellable(Protocol):
    """A session, as far as a cancel is concerned: who may ask for it, and how it hears of it."""

    key: bytes
    cancelled: asyncio.Event


@dataclass
class Shared:
    """The server, S3, and the sessions that are open, by their server process's id."""

    cluster: Cluster
    s3: asyncio.Future[S3Client]
    sessions: dict[int, Cancellable] = field(default_factory=dict)
