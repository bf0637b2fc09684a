"""How the values of our settings are written: what is read, and what a person is told of it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .setting import Kind, matching, names

# Limits of the services, each with the page that states it.
KEY_BYTES = 1024  # docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
BUCKET_NAME = r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"  # …/userguide/bucketnamingrules.html
STREAM = (
    r"[A-Za-z0-9_.-]{1,128}"  # docs.aws.amazon.com/kinesis/latest/APIReference/API_CreateStream
)
TABLE = r"[A-Za-z0-9_.-]{3,255}"  # …/amazondynamodb/latest/developerguide/HowItWorks.NamingRules
ROLE = r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]+"  # …/IAM/latest/UserGuide/reference_iam

_PART = r'(?:[A-Za-z_][\w$]*|"[^"%\0]+")'
_PREFIX_BYTES = KEY_BYTES // 4  # application, date, shard and position come after it


def _read_prefix(value: str) -> str:
    if not value.isprintable() or len(value.encode()) > _PREFIX_BYTES:
        raise ValueError(f"not at most {_PREFIX_BYTES} bytes of printable characters")
    return value


def _read_columns(value: str) -> Sequence[str]:
    found = names(value)
    for name in found:
        if not re.fullmatch(_PART, name):
            raise ValueError(f"{name} is not a column's name; quote it if it must be so")
    return found


def _read_endpoint(value: str) -> str:
    if not re.fullmatch(r"https?://[^/\s]+/?", value):
        raise ValueError("not http://host:port or https://host")
    return value


def _read_delimiter(value: str) -> str:
    if len(value) != 1 or not value.isascii() or value in "\\\n\r\0" or value.isalnum():
        raise ValueError("not one ASCII character that is no letter, digit, backslash or line end")
    return value


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
    if value not in {"auto", "auto ignorecase"} and not re.fullmatch(r"s3://[^\s']+", value):
        raise ValueError("not 'auto', 'auto ignorecase', nor s3://bucket/key")
    return value


prefix = Kind(f"at most {_PREFIX_BYTES} bytes of printable characters", _read_prefix)
columns = Kind[Sequence[str]]("columns with commas between them", _read_columns)
endpoint = Kind("http://host:port or https://host", _read_endpoint)
delimiter = Kind("one ASCII character that is no letter, digit, or backslash", _read_delimiter)
redshift_url = Kind("host:port/database or jdbc:redshift://host:port/database", _read_redshift_url)
roles = Kind("a role's ARN, several with commas, or default", _read_roles)
json_paths = Kind("auto, auto ignorecase, or s3://bucket/key", _read_json_paths)
name_of_column = matching(_PART, "a column's name")
table = matching(rf"(?:{_PART}\.)?{_PART}", "[schema.]table")
region = matching(r"[a-z]{2,}(-[a-z]+)+-[0-9]+", "a region's name, like eu-central-1")
