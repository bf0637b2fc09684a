"""Refuses what was damaged on its way to S3, as S3 does and moto does not."""

import base64
import hashlib
import zlib
from collections.abc import Callable

Answer = tuple[int, list[tuple[str, str]], bytes]

# docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
_DIGESTS: dict[str, Callable[[bytes], bytes]] = {
    "x-amz-checksum-sha256": lambda body: hashlib.sha256(body).digest(),
    "x-amz-checksum-crc32": lambda body: zlib.crc32(body).to_bytes(4, "big"),
}
_REFUSAL = (
    b"<Error><Code>BadDigest</Code><Message>The checksum that you specified did not match the "
    b"calculated one.</Message></Error>"
)


def refusal(headers: dict[str, str], body: bytes) -> Answer | None:
    """Return the answer to a body that is not what its checksum says; `None` if there is none."""
    for name, digest in _DIGESTS.items():
        said = headers.get(name)
        if said is not None and said != base64.b64encode(digest(body)).decode():
            return 400, [("Content-Type", "application/xml")], _REFUSAL
    return None
