"""The settings of Redshift, each declared once."""

from __future__ import annotations

from collections.abc import Sequence

from .kinds import columns, delimiter, json_paths, name_of_column, redshift_url, roles, table
from .setting import Setting, boolean, matching, one_of, text

REDSHIFT = frozenset({"redshift-manifest"})

REDSHIFT_URL = Setting(
    "redshiftURL",
    redshift_url,
    "The warehouse, as host:port/database or as the console shows it.",
    None,
    REDSHIFT,
    used_by=REDSHIFT,
    example="my-cluster.abc123xyz789.us-east-1.redshift.amazonaws.com:5439/dev",
)
REDSHIFT_USER = Setting[str | None](
    "redshiftUsername",
    text,
    "One way to log in: the user whose password is in REDSHIFT_PASSWORD of the environment.",
    used_by=REDSHIFT,
    example="connectors",
)
PASSWORD_VARIABLE = "REDSHIFT_PASSWORD"  # noqa: S105 - the environment variable's name
REDSHIFT_SECRET = Setting[str | None](
    "redshiftSecretArn",
    matching(r"[\w/+=.@:-]+", "a secret's ARN or name"),
    "Another: the secret of Secrets Manager that holds username and password.",
    used_by=REDSHIFT,
    example="arn:aws:secretsmanager:us-east-1:123456789012:secret:redshift-AbCdEf",
)
REDSHIFT_CLUSTER = Setting[str | None](
    "redshiftClusterIdentifier",
    text,
    "Another: by IAM, to this cluster.",
    used_by=REDSHIFT,
    example="my-cluster",
)
REDSHIFT_WORKGROUP = Setting[str | None](
    "redshiftWorkgroup",
    text,
    "Another: by IAM, to this serverless workgroup.",
    used_by=REDSHIFT,
    example="my-workgroup",
)
SSL_MODE = Setting(
    "redshiftSSLMode",
    one_of("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "How TLS is used, as in libpq.",
    "verify-full",
    used_by=REDSHIFT,
)
SSL_ROOT_CERT = Setting[str | None](
    "redshiftSSLRootCert",
    text,
    "The file of root certificates; without it, one that holds Amazon's.",
    used_by=REDSHIFT,
    example="/etc/ssl/redshift.pem",
)
DATA_TABLE = Setting(
    "redshiftDataTable",
    table,
    "The table that the rows go to.",
    None,
    REDSHIFT,
    used_by=REDSHIFT,
    example="flights",
)
DATA_COLUMNS = Setting[Sequence[str]](
    "redshiftDataColumns",
    columns,
    "The columns that the fields go to, in their order; without it, the table's.",
    (),
    used_by=REDSHIFT,
    example="year, month, day, carrier, flight",
)
FILE_TABLE = Setting(
    "redshiftFileTable",
    table,
    "The load ledger, made by `create`: which files the table holds.",
    "kinesis_connector_files",
    used_by=REDSHIFT,
    note="Never delete rows from it while their files may be announced again.",
)
FILE_KEY_COLUMN = Setting(
    "redshiftFileKeyColumn",
    name_of_column,
    "The ledger's key column.",
    "file",
    used_by=REDSHIFT,
)
IAM_ROLE = Setting(
    "redshiftIamRole",
    roles,
    "The role by which COPY reads the bucket.",
    None,
    REDSHIFT,
    used_by=REDSHIFT,
    example="arn:aws:iam::123456789012:role/redshift-reads-s3",
)
DATA_FORMAT = Setting(
    "redshiftDataFormat",
    one_of("json", "delimited", "csv", "parquet"),
    "What the files hold: what stage one's transformer makes.",
    "json",
    used_by=REDSHIFT,
)
JSON_PATHS = Setting(
    "redshiftJsonPaths",
    json_paths,
    "How COPY finds the columns in JSON.",
    "auto",
    used_by=REDSHIFT,
)
DATA_DELIMITER = Setting(
    "redshiftDataDelimiter",
    delimiter,
    "The character between the fields of delimited files.",
    "|",
    used_by=REDSHIFT,
)
COPY_OPTIONS = Setting(
    "redshiftCopyOptions",
    text,
    "More COPY options, appended as they are.",
    "",
    used_by=REDSHIFT,
    example="TIMEFORMAT 'auto'",
)
COPY_MANDATORY = Setting(
    "redshiftCopyMandatory",
    boolean,
    "Whether COPY fails when a file of its manifest is not there; it is reported in any case.",
    True,
    used_by=REDSHIFT,
)
