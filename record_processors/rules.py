"""Settings that are each valid and contradict each other."""

from __future__ import annotations

import re
from collections.abc import Iterator

import jmespath

from . import kcl_rules
from .catalogue import OURS
from .errors import one_line
from .kcl_rules import Contradiction
from .redshift_settings import (
    COPY_OPTIONS,
    DATA_FORMAT,
    JSON_PATHS,
    REDSHIFT_CLUSTER,
    REDSHIFT_SECRET,
    REDSHIFT_USER,
    REDSHIFT_WORKGROUP,
)
from .setting import Settings
from .settings import (
    COLUMNS,
    DESTINATION,
    ENCRYPTION,
    FILTER,
    FILTER_EXPRESSION,
    KMS_KEY,
    OUTPUT_STREAM,
    STREAM_NAME,
    TRANSFORMER,
)

# With these COPY would leave rows out, and the ledger would say that the whole file is loaded.
LOSSY_COPY_WORDS = frozenset({"MAXERROR", "IGNOREALLERRORS", "IGNOREHEADER", "NOLOAD"})

# What we add to COPY ourselves, from the other settings.
COPY_WORDS_OF_OURS = frozenset(
    "ACCESS_KEY_ID AVRO BZIP2 CREDENTIALS CSV DELIMITER ESCAPE FIXEDWIDTH FORMAT GZIP IAM_ROLE "
    "JSON LZOP MANIFEST ORC PARQUET SECRET_ACCESS_KEY SESSION_TOKEN ZSTD".split()
)


def notes(settings: Settings) -> Iterator[str]:
    """Yield what may be meant so, and should be known."""
    yield from kcl_rules.notes(settings)
    destination = settings[DESTINATION]
    for key in settings.texts:
        setting = OURS.get(key)
        if setting and not setting.is_used_by(destination):
            used_by = " and ".join(sorted(setting.used_by))
            yield f"{key} has no effect on {destination}: it is for {used_by}"


def contradictions(settings: Settings) -> Iterator[Contradiction]:
    """Yield every contradiction in settings that are valid one by one."""
    yield from kcl_rules.contradictions(settings)
    yield from _transformer(settings)
    yield from _filter(settings)
    yield from _s3(settings)
    if settings[DESTINATION] == "redshift-manifest":
        yield from _redshift(settings)


def _transformer(settings: Settings) -> Iterator[Contradiction]:
    name = settings[TRANSFORMER]
    if settings[DESTINATION] == "redshift-manifest" and TRANSFORMER in settings:
        yield (
            TRANSFORMER.key,
            "transformer has no effect on redshift-manifest, which reads the names of files; "
            "it belongs in the file of stage one",
        )
    if name in {"delimited", "csv"} and COLUMNS not in settings:
        yield (
            TRANSFORMER.key,
            f"transformerColumns is missing: transformer = {name} needs the fields' names",
        )
    if (
        settings[DESTINATION] != "redshift-manifest"
        and settings.texts.get(OUTPUT_STREAM.key) == settings[STREAM_NAME]
    ):
        yield OUTPUT_STREAM.key, "kinesisOutputStream is the stream that is read (streamName)"


def _filter(settings: Settings) -> Iterator[Contradiction]:
    name, expression = settings[FILTER], settings.texts.get(FILTER_EXPRESSION.key)
    if name == "all" and expression is not None:
        yield FILTER_EXPRESSION.key, "filterExpression has no effect with filter = all"
    if name not in {"jmespath", "regex"}:
        return
    if expression is None:
        yield FILTER.key, f"filterExpression is missing: filter = {name} needs it"
        return
    try:
        jmespath.compile(expression) if name == "jmespath" else re.compile(expression)
    except (ValueError, re.error) as error:
        reason = f"not {name}: {one_line(error)}"
        yield FILTER_EXPRESSION.key, f"filterExpression = {expression}: {reason}"


def _s3(settings: Settings) -> Iterator[Contradiction]:
    if KMS_KEY in settings and settings[ENCRYPTION] != "aws:kms":
        yield KMS_KEY.key, "s3KmsKeyId needs s3ServerSideEncryption = aws:kms"


def _redshift(settings: Settings) -> Iterator[Contradiction]:
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
