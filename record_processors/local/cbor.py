"""Kinesis as AWS' SDK for Java speaks it, unless told otherwise: JSON's shapes in CBOR.

Blobs are bytes. Times are milliseconds, under the tag that CBOR has for seconds:
github.com/aws/aws-sdk-java-v2/issues/4661
"""

import base64
import json
from typing import Any

import cbor2
import msgspec

TYPE, JSON = "application/x-amz-cbor-1.1", "application/x-amz-json-1.1"

_TIME = 1  # the tag


def to_json(body: bytes) -> bytes:
    """Write a request as JSON. Raises `ValueError` for what is no CBOR."""
    try:
        said = cbor2.loads(body, semantic_decoders={_TIME: _seconds})
    except cbor2.CBORDecodeError as error:
        raise ValueError(str(error)) from error
    return msgspec.json.encode(said)


def from_json(answer: bytes) -> bytes:
    """Write an answer, or an error, in CBOR."""
    return cbor2.dumps(json.loads(answer, object_hook=_fields))


def encode(answer: object) -> bytes:
    """Write an answer that is made of structs, which hold the bytes themselves."""
    return cbor2.dumps(answer, default=_struct)


def _seconds(milliseconds: int, _is_for_a_key: bool) -> float:
    return milliseconds / 1000


def _struct(encoder: cbor2.CBOREncoder, struct: object) -> None:
    encoder.encode(_fields(msgspec.to_builtins(struct, builtin_types=(bytes,))))


def _fields(fields: dict[str, Any]) -> dict[str, Any]:
    """Return them with what JSON has no types for as CBOR has it."""
    for name, value in fields.items():
        if name.endswith("Timestamp"):
            fields[name] = cbor2.CBORTag(_TIME, round(value * 1000))
        elif name == "Data" and isinstance(value, str):
            fields[name] = base64.b64decode(value)
    return fields
