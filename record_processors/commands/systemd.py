"""``systemd``: what runs pipelines on a host, and what makes a host of EC2 such a one."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import EXIT_OK, EXIT_USAGE
from .command import add_pipelines, complain

if TYPE_CHECKING:
    from ..config.setting import Settings

HELP = "write systemd's units of the pipelines of a host, or the user data of a host on EC2"
MORE = (
    "Each pipeline is kinesis-connectors@NAME.service, by its applicationName, and runs "
    "/etc/connectors/NAME.properties with the program in /opt/kinesis-connectors. Without --into "
    "all files are printed, each below its path."
)
EXAMPLE = (
    "kinesis-connectors systemd properties/s3_manifest.properties --into /\n"
    "  kinesis-connectors systemd properties/s3_manifest.properties "
    "--user-data s3://my-bucket/connectors"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the files, and where what is made of them goes."""
    add_pipelines(parser)
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--into", metavar="DIRECTORY", help="write the files below it: / is this host itself"
    )
    where.add_argument(
        "--user-data",
        metavar="SOURCE",
        help="print instead what makes a host of Amazon Linux 2023; the program comes from SOURCE, "
        "a folder s3://… of scripts/wheels, or what pip is to install",
    )
    parser.add_argument("--force", action="store_true", help="also over files that differ")


def run(arguments: argparse.Namespace) -> int:
    """Print or write the files; say what is left to do."""
    from ..config.kcl_rules import notes_of_worker  # noqa: PLC0415
    from ..config.properties import SettingsError, load  # noqa: PLC0415
    from ..fleet.units import NotOnOneHost, host_files  # noqa: PLC0415
    from ..fleet.user_data import user_data  # noqa: PLC0415

    try:
        pipelines = [load(path) for path in arguments.properties]
        for one in pipelines:
            for sentence in notes_of_worker(one):
                print(f"note  {one.path}: {sentence}", file=sys.stderr)
        if arguments.user_data:
            print(user_data(pipelines, arguments.user_data), end="")
            return EXIT_OK
        files = host_files(pipelines)
        if arguments.into is None:
            print("\n".join(f"# ==== {path}\n\n{text}" for path, text in files.items()), end="")
            return EXIT_OK
        os.umask(0o022)  # the pipeline's user is to read them, whatever root's own files are like
        write(files, Path(arguments.into), force=arguments.force)
    except (SettingsError, NotOnOneHost, Differs) as error:
        return complain(error, EXIT_USAGE)
    except OSError as error:
        return complain(f"{error.filename}: cannot be written: {error.strerror}", EXIT_USAGE)
    print("\n".join(left_to_do(pipelines, arguments.into)), file=sys.stderr)
    return EXIT_OK


class Differs(Exception):
    """A file is there, and says something else."""


def write(files: Mapping[str, str], directory: Path, *, force: bool = False) -> None:
    """Write the files below a directory, with a line for each; none if one is there that differs.

    Raises Differs, OSError.
    """
    paths = {directory / path.lstrip("/"): text.encode() for path, text in files.items()}
    there = {path: path.read_bytes() for path in paths if path.exists()}
    other = [str(path) for path in there if there[path] != paths[path]]
    if other and not force:
        raise Differs(
            f"{', '.join(other)}: there already, and other than it would be written; nothing is "
            "written: take --force to write all the same, or keep what is yours in a drop-in "
            "(systemctl edit)"
        )
    for path, text in paths.items():
        if there.get(path) == text:
            print(f"{path}: is there already")
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)
        print(f"{path}: written")


def left_to_do(pipelines: Sequence[Settings], into: str) -> list[str]:
    """Return what a person has to type so that the pipelines run, and after a change."""
    from ..fleet.pipeline_file import secrets, secrets_path  # noqa: PLC0415
    from ..fleet.units import services, timers  # noqa: PLC0415

    todo = []
    for one in pipelines:
        if names := list(secrets(one)):
            path = secrets_path(one)
            # What is there already, a password perhaps, stays.
            todo.append(f"test -e {path} || install -m 600 /dev/null {path}")
            lines = " ".join(f"{name}=…" for name in names)
            todo.append(f"vi {path}  # a line of each: {lines}")
    units = " ".join([*services(pipelines), *timers(pipelines)])
    todo += ["systemctl daemon-reload", f"systemctl enable --now {units}"]
    files = shlex.join(one.path for one in pipelines)
    again = [
        f"kinesis-connectors systemd {files} --into {shlex.quote(into)} --force",
        "systemctl daemon-reload",
        f"systemctl restart {' '.join(services(pipelines))}",
    ]
    return [
        *("left to do, as root:", *(f"  {each}" for each in todo)),
        *("after a setting changes:", *(f"  {each}" for each in again)),
    ]
