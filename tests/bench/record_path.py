"""CPU of a whole child for each record, its PUTs and announcements included."""

from statistics import median

from bench.child import BARE
from bench.messages import EMPTY, deliveries

KINDS = ("text", "json", "delimited", "csv")
PER_LINE = (1_000, 10_000)
WARM = 10_000  # records that come before the measure: what happens once belongs to the start
RECORDS = 100_000
CALLS = 2_000


def record_path(workbench):
    """Yield a row for the yardstick and for each transformer."""
    costs = {}
    for per_line in PER_LINE:
        lines = list(deliveries(workbench.payloads, WARM + workbench.some(RECORDS), per_line))
        for _ in range(workbench.rounds):
            with workbench.program("-c", BARE) as child:
                costs.setdefault(("bare", per_line), []).append(_cost(child, lines, per_line))
            for kind in KINDS:
                with workbench.child(workbench.pipeline(transformer=kind)) as child:
                    costs.setdefault((kind, per_line), []).append(_cost(child, lines, per_line))
    for kind in ("bare", *KINDS):
        cells = []
        for per_line in PER_LINE:
            found, yardstick = costs[kind, per_line], costs["bare", per_line]
            ratio = median(one / other for one, other in zip(found, yardstick, strict=True))
            cells += [f"{median(found):.2f}", f"{ratio:.2f}"]
        yield "bare amazon_kclpy" if kind == "bare" else f"{kind} to gzip", cells


def _cost(child, lines, per_line):
    warm = WARM // per_line
    for line in lines[:warm]:
        child.say(line)
    before = child.cpu
    for line in lines[warm:]:
        child.say(line)
    return (child.cpu - before) / (len(lines) - warm) / per_line * 1e6


def empty_calls(workbench):
    """Yield the CPU of a call without records."""
    bare, ours = [], []
    for _ in range(workbench.rounds):
        with workbench.program("-c", BARE) as child:
            bare.append(_idle(child, workbench.some(CALLS)))
        with workbench.child(workbench.pipeline()) as child:
            ours.append(_idle(child, workbench.some(CALLS)))
    ratio = median(one / other for one, other in zip(ours, bare, strict=True))
    yield "bare amazon_kclpy", [f"{median(bare):.0f}", "1.00"]
    yield "s3-manifest", [f"{median(ours):.0f}", f"{ratio:.2f}"]


def _idle(child, calls):
    child.say(EMPTY)
    before = child.cpu
    for _ in range(calls):
        child.say(EMPTY)
    return (child.cpu - before) / calls * 1e6
