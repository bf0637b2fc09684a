"""The figures of a report, in words and for machines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import counted
from .hours import said
from .report import STATES, Report


def figures(report: Report) -> Iterator[tuple[str, str]]:
    """Yield what is said of each thing, with its name."""
    chains = report.chains
    if not report.files or report.first_hour is None or report.last_hour is None:
        yield "files", "none are there"
    else:
        hours = f"{said(report.first_hour)} to {said(report.last_hour)}"
        yield "files", f"{report.files:,} of {counted(len(chains), 'shard')}, {hours} (UTC)"
        yield "chain", _chain(report)
        yield "begins", _beginnings(report)
        if report.is_to_the_end:
            yield "ends", _ends(report)
        yield "read", _read(report)
    if report.table is not None:
        yield "table", _table(report)
    if report.rows:
        rows = f"{report.rows.counted:,} in the table, {report.rows.entered:,} by the ledger"
        yield (
            "rows",
            f"{rows}; left out {report.rows_left_out:,}, letters of them "
            f"{report.letters_of_rows:,}",
        )
    if report.redriven:
        told = counted(report.redriven, "file")
        yield "redriven", ": ".join([told, *_in_words(report.redriven_states)])
    for note in report.notes:
        yield "note", note


def _chain(report: Report) -> str:
    chains = report.chains
    lives, looked = (sum(getattr(one, name) for one in chains) for name in ("lives", "looked_at"))
    told = (
        f"by {counted(looked, 'look')} at files: {counted(lives, 'life').replace('lifes', 'lives')}"
    )
    if silent := sum(one.silent for one in chains):
        told += f"; {counted(silent, 'file')} of an older version, which say nothing of their place"
    if passed := sum(one.after is not None for each in chains for one in each.passed_over):
        told += (
            f"; {passed:,} began at a checkpoint behind the file before: what lay between left no "
            "rows, by that checkpoint's word"
        )
    return told


def _beginnings(report: Report) -> str:
    begins = Counter(
        "" if one.older else "after a checkpoint" if one.begins[:1].isdigit() else one.begins
        for one in report.chains
    )
    names = {"": "with files of before that are not listed"}
    told = [
        f"{names.get(begin, begin)} ({counted(count, 'shard')})" for begin, count in begins.items()
    ]
    if report.gone:
        told.append(f"the ledger has {counted(report.gone, 'file')} from before")
    return ", ".join(told)


def _ends(report: Report) -> str:
    told = [f"at the checkpoint ({counted(report.at_checkpoint, 'shard')})"]
    if report.ended:
        told.append(f"ended, and not compared ({counted(report.ended, 'shard')})")
    if alone := len(report.chains) - report.compared:
        told.append(f"without a lease ({counted(alone, 'shard')})")
    if report.behind_checkpoint:
        told.append(f"{counted(report.behind_checkpoint, 'file')} behind it, as work goes on")
    if report.short_of_checkpoint:
        told.append(
            f"before it ({counted(report.short_of_checkpoint, 'shard')}: what came after the last "
            "file left no rows, by the checkpoint's word)"
        )
    if report.without_files:
        told.append(
            f"{counted(report.without_files, 'shard')} without a file (what was read left no rows, "
            "or has expired)"
        )
    return ", ".join(told)


def _read(report: Report) -> str:
    kept, filtered, refused, skipped = _sums(report)
    told = f"{kept + filtered + refused + skipped:,} = kept {kept:,} + filtered {filtered:,}"
    told += f" + refused {refused:,}"
    if skipped:
        told += f" + in files found {skipped:,}"
    told += f"; letters of records {report.letters_of_records:,}"
    if cut := sum(one.older > 0 for one in report.chains):
        told += f"; but for the first file of {counted(cut, 'shard')}"
    return told


def _sums(report: Report) -> tuple[int, ...]:
    names = ("records", "filtered", "refused", "skipped")
    return tuple(sum(getattr(one, name) for one in report.chains) for name in names)


def _table(report: Report) -> str:
    if not report.states:
        return f"{report.table}: not compared" if report.files else f"{report.table}: no files"
    return ": ".join([report.table or "", *_in_words(report.states)])


def _in_words(states: Mapping[int, int]) -> Iterator[str]:
    if states:
        yield ", ".join(f"{name} {states.get(state, 0):,}" for state, name in STATES.items())


def _by_name(states: Mapping[int, int]) -> dict[str, int] | None:
    return {name: states.get(state, 0) for state, name in STATES.items()} if states else None


def in_figures(report: Report) -> dict[str, Any]:
    """Return what is seen, with names that stay."""
    kept, filtered, refused, skipped = _sums(report)
    chains = report.chains
    return {
        "application": report.application,
        "place": report.place,
        "files": report.files,
        "bytes": report.bytes,
        "shards": len(chains),
        "firstHour": report.first_hour and said(report.first_hour),
        "lastHour": report.last_hour and said(report.last_hour),
        "looks": sum(one.looked_at for one in chains),
        "lives": sum(one.lives for one in chains),
        "filesOfOlderVersion": sum(one.silent for one in chains),
        "livesBehindTheFileBefore": sum(
            one.after is not None for each in chains for one in each.passed_over
        ),
        "shardsAtCheckpoint": report.at_checkpoint,
        "shardsEnded": report.ended,
        "shardsWithoutFiles": report.without_files,
        "shardsShortOfCheckpoint": report.short_of_checkpoint,
        "filesBehindCheckpoint": report.behind_checkpoint,
        "kept": kept,
        "filtered": filtered,
        "refused": refused,
        "inFilesFound": skipped,
        "lettersOfRecords": report.letters_of_records,
        "table": report.table,
        "loadedBefore": report.gone,
        "states": _by_name(report.states),
        "redriven": report.redriven,
        "redrivenStates": _by_name(report.redriven_states),
        "rowsInTable": report.rows and report.rows.counted,
        "rowsInLedger": report.rows and report.rows.entered,
        "rowsLeftOut": report.rows_left_out,
        "lettersOfRows": report.letters_of_rows,
        "notes": report.notes,
    }
