"""The picture of an audit: shards as rows over time, their files as blocks, gaps in red."""

from __future__ import annotations

import html
from collections.abc import Sequence
from itertools import groupby, islice, pairwise
from pathlib import Path
from typing import IO, NamedTuple

from .report import STATES, Report
from .scratch import IN_S3, KEPT_OUT, LOADED, LOST, OF_CHAINS, WAITING, Scratch, moment
from .telling import figures

WIDTH = 1200  # pixels of the whole time
ROW = 14  # pixels of a shard
NARROWEST = 3.0  # pixels of a block
MOST_BLOCKS = 20_000  # which a browser draws in a moment
NAMES = 200  # pixels, left of the rows

COLOURS = {IN_S3: "#4c78a8", LOADED: "#3a9a5b", WAITING: "#e0a824", KEPT_OUT: "#8e5bb5"}
COLOURS[LOST] = "#111111"
RED = "#d62728"
WORST_FIRST = (LOST, KEPT_OUT, WAITING, IN_S3, LOADED)

PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>audit</title><style>
body {{ font: 13px/1.5 system-ui, sans-serif; margin: 1.5em; color: #222; background: #fff }}
h2 {{ font-size: 16px; margin: 1.5em 0 .3em }}
dl {{ display: grid; grid-template-columns: 5em 60em }} dt {{ color: #777 }} dd {{ margin: 0 }}
svg {{ display: block }} text {{ font-size: 10px; fill: #555 }}
.wrong {{ color: {red} }} code {{ background: #f3f3f3; display: block }}
p {{ max-width: 1400px; overflow-wrap: anywhere }}
.key {{ display: inline-block; width: 1em; height: 1em; vertical-align: -.15em }}
.key {{ margin: 0 .3em 0 1em }}
rect:hover {{ stroke: #000 }} .hole {{ fill: {red} }} {classes}
</style></head><body>
"""


class Block(NamedTuple):
    """Files of one shard and column that stand next to each other, drawn as one."""

    state: int
    files: int
    first: str
    last: str


def draw(path: str, audits: Sequence[tuple[Report, Scratch]]) -> None:
    """Write the page. Raises OSError."""
    with Path(path).open("w", encoding="utf-8") as page:
        classes = " ".join(f".s{state} {{ fill: {one} }}" for state, one in COLOURS.items())
        page.write(PAGE.format(red=RED, classes=classes))
        for report, scratch in audits:
            _pipeline(page, report, scratch)
        page.write("</body></html>\n")


def _pipeline(page: IO[str], report: Report, scratch: Scratch) -> None:
    page.write(f"<h2>{html.escape(report.application)}</h2>\n<dl>")
    for name, text in figures(report):
        page.write(f"<dt>{name}</dt><dd>{html.escape(text)}</dd>")
    page.write("</dl>\n")
    if report.files:
        _rows(page, report, scratch)
    for one in islice(report.found, 200):
        page.write(
            f'<p><b class="wrong">{one.kind}</b> {html.escape(one.object)}<br>'
            f"{html.escape(one.sentence)}"
            + "".join(f"<code>{html.escape(command)}</code>" for command in one.commands)
            + "</p>\n"
        )


def _rows(page: IO[str], report: Report, scratch: Scratch) -> None:
    """Draw the rows; a column is as many hours as fit, and a block as many files."""
    begin = int(report.first_hour.timestamp()) if report.first_hour else 0
    end = int(report.last_hour.timestamp()) if report.last_hour else 0
    hours, shards = (end - begin) // 3600 + 1, sorted(chain.shard for chain in report.chains)
    gaps = _gaps(scratch)
    shards = sorted({*shards, *gaps})
    columns = max(1, min(hours, WIDTH // int(NARROWEST), MOST_BLOCKS // len(shards)))
    width = WIDTH / columns
    most = max(1, min(int(width / NARROWEST), MOST_BLOCKS // (len(shards) * columns)))
    _legend(page, report)
    page.write(f'<svg width="{NAMES + WIDTH + 10}" height="{ROW * len(shards) + 20}">\n')
    places = {shard: number * ROW for number, shard in enumerate(shards)}
    for shard, top in places.items():
        page.write(f'<text x="0" y="{top + 10}">{html.escape(shard)}</text>\n')
    files = scratch.db.execute(
        "SELECT shard, min((hour - ?) / 3600 * ? / ?, ? - 1), first, key, state "  # noqa: S608
        f"FROM files WHERE {OF_CHAINS} ORDER BY number",
        (begin, columns, hours, columns),
    )
    for (shard, column), cell in groupby(files, lambda row: (row[0], row[1])):
        top, left = places[shard], NAMES + column * width
        rows = [(first, key, state) for _, _, first, key, state in cell]
        blocks = _blocks(rows, most)
        step = width / len(blocks)
        for number, block in enumerate(blocks):
            x = left + number * step
            page.write(_rect(x, top, step, f"s{block.state}", _hover(block)))
        for first, what in [one for one in gaps.get(shard, ()) if one[0] <= rows[-1][0]]:
            at = sum(row[0] < first for row in rows) / len(rows)
            page.write(_rect(left + at * width - NARROWEST / 2, top, NARROWEST, "hole", what))
            gaps[shard].remove((first, what))
    for shard, left_over in gaps.items():
        for number, (_, what) in enumerate(left_over):
            x = NAMES + WIDTH + number * NARROWEST
            page.write(_rect(x, places[shard], NARROWEST, "hole", what))
    bottom = ROW * len(shards) + 14
    for x, seconds in ((NAMES, begin), (NAMES + WIDTH - 90, end)):
        page.write(f'<text x="{x}" y="{bottom}">{moment(seconds):%Y-%m-%d %H:00} UTC</text>\n')
    page.write("</svg>\n")


def _gaps(scratch: Scratch) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for shard, first, what in scratch.rows("SELECT shard, first, what FROM gaps"):
        found.setdefault(str(shard), []).append((str(first), str(what)))
    return found


def _blocks(rows: Sequence[tuple[str, str, int]], most: int) -> list[Block]:
    """Put files together, so that there are no more blocks than fit; the worst gives the colour."""
    count = min(len(rows), most)
    edges = [len(rows) * number // count for number in range(count + 1)]
    blocks = []
    for begin, end in pairwise(edges):
        part = rows[begin:end]
        states = {state for _, _, state in part}
        worst = next(state for state in WORST_FIRST if state in states)
        blocks.append(Block(worst, len(part), part[0][1], part[-1][1]))
    return blocks


def _hover(block: Block) -> str:
    state = STATES.get(block.state, "in S3")
    if block.files == 1:
        return f"{block.first}: {state}"
    return f"{block.files:,} files, {block.first} to {block.last}: {state}, the worst of them"


def _rect(x: float, top: int, width: float, kind: str, hover: str) -> str:
    return (
        f'<rect class="{kind}" x="{x:.1f}" y="{top}" width="{max(width - 0.4, 0.4):.1f}" '
        f'height="{ROW - 2}"><title>{html.escape(hover)}</title></rect>\n'
    )


def _legend(page: IO[str], report: Report) -> None:
    shown = {**STATES} if report.states else {IN_S3: "in S3"}
    for state, name in shown.items():
        colour = COLOURS.get(state, RED)
        page.write(f'<span class="key" style="background: {colour}"></span>{name}')
    page.write(f'<span class="key" style="background: {RED}"></span>missing\n')
