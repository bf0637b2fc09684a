"""The IAM policy of a pipeline, put together of what each thing says that it needs."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Any

from ..aws.iam import allow, policy
from ..config.resource import Resource, Statement
from ..config.setting import Settings
from .assumed_roles import assumed_roles, roles_for
from .resources import resources


def policy_of(
    settings: Settings, account: str = "*", *, create: bool = False, operator: bool = False
) -> dict[str, Any]:
    """Return the policy of a pipeline that runs, of the command ``create``, or of an operator.

    It is for the role of the hosts, which the daemon and its children share; a role by which a
    service reads the bucket is that service's own. A role that the daemon assumes is told apart,
    by ``notes_of_roles``: here it may be assumed, and what it does is left out. What the file does
    not name is not in it: a key of your own that encrypts a stream, a secret, or by default the
    bucket; files announced from beyond ``s3Bucket`` and ``s3Prefix``.
    """

    def of(thing: Resource) -> Iterable[Statement]:
        if create:
            return thing.permissions_to_create(account)
        if operator:
            return thing.permissions_to_operate(account)
        return () if roles_for(settings, thing) else thing.permissions(account)

    roles = [] if create or operator else assumed_roles(settings)
    assume = [allow("AssumeRoles", "sts: AssumeRole", *roles)] if roles else []
    needed = (statement for thing in resources(settings) for statement in of(thing))
    return policy(chain(assume, needed))
