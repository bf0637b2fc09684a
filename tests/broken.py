"""Copies of the package with one line broken, for the tests of the tests."""

import shutil
from pathlib import Path
from typing import NamedTuple

import record_processors

PACKAGE = Path(record_processors.__file__).parent

# What the log of a copy says that does not run at all, or trips over the broken line itself.
NOT_RUNNING = (
    "SyntaxError",
    "NameError",
    "ImportError",
    "UnboundLocalError",
    "AttributeError",
    "TypeError",
)


class Broken(NamedTuple):
    """``old`` stands once in ``file``; with ``new`` in its place something must notice.

    That is ``scenario``, if one is named; ``match`` is what must be noticed first, where that is
    not plain.
    """

    name: str
    file: str
    old: str
    new: str
    scenario: object = None
    match: str | None = None


def broken_copy(directory, broken):
    """Copy the package, and break it; return what PYTHONPATH must name."""
    copy = directory / PACKAGE.name
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("local"))
    file = copy / broken.file
    text = file.read_text()
    assert text.count(broken.old) == 1, f"{broken.name}: not once in {broken.file}: {broken.old}"
    file.write_text(text.replace(broken.old, broken.new))
    return directory
