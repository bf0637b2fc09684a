"""Settings of Redshift that are each valid and contradict each other."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from ...config.component import Contradiction
from ...config.kcl_settings import TIMEOUT
from ...config.keys import DESTINATION, TRANSFORMER
from ...config.registry import load_class, name_of
from ...config.setting import Settings
from .copy_options import faults
from .pause import longest_pause
from .settings import (
    COPY_OPTIONS,
    DATA_COLUMNS,
    DATA_DELIMITER,
    DATA_FORMAT,
    DATA_FORMATS,
    JSON_PATHS,
    PAUSE,
    REDSHIFT_CLUSTER,
    REDSHIFT_SECRET,
    REDSHIFT_USER,
    REDSHIFT_WORKGROUP,
    UNMATCHED_FIELDS,
)

TEXT = "text"  # of which nobody has said what its lines are
AS_READ = frozenset({TEXT, *DATA_FORMATS})  # formats of rows that COPY can be told to read

_ONLY_JSON = "{} has no effect unless redshiftDataFormat = json"


def contradictions(settings: Settings) -> Iterator[Contradiction]:
    """Yield every contradiction in settings that are valid one by one."""
    logins = [
        login.key
        for login in (REDSHIFT_USER, REDSHIFT_SECRET, REDSHIFT_CLUSTER, REDSHIFT_WORKGROUP)
        if login in settings
    ]
    if len(logins) != 1:
        found = " and ".join(logins) or "none"
        yield (
            logins[-1] if logins else DESTINATION.key,
            "one way to log in is needed (redshiftUsername, redshiftSecretArn, "
            f"redshiftClusterIdentifier or redshiftWorkgroup), not {found}",
        )
    if JSON_PATHS in settings and settings[DATA_FORMAT] != "json":
        yield JSON_PATHS.key, _ONLY_JSON.format(JSON_PATHS.key)
    for fault in faults(settings[COPY_OPTIONS], settings[DATA_FORMAT]):
        yield COPY_OPTIONS.key, f"redshiftCopyOptions: {fault}"
    if UNMATCHED_FIELDS in settings and settings[DATA_FORMAT] != "json":
        yield UNMATCHED_FIELDS.key, _ONLY_JSON.format(UNMATCHED_FIELDS.key)
    if settings[JSON_PATHS] == "noshred" and len(settings[DATA_COLUMNS]) > 1:
        yield DATA_COLUMNS.key, "redshiftJsonPaths = noshred loads one SUPER column, not several"
    pause = longest_pause(settings[PAUSE]) or timedelta()
    timeout = settings[TIMEOUT]
    if timeout is not None and timeout <= pause.total_seconds():
        yield (
            TIMEOUT.key,
            f"timeoutInSeconds = {timeout}: the daemon would be stopped in a redshiftPause of "
            f"{pause.total_seconds():.0f} s",
        )


def disagreements(settings: Settings) -> Iterator[Contradiction]:
    """Yield where COPY is told to read something else than the transformer of this file makes."""
    transformer = load_class(TRANSFORMER.key, name_of(TRANSFORMER.key, settings.texts))
    if reason := unread(transformer.format, settings[DATA_FORMAT]):
        yield (DATA_FORMAT if DATA_FORMAT in settings else TRANSFORMER).key, reason
    for made in transformer.declares:
        if made.key == "transformerDelimiter" and settings[made] != settings[DATA_DELIMITER]:
            yield (
                (DATA_DELIMITER if DATA_DELIMITER in settings else made).key,
                f"redshiftDataDelimiter is {settings[DATA_DELIMITER]}, and transformerDelimiter "
                f"{settings[made]}: COPY must read what the transformer writes",
            )


def unread(made: str, read: str) -> str:
    """Return why COPY cannot read rows of format ``made`` as ``read`` (redshiftDataFormat)."""
    if made == read or (made == TEXT and read != "parquet"):
        return ""
    remedy = f"it must be {made}" if made in DATA_FORMATS else "take another transformer"
    return f"redshiftDataFormat is {read}, and the transformer makes rows of {made}: {remedy}"
