"""``completion``: the script by which a shell completes our command line."""

from __future__ import annotations

import argparse

from ..errors import EXIT_OK, EXIT_USAGE
from ..extras import missing
from .command import complain

SHELLS = ("bash", "zsh", "fish")

HELP = "print the completion script of a shell"
MORE = "Needs shtab: pip install 'kinesis-connectors[completion]'."
EXAMPLE = (
    "kinesis-connectors completion bash >~/.local/share/bash-completion/completions/"
    "kinesis-connectors\n"
    '  kinesis-connectors completion zsh >"${fpath[1]}/_kinesis-connectors"\n'
    "  kinesis-connectors completion fish >~/.config/fish/completions/kinesis-connectors.fish"
)

# What stands where, by the word that the help has for it.
FILES, FOLDERS = {"PROPERTIES", "FILE", "SQL"}, {"DIRECTORY", "FOLDER"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take a shell."""
    parser.add_argument("shell", metavar="SHELL", choices=SHELLS, help=", ".join(SHELLS))


def run(arguments: argparse.Namespace) -> int:
    """Print the script."""
    if sentence := missing("completion", "shtab"):
        return complain(sentence, EXIT_USAGE)
    import shtab  # noqa: PLC0415

    from .main import parser  # noqa: PLC0415

    whole = parser()
    files, folders = dict.fromkeys(FILES, shtab.FILE), dict.fromkeys(FOLDERS, shtab.DIRECTORY)
    _mark(whole, {**files, **folders})
    print(shtab.complete(whole, arguments.shell))
    return EXIT_OK


def _mark(parser: argparse.ArgumentParser, completions: dict[str, object]) -> None:
    """Tell shtab where files stand, by the attribute that it reads, and each command shortly."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for sub in action.choices.values():
                sub.description = str(sub.description).partition(". ")[0].rstrip(".")
                _mark(sub, completions)
        elif action.metavar in completions:
            action.complete = completions[str(action.metavar)]  # type: ignore[attr-defined]
