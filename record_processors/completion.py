"""Scripts by which a shell completes our command line."""

from __future__ import annotations

import argparse

import shtab

COMPLETIONS = {
    "PROPERTIES": shtab.FILE,
    "FILE": shtab.FILE,
    "SQL": shtab.FILE,
    "DIRECTORY": shtab.DIRECTORY,
}


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """Return the script of a shell that completes commands, options, files and choices."""
    _mark(parser)
    return str(shtab.complete(parser, shell))


def _mark(parser: argparse.ArgumentParser) -> None:
    """Tell shtab where files stand, by the attribute that it reads, and each command shortly."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for sub in action.choices.values():
                sub.description = str(sub.description).partition(". ")[0].rstrip(".")
                _mark(sub)
        elif action.metavar in COMPLETIONS:
            action.complete = COMPLETIONS[str(action.metavar)]  # type: ignore[attr-defined]
