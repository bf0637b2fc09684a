"""Looks, before the daemon starts, for what never passes by itself: a stream that is not there."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import NamedTuple

from ..aws.clients import session
from ..aws.failures import classify
from ..aws.findings import ERRORS, code_of, impatient, not_aws, why
from ..config.resource import Failed, Finding, Resource
from ..config.setting import Settings
from ..errors import ConnectorError, Fatal, Transient
from .consumer import Consumer
from .resources import Leases, SourceStream, resources
from .tables import daemon_is_us

LOOK_SECONDS = 10  # after these, in an outage, what is left is not looked at
METADATA_TRIES = 4  # as the service may answer 500 for a moment, on a host that has just started
BUSY = "ResourceInUseException"  # a stream or table that is being made


class Looked(NamedTuple):
    """What was found. A problem keeps the daemon from working until a person has mended it."""

    findings: list[Finding]
    endpoint: str = ""  # of the lease table: where the application is
    account: str | None = None  # whose it is; None while there is no lease table to ask

    @property
    def problems(self) -> list[Finding]:
        """Those that only a person can mend."""
        return [finding for finding in self.findings if finding.kind == "problem"]


def look(settings: Settings) -> Looked:
    """Look at all that the pipeline needs, with no more rights than it has anyway.

    What may pass (no answer, throttling, 5xx) is a note: hosts start again in an outage too.
    """
    if problem := no_credentials():
        return Looked([problem])
    things = list(resources(impatient(settings)))
    (leases,) = (thing for thing in things if isinstance(thing, Leases))
    # The daemon may be somebody else, who sees other streams and tables than we do.
    if not daemon_is_us(settings):
        of_the_daemon = (SourceStream, Consumer, Leases)
        things = [thing for thing in things if not isinstance(thing, of_the_daemon)]
    looked = Looked(list(dict.fromkeys(looked_at(things))))
    if looked.problems:
        return looked
    try:
        return Looked(looked.findings, leases.dynamodb.meta.endpoint_url, leases.account)
    except ERRORS:  # no credentials just now
        return looked


def no_credentials() -> Finding | None:
    """Return what is wrong if there are no credentials of AWS, which KCL tries 20 times to use."""
    end = time.monotonic() + LOOK_SECONDS
    try:
        for _ in range(METADATA_TRIES):
            if session().get_credentials() is not None:
                return None
            if time.monotonic() > end:
                break
        reason = "none in the environment or a profile, and this host has no role"
    except ERRORS as error:
        if passes(error):
            return None
        reason = why(error)
    return Finding(
        "problem",
        f"no credentials of AWS: {reason}; give the host a role, or set AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
    )


def looked_at(things: list[Resource]) -> Iterator[Finding]:
    """Look at one thing after the other; yield what is not as it should be."""
    end = time.monotonic() + LOOK_SECONDS
    for number, thing in enumerate(things):
        if time.monotonic() > end:
            left = len(things) - number
            yield Finding("note", f"{left} of {len(things)} things were not looked at any more")
            return
        try:
            found = list(thing.look())
        except LookupError as error:
            yield not_aws(error)
        except (Failed, *ERRORS) as error:
            said = str(error) if isinstance(error, Failed) else why(error)
            if passes(error):
                yield Finding("note", f"{said}; that may pass, so the daemon starts all the same")
            else:
                yield Finding("problem", said)
        else:
            yield from (finding for finding in found if finding.kind != "ok")


def passes(error: Exception) -> bool:
    """Whether what kept us from looking may pass by itself."""
    cause: BaseException | None = error
    while isinstance(cause, (Failed, Fatal)) and cause.__cause__ is not None:
        cause = cause.__cause__  # of a Fatal too: tries that were in vain
    if isinstance(cause, ConnectorError):
        return isinstance(cause, Transient)
    return isinstance(cause, ERRORS) and (
        code_of(cause) == BUSY or isinstance(classify(cause, ""), Transient)
    )
