"""``scripts/run``: real daemons carry the flights from Kinesis into Redshift, or elsewhere.

Prints what happens while it happens, then whether what is there is what was put: exit code 1 and
which number is off if it is not.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn

from ...errors import EXIT_FAILED, EXIT_USAGE, ConnectorError
from ..children import ChildError
from ..host import HostError, held
from .demonstration import Demonstration
from .telling import say
from .to import NAMES, UNNAMED, kind_of

DIRECTORY = Path(".local/demo")


def main() -> int:
    """Run the whole; return the exit code."""
    options = argparse.ArgumentParser(prog="scripts/run")
    names = f"one of {', '.join(NAMES)} (default: {UNNAMED})"
    options.add_argument("--to", metavar="NAME", choices=NAMES, default=UNNAMED, help=names)
    options.add_argument("--keep", action="store_true", help="the stand-ins stay up")
    options.add_argument("--most", type=int, help="carry so many flights (default: all)")
    chosen = options.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        with held(DIRECTORY), ExitStack() as cleanup:
            clean(DIRECTORY)
            run = Demonstration(kind_of(chosen.to), DIRECTORY, chosen.most, cleanup)
            return run.run(keep=chosen.keep)
    except SystemExit:
        say("stopped", "nothing is left running")
        raise
    except HostError as error:
        print(error, file=sys.stderr)
        return EXIT_USAGE
    except (ChildError, ConnectorError) as error:
        print(f"\n{error}", file=sys.stderr)
        return EXIT_FAILED


def _interrupt(number: int, _frame: object) -> NoReturn:
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)  # one is enough: the end must not be cut short
    print("\nstopping: the daemons flush first", flush=True)
    raise SystemExit(128 + number)


def clean(directory: Path) -> None:
    """Begin anew; the lock is ours and stays."""
    for path in directory.iterdir():
        if path.name != "lock":
            shutil.rmtree(path) if path.is_dir() else path.unlink()


if __name__ == "__main__":
    sys.exit(main())
