"""How much heap the daemon needs for its shards, and how much this host can give.

The daemon reads ahead of each child. While a child is slow (S3 is down, say) it holds, for each
shard, up to 8 MB of records and one more answer of GetRecords, the batch that the child works on
and the line of JSON that is made of it: whatever a shard holds then must fit, or the heap ends at
night. Sources: ``SimpleRecordsFetcherFactory`` of KCL 3.1.3 (3 batches, 8 MB, 30,000 records); an
answer has at most 10 MiB (docs.aws.amazon.com/kinesis/latest/APIReference/API_GetRecords.html).
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ..config.kcl_settings import MAX_LEASES, MAX_RECORDS, is_pushed
from ..config.kcl_types import MOST_INT, MOST_RECORDS
from ..config.setting import Settings
from ..errors import LaunchError

MIB = 2**20

# Measured with four shards whose children take a second for each batch, under the flags of java.py,
# whose large young part leaves less for what lives long. Answers of 10 MiB, of 10 records each: out
# of memory at 431 MiB, not at 479. Of 10,000 records of 1,000 bytes: at 633, not at 690; of 5,000:
# at 383, not at 431. Sixteen shards, answers of 10 records: 1,830 MiB held. These constants give
# 690 MiB at 10,000 records, 585 at 5,000, and 2,141 for sixteen shards. By fan-out it is less: of
# 24 MB in events of 2,000 records of 3,000 bytes, with such children, at most 81 MiB lived, where
# polling had 146; KCL holds eleven events (``FanOutRecordsPublisher``), and Kinesis the rest.
DAEMON_BYTES = 64 * MIB
SHARD_BYTES = 104 * MIB
RECORD_BYTES = 5_500  # for each of maxRecords: the objects of five batches in flight

# Resident beside the heap: code, classes, buffers, stacks; 150 to 170 MiB were measured.
BESIDE_HEAP = 200 * MIB
CHILD_BYTES = 80 * MIB  # one process for each shard, with the default buffers

# What the daemon and its children may take of a host, if the file does not say for which shards.
SHARE = 0.8
# Above it pointers take 8 bytes instead of 4 (-XX:+UseCompressedOops), and less fits.
LARGEST_HEAP = 31 * 1024 * MIB


class Need(NamedTuple):
    """Bytes that some shards need."""

    heap: int
    all: int  # with the rest of the daemon, and the children


def heap_size(settings: Settings, given: int | None) -> int:
    """Return the bytes of heap for the daemon of this file.

    ``given`` is what the user's own flags say, if they do. Raises LaunchError when that, or this
    host's memory, does not hold the file's shards (``maxLeasesForWorker``; at least one).
    """
    records = records_at_once(settings)
    leases = settings[MAX_LEASES] or 0
    leases = 0 if leases == MOST_INT else leases  # KCL's default: as many as there are
    least = need(leases or 1, records)
    if given is not None:
        if given < least.heap:
            lower = "maxLeasesForWorker" + ("" if is_pushed(settings) else " or maxRecords")
            raise LaunchError(
                f"the heap of {given // MIB} MiB (-Xmx) is too small: {_why(leases, settings)} "
                f"need -Xmx{least.heap // MIB}m; raise it, or lower {lower}"
            )
        return given
    host = host_memory()
    if host < least.all:
        raise LaunchError(
            f"this host's memory of {host // MIB} MiB is too small: {_why(leases, settings)} need "
            f"{least.all // MIB} MiB, the children included; lower maxLeasesForWorker, or take a "
            "larger host"
        )
    if leases:
        return least.heap
    shard = need(2, records).all - need(1, records).all
    more = max(0, int(host * SHARE) - least.all) // shard
    return min(need(1 + more, records).heap, LARGEST_HEAP)


def records_at_once(settings: Settings) -> int:
    """Return how many records come at once at most; under fan-out no setting says."""
    return MOST_RECORDS if is_pushed(settings) else settings[MAX_RECORDS]


def need(shards: int, records: int) -> Need:
    """Return what so many shards need at so many records a read, in bytes."""
    exact = DAEMON_BYTES + shards * (SHARD_BYTES + records * RECORD_BYTES)
    heap = -(-exact // MIB) * MIB  # Java is told whole MiB
    return Need(heap, heap + BESIDE_HEAP + shards * CHILD_BYTES)


def given_heap(options: Sequence[str]) -> int | None:
    """Return the bytes of heap that Java's own options set; the last one counts."""
    found = None
    for option in options:
        if match := re.fullmatch(r"(?:-Xmx|-XX:MaxHeapSize=)(\d+)([kmgt]?)", option, re.IGNORECASE):
            found = int(match[1]) << {"": 0, "k": 10, "m": 20, "g": 30, "t": 40}[match[2].lower()]
    return found


def host_memory() -> int:
    """Return the bytes of memory that this process may use: the host's, or its container's."""
    host = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([host, *cgroup_limits(Path("/sys/fs/cgroup"), Path("/proc/self/cgroup"))])


def cgroup_limits(mount: Path, membership: Path) -> list[int]:
    """Return the limits in bytes of our control group and of those above it; none is no limit.

    Inside a container the group's path is the host's and its limit stands at the mount itself
    (docs.kernel.org/admin-guide/cgroup-v2.html, cgroup-v1/memory.html).
    """
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return []
    found = []
    for controllers, group in (line.split(":", 2)[1:] for line in lines):
        if controllers not in {"", "memory"}:
            continue
        folder, name = (
            (mount / "memory", "memory.limit_in_bytes") if controllers else (mount, "memory.max")
        )
        inside = Path(group.lstrip("/"))
        for above in [inside, *inside.parents]:
            try:
                found.append(int((folder / above / name).read_text()))
            except (OSError, ValueError):
                continue  # not there; or "max"
    return found


def _why(leases: int, settings: Settings) -> str:
    shards = f"maxLeasesForWorker = {leases}" if leases else "one shard"
    pushed = f"{MOST_RECORDS:,} records at once, as fan-out may push,"
    return (
        f"{shards} and {pushed if is_pushed(settings) else f'maxRecords = {settings[MAX_RECORDS]}'}"
    )
