"""``scripts/bench``: everything, side by side in one run; prints a table."""

import argparse
import os
import platform
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from bench import destinations, growth, load, record_path, weight, whole
from bench.workbench import Workbench
from record_processors.local.stack import Stack

README = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- the last recorded run -->\n```\n", "```\n"

PARTS = {
    "record": (
        "CPU per record, file and message included",
        ["µs, 1,000 a line", "of bare", "µs, 10,000 a line", "of bare"],
        record_path.record_path,
    ),
    "destinations": (
        "each destination, answered after 5 ms",
        ["µs a record", "of bare", "at first", "at last", "records/s", "calls per 1,000", "MiB"],
        destinations.destinations,
    ),
    "empty": ("CPU per call without records", ["µs", "of bare"], record_path.empty_calls),
    "memory": (
        "memory of a child, MiB",
        ["idle", "peak, 1,000 a line", "peak, 10,000 a line"],
        weight.memory,
    ),
    "start": ("start to the first answer", ["ms", "of boto3"], weight.start),
    "age": ("one child grows older", ["µs per record", "MiB"], growth.age),
    "restart": ("a new life, up to its first file", ["ms of CPU", "calls of S3"], growth.restart),
    "load": (
        "stage two",
        ["µs of CPU per file", "ms per file", "calls of S3", "statements of SQL"],
        load.load,
    ),
    "catch-up": (
        "the whole, on a full stream",
        ["µs of CPU a record", "of bare", "seconds", "MiB of Java", "MiB of all"],
        whole.catch_up,
    ),
    "steady": (
        "the whole, four shards, as records come",
        ["ms of CPU a second", "of bare", "MiB of Java", "MiB of all"],
        whole.steady,
    ),
}


def main():
    """Run the parts that are named, or all."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--rounds", type=int, default=7, help="of each measure (default: 7)")
    parser.add_argument("--small", action="store_true", help="a try: the figures mean nothing")
    parser.add_argument("--record", action="store_true", help="write the run into the README")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no part is named {', '.join(sorted(unknown))}")

    began, told = time.monotonic(), []
    with (
        tempfile.TemporaryDirectory() as folder,
        Stack(Path(folder), throttled=True) as stack,
    ):
        os.environ.update(stack.environment)
        workbench = Workbench(
            stack, Path(folder), 1 if options.small else options.rounds, small=options.small
        )
        for line in _lines(workbench, options.parts or PARTS):
            print(line, flush=True)
            told.append(line)
    told.append(f"\n{_machine()}, {options.rounds} rounds, {time.monotonic() - began:.0f} s")
    print(told[-1])
    if options.record:
        before, _, rest = README.read_text().partition(BEGIN)
        after = rest.partition(END)[2]
        README.write_text(before + BEGIN + "\n".join(told) + "\n" + END + after)


def _lines(workbench, parts):
    for part in parts:
        title, columns, measure = PARTS[part]
        widths = [max(len(column), 6) for column in columns]
        yield ""
        yield _row(title, columns, widths)
        for label, cells in measure(workbench):
            yield _row(f"  {label}", cells, widths)


def _row(label, cells, widths):
    return f"{label:<44}" + "".join(
        f"  {cell:>{width}}" for cell, width in zip(cells, widths, strict=True)
    )


def _machine():
    with Path("/proc/cpuinfo").open() as lines:
        model = next(
            (each.partition(": ")[2].strip() for each in lines if "model name" in each), ""
        )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} CPUs ({model or platform.machine()}), {memory:.0f} GiB, "
        f"Python {platform.python_version()}, boto3 {version('boto3')}"
    )


if __name__ == "__main__":
    sys.exit(main())
