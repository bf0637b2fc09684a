"""Letters of what was put back in vain: each knows its first."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from ..flow.dead_letters import DeadLetters
from ..flow.letter import LetterAgain, StoredLetter
from ..flow.record import Position, Record


class LettersAgain(DeadLetters):
    """Writes letters as a pipeline does, for records that ``before`` has letters of."""

    before: Mapping[Position, StoredLetter]
    to: tuple[str, ...] = ()

    def _letter(self, record: Record, stage: str, reason: str) -> LetterAgain:
        letter = msgspec.structs.asdict(super()._letter(record, stage, reason))
        return LetterAgain(**letter, first=self.before[record.position].first or "", to=self.to)
