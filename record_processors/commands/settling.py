"""``letters --settle``: says of letters, and why, that they are never to be put back."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ..errors import EXIT_FOUND, EXIT_OK
from .command import complain
from .redrive import print_count
from .wanted import wanted

if TYPE_CHECKING:
    from ..config.setting import Settings


def add_settle(parser: argparse.ArgumentParser) -> None:
    """Let a command take what is to be settled."""
    parser.add_argument(
        "--settle",
        metavar="WHICH",
        nargs="?",
        const="",
        help="say that letters are never to be put back: those at a position, or of a file, as for "
        "--show; without WHICH those that --reason, --stage and --since choose, or --all",
    )
    parser.add_argument("--why", metavar="TEXT", help="with --settle: why, for those who ask later")
    parser.add_argument("--all", action="store_true", help="with --settle: all that are open")
    parser.add_argument(
        "--dry-run", action="store_true", help="with --settle: say what would be settled; do not"
    )


def usage(arguments: argparse.Namespace) -> str:
    """Return what is wrong with these words together; "" if nothing is."""
    chosen = arguments.settle or arguments.reason or arguments.stage or arguments.since
    if arguments.settle is None:
        extra = [
            name
            for name, is_there in (
                ("--why", arguments.why is not None),
                ("--all", arguments.all),
                ("--dry-run", arguments.dry_run),
            )
            if is_there
        ]
        return f"{extra[0]} goes with --settle alone" if extra else ""
    if arguments.json or arguments.show is not None:
        return f"{'--json' if arguments.json else '--show'} does not go with --settle"
    if not (arguments.why or "").strip():
        return "--settle needs --why TEXT: why the letters are never to be put back"
    if not chosen and not arguments.all:
        return "--settle needs what it settles: WHICH, --reason, --stage, --since, or --all"
    if chosen and arguments.all:
        return "--all does not go with what chooses some letters"
    return ""


def settle(arguments: argparse.Namespace, settings: Settings) -> int:
    """Settle letters, and say what became of them. Raises Fatal."""
    from ..ops.letter_files import Settled  # noqa: PLC0415
    from ..ops.settle import Settle  # noqa: PLC0415

    decision = Settled(why=arguments.why.strip(), by=_who())
    dry = arguments.dry_run
    summary = Settle(settings, wanted(arguments), arguments.settle, decision, dry=dry).run()
    if arguments.settle and not summary.found:
        return complain(f"{arguments.settle}: no letter is there", EXIT_FOUND)
    print_count(summary.before, "put back or settled before (files of letters)")
    print_count(summary.settled, "would be settled" if dry else "settled", always=True)
    print_count(summary.left.count, "left open", summary.left)
    return EXIT_FOUND if summary.left.count else EXIT_OK


def _who() -> str:
    """Return who types, and where; "" if the system does not know."""
    import getpass  # noqa: PLC0415
    import socket  # noqa: PLC0415

    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (OSError, KeyError, ImportError):  # no such user
        return ""
