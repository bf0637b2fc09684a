"""How S3 keeps files of rows: their storage class, and their tags."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from ..config.keys import S3
from ..config.setting import Setting, Settings
from ..config.types import ValueType, one_of

# Those that are read at once: docs.aws.amazon.com/AmazonS3/latest/userguide/storage-class-intro
CLASSES = ("STANDARD", "STANDARD_IA", "INTELLIGENT_TIERING", "ONEZONE_IA", "GLACIER_IR")
# Those that must be restored first: …/userguide/archived-objects.html
ARCHIVES = frozenset({"GLACIER", "DEEP_ARCHIVE"})
_class = one_of(*CLASSES)

# docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html
TAGS_OF_AN_OBJECT, NAME_LENGTH, VALUE_LENGTH = 10, 128, 256  # lengths as UTF-16 has them
BEYOND_LETTERS_AND_DIGITS = " +-=._:/@"
OF_AWS = "aws:"  # what names of tags may not begin with


def _read_class(value: str) -> str:
    if value in ARCHIVES:
        raise ValueError(
            "what is there can only be read after it is restored, so not by COPY; let a lifecycle "
            "rule of the bucket move files there when they are loaded"
        )
    return _class(value)


def _read_tags(value: str) -> Mapping[str, str]:
    tags: dict[str, str] = {}
    for part in value.split(","):
        name, equals, text = (each.strip() for each in part.partition("="))
        if not equals or not name:
            raise ValueError(f"{part.strip() or 'nothing'} is not NAME=VALUE")
        if name in tags:
            raise ValueError(f"{name} stands there twice")
        _insist_on_tag(name, text)
        tags[name] = text
    if len(tags) > TAGS_OF_AN_OBJECT:
        raise ValueError(f"{len(tags)} tags; S3 takes {TAGS_OF_AN_OBJECT} of an object")
    return tags


def _insist_on_tag(name: str, value: str) -> None:
    if name.lower().startswith(OF_AWS):
        raise ValueError(f"{name}: names that begin with {OF_AWS} are AWS's own")
    for text, most in ((name, NAME_LENGTH), (value, VALUE_LENGTH)):
        if len(text.encode("utf-16-le")) // 2 > most:
            raise ValueError(f"{text}: more than {most} characters")
        if not all(each.isalnum() or each in BEYOND_LETTERS_AND_DIGITS for each in text):
            raise ValueError(
                f"{text}: S3 takes letters, digits, blanks and {BEYOND_LETTERS_AND_DIGITS.strip()}"
            )


STORAGE_CLASS = Setting[str | None](
    "s3StorageClass",
    ValueType(_class.says, _read_class),
    "The storage class of files of rows; without it, STANDARD.",
    example="INTELLIGENT_TIERING",
    section=S3,
)
TAGS = Setting[Mapping[str, str] | None](
    "s3Tags",
    ValueType(f"NAME=VALUE, at most {TAGS_OF_AN_OBJECT}, with commas between them", _read_tags),
    "The tags of files of rows, as rules for costs and lifecycles use them.",
    example="team=data, env=prod",
    note="They take the permission s3:PutObjectTagging.",
    section=S3,
)


def stored_as(settings: Settings) -> dict[str, str]:
    """Return PutObject's parameters for how S3 is to keep a file of rows."""
    parameters = {
        "StorageClass": settings[STORAGE_CLASS],
        "Tagging": urlencode(settings[TAGS] or {}),
    }
    return {name: value for name, value in parameters.items() if value}
