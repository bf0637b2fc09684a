"""What the log tells of a load."""

from __future__ import annotations

from ...events import Event

LOADED = Event("loaded", "Files are in the table, and in the ledger.")
LOADED_BEFORE = Event("loaded-before", "Files were announced again, and are not loaded twice.")
ROWS_LEFT_OUT = Event(
    "rows-left-out",
    "COPY refused rows of a file, which is loaded without them.",
    "look at the dead letters that follow; mend rows or table, and put them back",
)
NOT_LOADED = Event(
    "not-loaded",
    "A load of several files failed, and COPY does not say for whose sake: each is tried.",
    "nothing, if it goes on; else look at the reason",
)
TABLE_AT_FAULT = Event(
    "table-at-fault",
    "Not even a file that the table holds can be loaded: no file is at fault.",
    "look at the table and its rights, `redshiftCopyOptions`, `redshiftIamRole`",
)
UNMATCHED = Event(
    "unmatched-fields",
    "Keys of the rows have no column, and are left out.",
    "add the columns, or set what the sentence says",
)
COUNT_DIFFERS = Event(
    "count-differs",
    "COPY loaded another number of rows than was announced.",
    "look at `redshiftCopyOptions`, and compare the table with the ledger",
)

EVENTS = [each for each in list(vars().values()) if isinstance(each, Event)]
