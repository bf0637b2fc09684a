"""The IAM policy of a pipeline, put together of what each thing says that it needs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..aws.iam import policy
from ..config.resource import Resource, Statement
from ..config.setting import Settings
from .resources import resources


def policy_of(
    settings: Settings, account: str = "*", *, create: bool = False, operator: bool = False
) -> dict[str, Any]:
    """Return the policy of a pipeline that runs, of the command ``create``, or of an operator.

    It is for the role of the hosts, which the daemon and its children share; a role by which a
    service reads the bucket is that service's own. What the file does not name is not in it: a key
    of your own that encrypts a stream, a secret, or by default the bucket; files announced from
    beyond ``s3Bucket`` and ``s3Prefix``.
    """

    def of(thing: Resource) -> Iterable[Statement]:
        if create:
            return thing.permissions_to_create(account)
        return thing.permissions_to_operate(account) if operator else thing.permissions(account)

    return policy(statement for thing in resources(settings) for statement in of(thing))
