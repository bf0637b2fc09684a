"""What several files that are given together are to each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..config.component import Destination
from ..config.keys import STREAM_NAME
from ..config.registry import chosen
from ..config.setting import Settings
from ..errors import Fatal
from ..files.chain_emitter import ChainEmitter
from ..files.file_ledger import FileLedger


class NotTogether(Exception):
    """The files that were given make no sense together, and why, in one sentence."""


@dataclass(frozen=True)
class FilesAndTable:
    """A pipeline that writes a chain of files, and the one that loads them, if any does."""

    files: Settings
    table: Settings | None
    ledger: FileLedger | None


def chain_writer(settings: Settings) -> type[ChainEmitter] | None:
    """Return the class that writes a chain of files for a pipeline; None if none does."""
    destination: type[Destination] = chosen(settings.texts).destination
    for each in (*destination.members.values(), destination):
        if issubclass(each, ChainEmitter):
            return each
    return None


def chain_names(settings: Settings) -> tuple[str, ...]:
    """Return which of several destinations write a chain; none if there is one destination.

    To ``Emitter.only`` they are what writes a file again, and gives the others no record again.
    """
    members = chosen(settings.texts).destination.members
    return tuple(name for name, each in members.items() if issubclass(each, ChainEmitter))


def ledger_of(settings: Settings) -> FileLedger | None:
    """Return the ledger of the files that a pipeline loads; None if it loads none."""
    things = chosen(settings.texts).destination.resources(settings)
    return next((one for one in things if isinstance(one, FileLedger)), None)


def together(files: Sequence[Settings]) -> list[FilesAndTable]:
    """Return each pipeline that writes files with the one that loads them. Raises NotTogether."""
    writers = [(one, writer) for one in files if (writer := chain_writer(one))]
    loaders = [one for one in files if not chain_writer(one)]
    pairs = []
    for settings, writer in writers:
        stream = writer.announces_on(settings)
        own = ledger_of(settings)
        readers = [one for one in loaders if stream is not None and one[STREAM_NAME] == stream]
        if len(readers) > 1:
            both = " and ".join(one.path for one in readers)
            raise NotTogether(f"{both} read the same files: give one of them at a time")
        loaders = [one for one in loaders if one not in readers]
        table = settings if own else readers[0] if readers else None
        pairs.append(FilesAndTable(settings, table, ledger_of(table) if table else None))
    for one in loaders:
        raise NotTogether(
            f"{one.path} writes no files, nor reads the messages of a file that is given: give "
            "the file of its first stage too"
        )
    return pairs


def the_chain_emitter(emitter: object) -> ChainEmitter:
    """Return the part of a pipeline's emitter that writes a chain: itself, or the last of several.

    Raises Fatal if there is none.
    """
    members = getattr(emitter, "emitters", {})
    for one in (*members.values(), emitter):
        if isinstance(one, ChainEmitter):
            return one
    raise Fatal("connectorDestination writes no chain of files, so that there is none to replay")
