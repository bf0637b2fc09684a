"""``iam-policy``: the least that a pipeline must be allowed on AWS, read off its file."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING, Any

from ..errors import EXIT_OK, EXIT_USAGE
from .command import add_properties, complain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..config.resource import Resource, Statement
    from ..config.setting import Settings

HELP = "print the IAM policy that the pipeline needs while it runs"
MORE = "It is JSON, of the daemon and its children or whom an option names: no more than they use."
EXAMPLE = "kinesis-connectors iam-policy properties/s3_manifest.properties --account 123456789012"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the file, the account, and whose policy it is."""
    add_properties(parser)
    parser.add_argument(
        "--account", metavar="ACCOUNT", default="*", type=_account, help="12 digits (default: *)"
    )
    whose = parser.add_mutually_exclusive_group()
    whose.add_argument("--create", action="store_true", help="print what `create` needs instead")
    whose.add_argument(
        "--operator",
        action="store_true",
        help="print what whoever types status, audit, letters, redrive and replay needs instead",
    )


def _account(value: str) -> str:
    if not re.fullmatch(r"[0-9]{12}|\*", value):
        raise argparse.ArgumentTypeError(f"{value}: not the 12 digits of an account")
    return value


def run(arguments: argparse.Namespace) -> int:
    """Print the policy as JSON."""
    import json  # noqa: PLC0415

    from ..config.properties import SettingsError, load  # noqa: PLC0415

    try:
        settings = load(arguments.properties)
    except SettingsError as error:
        return complain(error, EXIT_USAGE)
    found = policy_of(
        settings, arguments.account, create=arguments.create, operator=arguments.operator
    )
    print(json.dumps(found, indent=2))
    return EXIT_OK


def policy_of(
    settings: Settings, account: str = "*", *, create: bool = False, operator: bool = False
) -> dict[str, Any]:
    """Return the policy of a pipeline that runs, of the command ``create``, or of an operator.

    It is for the role of the hosts, which the daemon and its children share; a role by which a
    service reads the bucket is that service's own. What the file does not name is not in it: a key
    of your own that encrypts a stream, a secret, or by default the bucket; files announced from
    beyond ``s3Bucket`` and ``s3Prefix``.
    """
    from ..aws.iam import policy  # noqa: PLC0415
    from ..kcl.resources import resources  # noqa: PLC0415

    def of(thing: Resource) -> Iterable[Statement]:
        if create:
            return thing.permissions_to_create(account)
        return thing.permissions_to_operate(account) if operator else thing.permissions(account)

    return policy(statement for thing in resources(settings) for statement in of(thing))
