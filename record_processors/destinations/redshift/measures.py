"""The metrics of loads."""

from __future__ import annotations

from ...config.metric import Counter, Timer

LOADS = Counter("redshift.loads", "Transactions that loaded files.")
FILES = Counter("redshift.files", "Files loaded.")
FILES_BEFORE = Counter(
    "redshift.files_before", "Files passed over, since they had been loaded before."
)
FILES_REFUSED = Counter(
    "redshift.files_refused", "Files that could not be loaded, each a dead letter."
)
ROWS = Counter("redshift.rows", "Rows loaded.")
ROWS_LEFT_OUT = Counter(
    "redshift.rows_left_out", "Rows that COPY refused, each a dead letter, of files loaded."
)
COPY_TIME = Timer("redshift.copy.time", "How long a COPY took, with the write of its manifest.")
LOCK_TIME = Timer("redshift.lock.time", "How long a load waited for the ledger's lock.")

MEASURES = (
    *(LOADS, FILES, FILES_BEFORE, FILES_REFUSED, ROWS, ROWS_LEFT_OUT),
    *(COPY_TIME, LOCK_TIME),
)
