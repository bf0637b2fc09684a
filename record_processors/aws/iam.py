"""Statements of an IAM policy.

What an action is allowed on: the services' pages of
docs.aws.amazon.com/service-authorization/latest/reference/.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..config.resource import Statement


def allow(sid: str, actions: str, *resources: str, when: object = None) -> Statement:
    """Make a statement; ``actions`` are words, of which the first one names the service."""
    service, _, words = actions.partition(": ")
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Action": [f"{service}:{word}" for word in words.split()],
        "Resource": list(resources),
        **({"Condition": when} if when else {}),
    }


def policy(statements: Iterable[Statement]) -> dict[str, Any]:
    """Return the policy of these statements; what is said of several things is said once."""
    merged: dict[str, Statement] = {}
    for statement in statements:
        same = merged.setdefault(statement["Sid"], {**statement, "Resource": []})
        if {**same, "Resource": 0} != {**statement, "Resource": 0}:
            raise ValueError(f"two statements are called {statement['Sid']}")
        same["Resource"] += [one for one in statement["Resource"] if one not in same["Resource"]]
    return {"Version": "2012-10-17", "Statement": list(merged.values())}
