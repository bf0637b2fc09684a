"""A JSONPaths file: for each column, where its value is in a JSON object.

https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-copy-from-json.html
"""

from __future__ import annotations

import json
import re

from record_processors.local.redshift.failures import CopyError

Path = tuple["str | int", ...]

_BRACKETS = re.compile(r"\['([^']+)'\]|\[(\d+)\]")
_DOTS = re.compile(r"\.([^'.\[\]]+)|\[(\d+)\]")


def parse_jsonpaths(text: bytes, url: str) -> list[Path] | None:
    """Return the paths; None if the file has no ``jsonpaths``, which COPY takes for 'auto'.

    Raises ``CopyError`` if the file is not one JSON object, or an expression is none.
    """
    try:
        told = json.loads(text)
    except ValueError as error:
        raise _malformed(f"Invalid JSONPath format: the JSON is malformed. {error}", url) from error
    if not isinstance(told, dict):
        raise _malformed("Invalid JSONPath format: not one JSON object.", url)
    if "jsonpaths" not in told:
        return None
    expressions = told["jsonpaths"]
    if not isinstance(expressions, list):
        raise _malformed("Invalid JSONPath format: jsonpaths is not an array.", url)
    return [_path(expression, url) for expression in expressions]


def _path(expression: object, url: str) -> Path:
    if not isinstance(expression, str) or not expression:
        raise _malformed("Invalid JSONPath format: an element is no string, or empty.", url)
    for notation in (_BRACKETS, _DOTS):  # they cannot be mixed
        if re.fullmatch(rf"\$(?:{notation.pattern})+", expression):
            steps = notation.finditer(expression)
            return tuple(step[1] if step[2] is None else int(step[2]) for step in steps)
    raise _malformed(f"Invalid JSONPath format: {expression}", url)


def _malformed(message: str, url: str) -> CopyError:
    return CopyError(message, context=f"S3 key being read : {url}")
