"""``iam-policy``: the least that a pipeline must be allowed on AWS, read off its file."""

from __future__ import annotations

import argparse
import re

from ..errors import EXIT_OK, EXIT_USAGE
from .command import add_properties, complain

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
    """Print the policy as JSON; say on stderr what no policy of the hosts can do."""
    import json  # noqa: PLC0415
    import sys  # noqa: PLC0415

    from ..config.properties import SettingsError, load  # noqa: PLC0415
    from ..kcl.assumed_roles import notes_of_roles  # noqa: PLC0415
    from ..kcl.policy import policy_of  # noqa: PLC0415

    try:
        settings = load(arguments.properties)
    except SettingsError as error:
        return complain(error, EXIT_USAGE)
    found = policy_of(
        settings, arguments.account, create=arguments.create, operator=arguments.operator
    )
    print(json.dumps(found, indent=2))
    if not (arguments.create or arguments.operator):
        for line in notes_of_roles(settings):
            print(line, file=sys.stderr)
    return EXIT_OK
