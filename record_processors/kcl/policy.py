"""The IAM policy of a pipeline, put together of what each thing says that it needs."""

from __future__ import annotations

from typing import Any

from ..aws.iam import policy
from ..config.setting import Settings
from .resources import resources


def policy_of(settings: Settings, account: str = "*", *, create: bool = False) -> dict[str, Any]:
    """Return the policy of a pipeline that runs, or of the command ``create``.

    It is for the role of the hosts, which the daemon and its children share; a role by which a
    service reads the bucket is that service's own. What the file does not name is not in it: a key
    of your own that encrypts a stream, a secret, or by default the bucket; files announced from
    beyond ``s3Bucket`` and ``s3Prefix``.
    """
    return policy(
        statement
        for thing in resources(settings)
        for statement in (
            thing.permissions_to_create(account) if create else thing.permissions(account)
        )
    )
