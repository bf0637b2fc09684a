"""What OpenSearch's errors mean: the one place that decides."""

from __future__ import annotations

import re
from typing import Literal

import msgspec
import opensearchpy.exceptions as theirs

from ...aws.tls import is_untrusted, was_cut
from ...errors import Fatal, Transient, Unavailable, one_line

TOO_LARGE = 413  # beyond http.max_content_length, or what stands before OpenSearch takes
CONFLICT = 409
BUSY = 429
# Of a signature or a login that expired on this host or on its way, as AWS words it.
RENEWED = re.compile(r"Signature (expired|not yet current)|token .*expired", re.IGNORECASE)
# What is said of one item, and is true of all: of a data stream, an alias, a collection of logs; a
# pipeline of the index that is gone; a shard, an index or a cluster that holds as many as it can;
# and, by its type, of an index that is closed.
OF_ALL = re.compile(
    r"op_type of create are allowed in data streams|no write index is defined for alias"
    r"|Document ID is not supported|pipeline with id \[.*\] does not exist"
    r"|number of documents in .* (cannot exceed|exceeds)|maximum (normal )?shards open",
    re.IGNORECASE,
)
CLOSED = "index_closed_exception"
# Writes are blocked: with 429 by OpenSearch itself, as a disk is full; with 403 by Amazon's
# service, as memory or disks run short, or the masters had lost their quorum. docs.aws.amazon.com/
# opensearch-service/latest/developerguide/handling-errors.html#troubleshooting-cluster-block
BLOCKED = frozenset({"cluster_block_exception", "index_create_block_exception"})
OF_DISKS = "; it passes when there is room on the disks again"
OF_A_BLOCK = "; it passes when that is lifted: see the memory and the disks of the cluster"
REASON_CHARACTERS = 500


class TooLarge(Exception):
    """The request is larger than OpenSearch takes."""


class Cause(msgspec.Struct):
    """Why an item was refused, as OpenSearch says it."""

    type: str = ""
    reason: str | None = None
    caused_by: Cause | None = None

    def __str__(self) -> str:
        said = f"{self.type}: {self.reason}" if self.reason else self.type
        if self.caused_by is not None and self.caused_by.reason:
            said = f"{said}: {self.caused_by.reason}"
        return " ".join(said.split())[:REASON_CHARACTERS]


Fate = Literal["there", "again", "refused"]


def fate_of(status: int, cause: Cause, index: str) -> Fate:
    """Return what became of an item, or is to; raise Fatal for what no item can pass.

    A conflict is our own document of before, or a newer one of the same key.
    """
    if status < 300 or status == CONFLICT:
        return "there"
    if status == BUSY or status >= 500 or cause.type in BLOCKED:
        return "again"
    if status == 400 and cause.type != CLOSED and not OF_ALL.search(cause.reason or ""):
        return "refused"
    remedy = "; `kinesis-connectors create` makes it" if status == 404 else ""
    raise Fatal(
        f"OpenSearch takes nothing for {index} (openSearchIndex): {status}, {cause}{remedy}"
    )


def passing(cause: Cause) -> str:
    """Return why an item is to be sent again."""
    return _blocked(str(cause)) if cause.type in BLOCKED else cause.type


def _blocked(said: str) -> str:
    # "index read-only / allow delete", or "has read-only-allow-delete block"
    return said + (OF_DISKS if re.search(r"allow.{1,3}delete", said) else OF_A_BLOCK)


def classify(error: Exception, what: str) -> Exception:
    """Turn what a request raised into TooLarge or one of ours; ``what`` says what was tried."""
    said = said_by(error)
    if isinstance(error, theirs.SSLError):
        return _of_tls(error, what, said)
    if isinstance(error, (theirs.ConnectionError, theirs.SerializationError)):
        # Also for an answer that is not OpenSearch's, as of a proxy in between.
        return Unavailable(said)
    status = status_of(error)
    if status == TOO_LARGE:
        return TooLarge(said)
    is_blocked = isinstance(error, theirs.TransportError) and str(error.error) in BLOCKED  # a type
    if status == BUSY or status >= 500 or is_blocked:
        return Unavailable(_blocked(said) if is_blocked else said)
    if status == 403 and RENEWED.search(said):
        return Transient(said)
    return Fatal(f"{what}: {_not_let_in(status)}{said}")


def _of_tls(error: theirs.SSLError, what: str, said: str) -> Exception:
    if was_cut(error):
        return Unavailable(said)
    told = f"TLS: {said} (openSearchURL, openSearchSSLRootCert)"
    # Else what answers speaks no TLS, or none of ours: a load balancer may for a moment.
    return Fatal(f"{what}: {told}") if is_untrusted(error) else Transient(told)


def _not_let_in(status: int) -> str:
    if status == 401:
        return "OpenSearch does not take the login: "
    return "the right to is missing: " if status == 403 else ""


def status_of(error: Exception) -> int:
    """Return the HTTP status of an answer; 0 where there was none."""
    status = error.status_code if isinstance(error, theirs.TransportError) else 0
    return status if isinstance(status, int) else 0


def said_by(error: Exception) -> str:
    """Return what an error says, in one line."""
    if not isinstance(error, theirs.TransportError):
        return one_line(error)
    if (status := status_of(error)) == 0:
        return " ".join(str(error.info).split()) or type(error).__name__
    info = error.info if isinstance(error.info, dict) else {}
    found = info.get("error", info.get("message", info.get("Message", "")))
    if isinstance(found, dict):
        found = f"{found.get('type')}: {found.get('reason')}"
    return f"{status} {found or error.error}"[:REASON_CHARACTERS]
