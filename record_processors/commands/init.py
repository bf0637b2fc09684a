"""``init``: the shipped ``.properties`` files, written where they are to be edited."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

from ..errors import EXIT_OK, EXIT_USAGE
from .command import complain

HELP = "write the .properties files to be edited, one for each kind of pipeline"
MORE = (
    "Beside them comes README.md, which lists every key. A file that is there is left as it is. "
    "The files name their folder as it is given here: start the daemon in this directory."
)
EXAMPLE = "kinesis-connectors init properties"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the folder."""
    parser.add_argument(
        "folder",
        metavar="FOLDER",
        nargs="?",
        default="properties",
        help="where to write them (default: properties)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Write what is missing, with a line for each file."""
    from ..config.shipped_files import FolderError  # noqa: PLC0415

    try:
        for path, is_new in write(arguments.folder):
            print(f"{path}: {'written' if is_new else 'was there, and is left as it is'}")
    except FolderError as error:
        return complain(error, EXIT_USAGE)
    except OSError as error:
        return complain(f"{error.filename}: cannot be written: {error.strerror}", EXIT_USAGE)
    return EXIT_OK


def write(folder: str) -> Iterator[tuple[Path, bool]]:
    """Write each file that is not there yet; yield its path, and whether it was written.

    Raises FolderError for a folder that the daemon could not name, OSError for one that cannot be
    written.
    """
    from ..config.reference import reference  # noqa: PLC0415
    from ..config.shipped_files import shipped_files  # noqa: PLC0415

    files = {**shipped_files(folder), "README.md": reference()}
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        path = Path(folder, name)
        is_new = not path.exists()
        if is_new:
            _write_whole(path, text)
        yield path, is_new


def _write_whole(path: Path, text: str) -> None:
    """Write a file, or nothing: half of one would be left as it is by the next `init`."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.rename(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        draft.unlink(missing_ok=True)
