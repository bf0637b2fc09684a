"""What loads into Redshift are, for `plan`."""

from __future__ import annotations

from ...config.keys import MILLISECONDS_LIMIT
from ...config.setting import Settings
from ...config.work import Limit, Loads, Work
from .settings import FILE_TABLE

# Assumed: no Redshift was measured. On the stand-in a load of 100 files took 1 s.
COPY_SECONDS = 10


def work_of_loads(
    settings: Settings, work: Work, files: float, children: int, most_files: int
) -> Work:
    """Return the work with its loads: so many files a second, at most so many in one COPY."""
    many = (
        "more of them in a COPY (bufferRecordCountLimit of the pipeline that loads)"
        if most_files > 1
        else "the two stages, of which the second loads many files in one COPY"
    )
    return work._replace(
        loads=Loads(
            "COPY",
            files,
            children,
            most_files,
            settings[MILLISECONDS_LIMIT] / 1000,
            COPY_SECONDS,
        ),
        limits=[
            *work.limits,
            Limit(
                f"files a second that one COPY after the other takes ({settings[FILE_TABLE]})",
                files,
                most_files / COPY_SECONDS,
                f"larger files (bufferByteSizeLimit), or {many}",
                f"the ledger is locked by one COPY at a time; {COPY_SECONDS} s each are assumed: "
                "SYS_LOAD_HISTORY has yours",
            ),
        ],
    )
