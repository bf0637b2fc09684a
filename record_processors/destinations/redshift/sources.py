"""What COPY reads: the files themselves, and others in the place of those that were repaired."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...files.file import File
from .fault import BadRows, Fault, SetAside
from .ledger import RejectedFile
from .repair import Repaired


class Sources:
    """The files that one COPY reads, and of which announced file each is."""

    def __init__(self, files: Sequence[File], repaired: Mapping[File, Repaired]) -> None:
        self.repaired = {file: repaired[file] for file in files if file in repaired}
        self._originals = {
            self.repaired[file].file if file in self.repaired else file: file for file in files
        }

    @property
    def files(self) -> list[File]:
        """What COPY reads, in the order of the files that are announced."""
        return list(self._originals)

    def original(self, file: File) -> File:
        """Return the announced file that COPY reads this one for."""
        return self._originals.get(file, file)

    def of_originals(self, fault: Fault) -> Fault:
        """Say of announced files what was found of those that COPY read."""
        if isinstance(fault, SetAside):
            return SetAside([RejectedFile(self.original(one), why) for one, why in fault.files])
        if isinstance(fault, BadRows):
            return fault._replace(
                files=list(self._originals.values()),
                complaints={self.original(file): of for file, of in fault.complaints.items()},
            )
        return fault
