"""The settings of Redshift, each declared once."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ...config.setting import Setting
from ...config.types import (
    ValueType,
    boolean,
    delimiter,
    matching,
    names,
    one_of,
    text,
    whole_number,
)
from .pause import Window, read_windows

REDSHIFT = "Redshift"  # the section
DATA_FORMATS = ("json", "delimited", "csv", "parquet")

ROLE = r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]+"  # …/IAM/latest/UserGuide/reference_iam
JSON_WORDS = frozenset({"auto", "auto ignorecase", "noshred"})
_PART = r'(?:[A-Za-z_][\w$]*|"[^"%\0]+")'


def _read_columns(value: str) -> Sequence[str]:
    found = names(value)
    for name in found:
        if not re.fullmatch(_PART, name):
            raise ValueError(f"{name} is not a column's name; quote it if it must be so")
    return found


def _read_redshift_url(value: str) -> str:
    match = re.fullmatch(r"(?:jdbc:redshift://)?([\w.-]+):([0-9]{1,5})/([^/?;&\s]+)", value)
    if not match or not 0 < int(match[2]) < 65_536:
        raise ValueError("not host:port/database, nor jdbc:redshift://host:port/database")
    return "{}:{}/{}".format(*match.groups())


def _read_roles(value: str) -> str:
    if value != "default" and not re.fullmatch(rf"{ROLE}(,{ROLE})*", value):
        raise ValueError("not a role's ARN (or several, with commas), nor 'default'")
    return value


def _read_json_paths(value: str) -> str:
    if value not in JSON_WORDS and not re.fullmatch(r"s3://[^\s'/]+/[^\s']+", value):
        raise ValueError("not 'auto', 'auto ignorecase', 'noshred', nor s3://bucket/key")
    return value


columns = ValueType[Sequence[str]]("columns with commas between them", _read_columns)
redshift_url = ValueType(
    "host:port/database or jdbc:redshift://host:port/database", _read_redshift_url
)
roles = ValueType("a role's ARN, several with commas, or default", _read_roles)
json_paths = ValueType("auto, auto ignorecase, noshred, or s3://bucket/key", _read_json_paths)
name_of_column = matching(_PART, "a column's name")
table = matching(rf"(?:{_PART}\.)?{_PART}", "[schema.]table")

REDSHIFT_URL = Setting(
    "redshiftURL",
    redshift_url,
    "The warehouse, as host:port/database or as the console shows it.",
    required=True,
    section=REDSHIFT,
    example="my-cluster.abc123xyz789.us-east-1.redshift.amazonaws.com:5439/dev",
)
REDSHIFT_USER = Setting[str | None](
    "redshiftUsername",
    text,
    "One way to log in: the user whose password is in REDSHIFT_PASSWORD of the environment.",
    meant_by=("redshiftUser",),
    section=REDSHIFT,
    example="connectors",
)
PASSWORD_VARIABLE = "REDSHIFT_PASSWORD"  # noqa: S105 - the environment variable's name
REDSHIFT_SECRET = Setting[str | None](
    "redshiftSecretArn",
    matching(r"[\w/+=.@:-]+", "a secret's ARN or name"),
    "Another: the secret of Secrets Manager that holds username and password.",
    section=REDSHIFT,
    example="arn:aws:secretsmanager:us-east-1:123456789012:secret:redshift-AbCdEf",
)
REDSHIFT_CLUSTER = Setting[str | None](
    "redshiftClusterIdentifier",
    text,
    "Another: by IAM, to this cluster.",
    section=REDSHIFT,
    example="my-cluster",
)
REDSHIFT_WORKGROUP = Setting[str | None](
    "redshiftWorkgroup",
    text,
    "Another: by IAM, to this serverless workgroup.",
    section=REDSHIFT,
    example="my-workgroup",
)
SSL_MODE = Setting(
    "redshiftSSLMode",
    one_of("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "How TLS is used, as in libpq.",
    "verify-full",
    section=REDSHIFT,
)
SSL_ROOT_CERT = Setting[str | None](
    "redshiftSSLRootCert",
    text,
    "The file of root certificates; without it, one that holds Amazon's.",
    section=REDSHIFT,
    example="/etc/ssl/redshift.pem",
)
DATA_TABLE = Setting(
    "redshiftDataTable",
    table,
    "The table that the rows go to.",
    meant_by=("redshiftTable",),
    required=True,
    section=REDSHIFT,
    example="flights",
)
DATA_COLUMNS = Setting[Sequence[str]](
    "redshiftDataColumns",
    columns,
    "The columns that the fields go to, in their order; without it, the table's.",
    (),
    section=REDSHIFT,
    example="year, month, day, carrier, flight",
)
FILE_TABLE = Setting(
    "redshiftFileTable",
    table,
    "The load ledger, made by `create`: which files the table holds.",
    "kinesis_connector_files",
    section=REDSHIFT,
    note="Never delete rows from it while their files may be announced again.",
)
FILE_KEY_COLUMN = Setting(
    "redshiftFileKeyColumn",
    name_of_column,
    "The ledger's key column.",
    "file",
    section=REDSHIFT,
)
IAM_ROLE = Setting(
    "redshiftIamRole",
    roles,
    "The role by which COPY reads the bucket.",
    required=True,
    section=REDSHIFT,
    example="arn:aws:iam::123456789012:role/redshift-reads-s3",
)
DATA_FORMAT = Setting(
    "redshiftDataFormat",
    one_of(*DATA_FORMATS),
    "What the files hold: what stage one's transformer makes.",
    "json",
    section=REDSHIFT,
)
JSON_PATHS = Setting(
    "redshiftJsonPaths",
    json_paths,
    "How COPY finds the columns in JSON.",
    "auto",
    note="auto: a key goes to the column of that name, whose letters are small. auto ignorecase: "
    "whatever its case. noshred: the whole object to the table's one SUPER column. Or a file of "
    "JSONPaths.",
    section=REDSHIFT,
)
DATA_DELIMITER = Setting(
    "redshiftDataDelimiter",
    delimiter,
    "The character between the fields of delimited files.",
    "|",
    section=REDSHIFT,
)
COPY_OPTIONS = Setting(
    "redshiftCopyOptions",
    text,
    "More options of COPY; those that would leave rows out are refused.",
    "",
    section=REDSHIFT,
    example="TIMEFORMAT 'auto'",
)
MAX_BAD_ROWS = Setting(
    "redshiftMaxBadRows",
    whole_number(0, 1000),
    "So many rows of a file may be left out, as COPY refuses them, each a dead letter; with more, "
    "the file is kept out as a whole.",
    100,
    note="0: a file with one bad row is kept out.",
    unit="rows",
    section=REDSHIFT,
)
UNMATCHED_FIELDS = Setting(
    "redshiftUnmatchedFields",
    one_of("report", "refuse"),
    "What is done about keys of JSON rows that COPY loads into no column.",
    "report",
    note="report: a line of the log, once for each key. refuse: the file is a dead letter. The "
    "first row of each file is looked at.",
    section=REDSHIFT,
)
COPY_MANDATORY = Setting(
    "redshiftCopyMandatory",
    boolean,
    "Whether COPY fails when a file of its manifest is not there; it is reported in any case.",
    True,
    section=REDSHIFT,
)

PAUSE = Setting[Sequence[Window]](
    "redshiftPause",
    ValueType(
        "from and to, UTC, and days of the week if not all; several with ; between them",
        read_windows,
    ),
    "When nothing is loaded, as for maintenance; what has come by then waits.",
    (),
    section=REDSHIFT,
    example="02:00-03:00 UTC, sun",
)

DECLARED = [each for each in list(vars().values()) if isinstance(each, Setting)]
