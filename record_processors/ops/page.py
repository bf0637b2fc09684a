"""The status for a person: 80 columns, the summary first, then the worst shards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from textwrap import fill

from ..errors import counted
from .attention import is_unknown, worst_first
from .shown import clock, shortened, size, span
from .status import Pipeline, Shard, State, Status

WIDTH = 80
SHOWN = 20  # shards of a pipeline; the others are summed up
OWNER = 20  # characters
OTHERS: dict[State, str] = {
    "no owner": "without an owner",
    "waiting": "waiting for parents",
    "ended": "ended",
}


def page(status: Status, shown: int = SHOWN) -> str:
    """Return it as lines; ``shown`` shards of each pipeline are told one by one."""
    parts = ["\n".join(_pipeline(each, status, shown)) for each in status.pipelines]
    parts += ["\n".join(_last(status))]
    return "\n\n".join(parts)


def fitting(status: Status, height: int) -> list[str]:
    """Return it as no more than ``height`` lines, with as many shards as there is room for.

    What needs a person comes last, and is what there is room for at the least.
    """
    for shown in range(SHOWN, 0, -1):
        lines = page(status, shown).splitlines()
        if len(lines) <= height:
            return lines
    last = "\n".join(_last(status)).splitlines()
    return [*lines[: max(height - len(last), 0)], *last[:height]]


def _pipeline(pipeline: Pipeline, status: Status, shown: int) -> Iterator[str]:
    at = f"{status.at:%Y-%m-%d %H:%M:%S} UTC"
    yield f"{pipeline.application}, from stream {pipeline.stream}, at {at}"
    if pipeline.shards:
        yield _item(_summary(pipeline))
    if (written := pipeline.written_in_the_last_hour) is not None:
        files, amount = counted(written.files, "file"), size(written.bytes)
        yield _item(f"written: {files} in the last hour, {amount}")
    told = {reason.sentence for reason in pipeline.attention}
    yield from (_item(sentence) for sentence in pipeline.said if sentence not in told)
    open_ones = worst_first(shard for shard in pipeline.shards if shard.state != "ended")
    if open_ones:
        yield ""
        yield from _table(pipeline.application, open_ones, shown)


def _item(sentence: str) -> str:
    return fill(
        sentence, WIDTH, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False,
        break_long_words=False,
    )  # fmt: skip


def _summary(pipeline: Pipeline) -> str:
    states = Counter(shard.state for shard in pipeline.shards)
    owners = {shard.owner for shard in pipeline.shards if shard.state == "reading"}
    parts = [f"{states['reading']:,} of {counted(len(pipeline.shards), 'shard')} read by "
             f"{counted(len(owners), 'worker')}"]  # fmt: skip
    parts += [f"{states[state]:,} {word}" for state, word in OTHERS.items() if states[state]]
    if pipeline.behind is not None:
        parts.append(f"{_at(pipeline.shards)} {span(pipeline.behind)} behind{_pace(pipeline)}")
    return ", ".join(parts)


def _pace(pipeline: Pipeline) -> str:
    """Say how fast the worst shard catches up, or falls behind; once it is known."""
    worst = max(pipeline.shards, key=lambda shard: shard.behind or 0)
    if not worst.behind or worst.shrinks is None:
        return ""
    if worst.shrinks <= 0:
        return f" (growing by {-worst.shrinks:.1f} s a second)"
    left = span(worst.behind / worst.shrinks)
    return f" (shrinking by {worst.shrinks:.1f} s a second: {left} to go)"


def _table(application: str, shards: list[Shard], shown: int) -> Iterator[str]:
    yield _row("shard", "behind", "checkpoint", "last file", "owner")
    for shard in shards[:shown]:
        file = clock(shard.last_file.written) if shard.last_file else "-"
        yield _row(
            shard.shard, _behind(shard), _checkpoint(shard), file, _owner(shard, application)
        )
    if rest := shards[shown:]:
        most = max(shard.behind or 0 for shard in rest)
        yield f"  and {len(rest):,} more, {_at(rest)} {span(most)} behind"


def _at(shards: Iterable[Shard]) -> str:
    """Say what the most is that some shards are behind, as far as that is known."""
    return "at least" if any(map(is_unknown, shards)) else "at most"


def _row(shard: str, behind: str, checkpoint: str, file: str, owner: str) -> str:
    return (
        f"  {shortened(shard, 20):<20}  {behind:>8}  {checkpoint:<12}  {file:<10}  {owner}".rstrip()
    )


def _behind(shard: Shard) -> str:
    if shard.lost:
        return "LOST"
    if shard.state == "waiting":
        return "waits"
    return "unknown" if shard.behind is None else span(shard.behind)


def _owner(shard: Shard, application: str) -> str:
    """Write who has it; `run` calls a worker by its host and the application."""
    if not shard.owner:
        return "NONE"
    return shortened(shard.owner.removesuffix(f"-{application}"), OWNER)


def _checkpoint(shard: Shard) -> str:
    """Write the end of a position, by which two of them can be told apart."""
    if not shard.checkpoint[0].isdigit():
        return shard.checkpoint
    return shard.checkpoint if len(shard.checkpoint) <= 12 else f"…{shard.checkpoint[-11:]}"


def _last(status: Status) -> Iterator[str]:
    for delay in status.end_to_end:
        first, second = delay.applications
        after = "not known" if delay.seconds is None else f"about {span(delay.seconds)}"
        yield _item(f"end to end, {first} and {second}: {after} from arrival").lstrip()
    reasons = [
        (pipeline.application, one) for pipeline in status.pipelines for one in pipeline.attention
    ]
    if not reasons:
        yield "nothing needs a person"
    for application, reason in reasons:
        yield _item(f"! {application}: {reason.sentence}").lstrip()
