"""What became of the records of a life, as the files that it writes tell it."""

from __future__ import annotations

from typing import NamedTuple


class Account(NamedTuple):
    """What a life says of all that it has read, from its beginning to the end of a batch.

    It began after the checkpoint ``since``: a position, or where KCL begins without one
    (``TRIM_HORIZON``). Since then the shard has been cut into so many ``files``, this batch's
    included, whoever wrote them. Of the records, ``records`` were kept, ``filtered`` left no rows,
    ``refused`` are dead letters, and ``skipped`` lie in files that were found. So who lists the
    files of a shard sees by one of them whether all of a life are there.
    """

    since: str
    files: int
    records: int
    filtered: int
    refused: int
    skipped: int

    @property
    def metadata(self) -> dict[str, str]:
        """What the object says of it, from which ``read`` reads it again."""
        return {name: str(value) for name, value in self._asdict().items()}

    @classmethod
    def read(cls, metadata: dict[str, str]) -> Account | None:
        """Read it from an object's metadata; None if they do not say it, as of older versions."""
        since, *counts = (metadata.get(name, "") for name in cls._fields)
        if not since or not all(count.isascii() and count.isdigit() for count in counts):
            return None
        return cls(since, *map(int, counts))
