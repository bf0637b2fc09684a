"""The benchmark runs; what it finds is read by people."""

import os
import re
import subprocess
import sys

from bench.destinations import KINDS
from support.paths import TESTS


def test_every_part_on_pipes_can_be_measured():
    """Each part that needs no daemon prints its rows, and a number in each column."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "bench",
            "--small",
            "record",
            "destinations",
            "empty",
            "restart",
            "load",
        ],
        cwd=TESTS.parent,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows = [line[46:].split() for line in done.stdout.splitlines() if line.startswith("  ")]
    assert len(rows) == 5 + 1 + len(KINDS) + 2 + 1 + 1
    assert all(re.fullmatch(r"[\d.]+", cell) for row in rows for cell in row)


def test_a_recorded_run_stands_in_the_readme():
    """The page holds a run: its parts, and the machine that it ran on."""
    recorded = (TESTS / "bench" / "README.md").read_text().split("```")[1]
    for title in (
        "CPU per record",
        "memory of a child",
        "stage two",
        "a full stream",
        "CPUs (",
    ):
        assert title in recorded
