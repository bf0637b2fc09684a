"""How a command is told which letters are meant."""

from __future__ import annotations

import argparse
import re
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..ops.batches import Wanted


def add_wanted(parser: argparse.ArgumentParser) -> None:
    """Let a command take which letters are meant."""
    parser.add_argument(
        "--since", metavar="TIME", type=since, help="written since: 90s, 30m, 2h, 7d, or a time UTC"
    )
    parser.add_argument("--reason", metavar="TEXT", default="", help="whose reason has this text")
    parser.add_argument(
        "--stage", default="", help="where they were refused: transform, filter, emit or load"
    )


def wanted(arguments: argparse.Namespace) -> Wanted:
    """Return which letters are meant."""
    from ..ops.batches import Wanted  # noqa: PLC0415

    return Wanted(arguments.stage, arguments.reason, arguments.since)


def since(text: str) -> datetime:
    """Read how long ago, or a time of ISO 8601 (UTC, unless it says another)."""
    from ..config.types import UNITS  # noqa: PLC0415

    if found := re.fullmatch(r"([0-9]{1,6})([smhd])", text):
        return datetime.now(timezone.utc) - timedelta(seconds=int(found[1]) * UNITS[found[2]])
    try:
        time = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text}: neither like 90s, 30m, 2h or 7d, nor like 2026-01-31T12:00"
        ) from None
    return time if time.tzinfo else time.replace(tzinfo=timezone.utc)
