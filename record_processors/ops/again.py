"""Letters of what was put back in vain: each knows its first."""

from __future__ import annotations

from collections.abc import Mapping

from ..flow.dead_letters import DeadLetters
from ..flow.letter import LetterAgain, StoredLetter
from ..flow.record import Position, Record


class LettersAgain(DeadLetters):
    """Writes letters as a pipeline does, for records that ``before`` has letters of."""

    before: Mapping[Position, StoredLetter]
    to: tuple[str, ...] = ()

    def _line(self, record: Record, stage: str, reason: str) -> bytes:
        return LetterAgain(
            stream=self.stream,
            shard=self.shard,
            position=str(record.position),
            arrival=record.arrival,
            partition_key=record.partition_key,
            data=record.data,
            stage=stage,
            reason=reason,
            first=self.before[record.position].first or "",
            to=self.to,
        ).encode()
