"""Tries what a valid file points to, as a person would want to know before the first start.

Each check is independent of the others and yields a finding for each thing that it tried. Nothing
of the pipeline's is touched: no message is put, what is written to the bucket is deleted, what is
done in Redshift is rolled back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

from ..plugins import is_plugin
from ..settings import (
    BACKOFF_INTERVAL,
    DESTINATION,
    RETRY_LIMIT,
    Settings,
)
from . import bucket, leases, redshift, streams
from .finding import TRIES, Finding, results

__all__ = ["Finding", "findings"]

# These take the place of what the file says for a daemon at night.
HASTE = {RETRY_LIMIT.key: str(TRIES), BACKOFF_INTERVAL.key: "100"}

Check = Callable[[Settings], Iterator[Finding]]


def findings(settings: Settings) -> Iterator[Finding]:
    """Try everything that the pipeline of ``settings`` will use; yield what was found, once."""
    hasty = Settings(settings.path, {**settings.texts, **HASTE})
    told = set[Finding]()
    for check in _checks(settings):
        with closing(results(check(hasty))) as found:  # what it wrote is deleted
            for finding in found:
                if finding not in told:
                    told.add(finding)
                    yield finding
    if is_plugin(destination := settings[DESTINATION]):
        yield Finding("note", f"{DESTINATION.key} = {destination}: what it connects to is its own")


def _checks(settings: Settings) -> Iterator[Check]:
    yield streams.source
    if settings[DESTINATION] == "s3-manifest":
        yield streams.manifests
    yield leases.table
    yield bucket.files
    yield bucket.dead_letters
    if settings[DESTINATION] == "redshift-manifest":
        yield redshift.warehouse
