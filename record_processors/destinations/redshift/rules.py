"""Settings of Redshift that are each valid and contradict each other."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ...config.component import Contradiction
from ...config.keys import DESTINATION
from ...config.setting import Settings
from .settings import (
    COPY_OPTIONS,
    DATA_FORMAT,
    JSON_PATHS,
    REDSHIFT_CLUSTER,
    REDSHIFT_SECRET,
    REDSHIFT_USER,
    REDSHIFT_WORKGROUP,
)

# With these COPY would leave rows out, and the ledger would say that the whole file is loaded.
LOSSY_COPY_WORDS = frozenset({"MAXERROR", "IGNOREALLERRORS", "IGNOREHEADER", "NOLOAD"})

# What we add to COPY ourselves, from the other settings.
COPY_WORDS_OF_OURS = frozenset(
    "ACCESS_KEY_ID AVRO BZIP2 CREDENTIALS CSV DELIMITER ESCAPE FIXEDWIDTH FORMAT GZIP IAM_ROLE "
    "JSON LZOP MANIFEST ORC PARQUET SECRET_ACCESS_KEY SESSION_TOKEN ZSTD".split()
)


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
        yield JSON_PATHS.key, "redshiftJsonPaths has no effect unless redshiftDataFormat = json"
    ours = COPY_WORDS_OF_OURS | ({"NULL"} if settings[DATA_FORMAT] == "delimited" else set())
    unquoted = re.sub(r"'[^']*'", "", settings[COPY_OPTIONS])
    for word in re.findall(r"[A-Z_0-9]+", unquoted.upper()):
        if word in ours:
            yield COPY_OPTIONS.key, f"redshiftCopyOptions repeats {word}, which we add ourselves"
            return
        if word in LOSSY_COPY_WORDS:
            yield COPY_OPTIONS.key, f"redshiftCopyOptions: {word} would leave rows out unnoticed"
            return
