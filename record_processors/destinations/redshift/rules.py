"""Settings of Redshift that are each valid and contradict each other."""

from __future__ import annotations

from collections.abc import Iterator

from ...config.component import Contradiction
from ...config.keys import DESTINATION
from ...config.setting import Settings
from .copy_options import faults
from .settings import (
    COPY_OPTIONS,
    DATA_COLUMNS,
    DATA_FORMAT,
    JSON_PATHS,
    REDSHIFT_CLUSTER,
    REDSHIFT_SECRET,
    REDSHIFT_USER,
    REDSHIFT_WORKGROUP,
    UNMATCHED_FIELDS,
)

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
