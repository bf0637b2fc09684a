"""Letters counted by stage and reason: reasons that differ in a place or a number are one."""

from __future__ import annotations

import re
from dataclasses import dataclass

MOST_GROUPS = 1000  # beyond which reasons are counted together
OTHERS = "other reasons"

# What differs from letter to letter: files, quoted text, numbers.
_VARIES = re.compile(r"s3://[^\s,;]+|'[^']*'|\"[^\"]*\"|[0-9][0-9.,:-]*")


@dataclass
class Group:
    """Letters of one stage and reason; ``reason`` is the first's, ``where`` is its file.

    With ``settled`` they are those that are never to be put back, for that reason.
    """

    stage: str
    reason: str
    where: str
    first: str
    last: str
    count: int = 0
    redriven: int = 0  # of these, put back already
    settled: str = ""

    @property
    def open(self) -> int:
        """How many of them are neither put back nor settled."""
        return 0 if self.settled else self.count - self.redriven


class Groups:
    """Counts letters; there are never more than some groups, whatever the reasons are."""

    def __init__(self) -> None:
        self._by_kind: dict[tuple[str, str, str], Group] = {}

    def add(
        self,
        stage: str,
        reason: str,
        where: str,
        when: str = "",
        *,
        is_redriven: bool = False,
        settled: str = "",
    ) -> None:
        """Count one; ``when`` is ISO 8601, UTC."""
        kind = stage, _VARIES.sub("*", reason), settled
        if kind not in self._by_kind and len(self._by_kind) >= MOST_GROUPS:
            reason, settled = OTHERS, settled and OTHERS
            kind = stage, reason, settled
        new = Group(stage, reason, where, when, when, settled=settled)
        group = self._by_kind.setdefault(kind, new)
        group.count += 1
        group.redriven += is_redriven
        group.first, group.last = min(group.first, when), max(group.last, when)

    @property
    def count(self) -> int:
        """How many letters there are."""
        return sum(group.count for group in self._by_kind.values())

    @property
    def groups(self) -> list[Group]:
        """Return them: those with the most letters that are not put back first."""
        found = self._by_kind.values()
        return sorted(found, key=lambda one: (-one.open, -one.count, one.stage))
