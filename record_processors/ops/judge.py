"""What would become of letters: by the transformer and filter that the file names now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import compress
from typing import Any, NamedTuple

from ..config.keys import DESTINATION, STREAM_NAME
from ..config.registry import DESTINATIONS, is_plugin, names_in
from ..config.setting import Settings
from ..errors import Fatal, Rejection
from ..flow.batch import Kept
from ..flow.letter import StoredLetter
from ..flow.own_letters import OwnLetters
from ..flow.pipeline import CHUNK, Pipeline
from ..flow.record import Position, Record
from ..kcl.assembly import assemble
from .again import LettersAgain
from .redrive_log import Verdict


class Kind(NamedTuple):
    """Letters of one kind may be in a batch together."""

    is_records: bool
    stream: str
    shard: str
    to: tuple[str, ...]


class Judged(NamedTuple):
    """What would become of a letter; a refusal has a stage, and all but ``kept`` may have a why."""

    verdict: Verdict
    stage: str = ""
    why: str = ""


class PassedOver(Exception):
    """A file of letters cannot be put back now; ``is_for_ever`` if it never can, nor need be."""

    def __init__(self, why: str, *, is_for_ever: bool = False) -> None:
        super().__init__(why)
        self.is_for_ever = is_for_ever


class Judge:
    """Puts letters through transformer and filter; nothing is written anywhere."""

    def __init__(self, settings: Settings, kind: Kind) -> None:
        self.kind = kind
        self.pipeline = pipeline_for(settings, kind)

    def verdicts(self, letters: Sequence[StoredLetter]) -> list[Judged]:
        """Return what would become of each of these records."""
        records = list(map(record_of, letters))
        judged = []
        for start in range(0, len(records), CHUNK):
            judged += [one for one, _ in self._chunk(records[start : start + CHUNK])]
        return judged

    def kept(self, letters: Sequence[StoredLetter]) -> list[Kept[Any]]:
        """Return records with their rows, of which it was said that they are kept. Raises Fatal."""
        records = list(map(record_of, letters))
        kept = []
        for start in range(0, len(records), CHUNK):
            chunk = records[start : start + CHUNK]
            for record, (judged, rows) in zip(chunk, self._chunk(chunk), strict=True):
                if judged.verdict != "kept":
                    why = judged.why or "it is filtered out"
                    raise Fatal(
                        f"{record.position} of {self.kind.shard} was to be kept when its batch was "
                        f"begun, and is not any more ({why}): run redrive once with the "
                        "transformer and filter of then, which ends that batch"
                    )
                kept.append(Kept(record, rows))
        return kept

    def _chunk(self, records: Sequence[Record]) -> Iterator[tuple[Judged, Any]]:
        """As in ``Pipeline.process``."""
        flow = self.pipeline
        rows_of = flow.transformer.transform_all(records)
        verdicts = iter(flow.filter.keep_all(list(compress(records, rows_of))))
        for rows, taken in zip(rows_of, flow.emitter.loadable(rows_of), strict=True):
            kept: object = next(verdicts) if rows else rows
            if not kept:
                yield _passed_over("filter" if rows else "transform", kept), rows
            elif not taken:
                yield _passed_over("transform", taken), rows
            else:
                yield Judged("kept"), rows

    def close(self) -> None:
        """End what the emitter holds open."""
        self.pipeline.emitter.close()


def _passed_over(stage: str, verdict: object) -> Judged:
    if isinstance(verdict, Rejection):
        return Judged("refused", stage, verdict.reason)
    return Judged("filtered")


def pipeline_for(settings: Settings, kind: Kind) -> Pipeline[Any]:
    """Make the pipeline as it is now, for letters of one kind, and begin with their shard."""
    pipeline = assemble(settings.replacing({STREAM_NAME: kind.stream}), LettersAgain)
    pipeline.emitter = pipeline.emitter.only(kind.to)
    pipeline.start(kind.shard)
    return pipeline


def kind_of(
    letters: Sequence[StoredLetter], own: OwnLetters | None, settings: Settings, stage: str
) -> Kind:
    """Return the kind of the letters of a file; ``stage`` is the emitter's. Raises PassedOver.

    A letter of stage ``emit`` by one of several destinations goes to that one alone.
    """
    if own and all(map(own.owns, letters)):
        for standing in own.standing(letters):
            if standing.kind != "open":
                raise PassedOver(standing.why, is_for_ever=standing.kind == "void")
        return Kind(is_records=False, stream="", shard="", to=())
    first = letters[0]
    if first.stream is None or first.shard is None or any(one.position is None for one in letters):
        raise PassedOver("it does not say of which record it is")
    lacking: dict[str | None, set[str]] = {}
    for letter in letters:
        lacking.setdefault(letter.position, set()).update(_lacking(letter, stage))
    to, *others = lacking.values()
    if any(other != to for other in others):
        raise PassedOver("its letters are by several destinations")
    members = names_in(settings[DESTINATION])
    if absent := to - set(members):
        names = ", ".join(sorted(absent))
        raise PassedOver(f"it was refused by {names}, which connectorDestination does not name now")
    whole = () if to == set(members) else tuple(name for name in members if name in to)
    return Kind(is_records=True, stream=first.stream, shard=first.shard, to=whole)


def _lacking(letter: StoredLetter, stage: str) -> Sequence[str]:
    """Return which of several destinations lack a record; none if all do: see ``Several``."""
    by, colon, _ = letter.reason.partition(": ")
    is_named = letter.stage == stage and colon and (by in DESTINATIONS or is_plugin(by))
    return letter.to or ((by,) if is_named else ())


def record_of(letter: StoredLetter) -> Record:
    """Return the record that a letter was, at its old position."""
    position = Position.parse(letter.position or "")
    return Record(
        letter.data,
        str(position.sequence),
        position.sub_sequence,
        letter.partition_key,
        letter.arrival,
    )
