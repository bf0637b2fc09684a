"""The three kinds of failure, and what each one leads to.

::

    ConnectorError
      + Transient       tried again, with back-off, until the budget is spent
      + Fatal           permanent for all records: the process ends with exit code 70
      + LeaseLost       another process owns the shard: this one falls silent
    ValueError
      + Rejected        permanent for one record or file: a dead letter, then on with the rest
    SettingsError       in properties.py: usage, exit code 2, before anything starts
    LaunchError         the same, of the host that the daemon is to run on

Each service's own errors are sorted into these in one function: ``aws.classify`` and
``warehouse.classify``.
"""

from __future__ import annotations

EXIT_OK = 0
EXIT_FOUND = 1
EXIT_USAGE = 2
EXIT_FAILED = 70  # EX_SOFTWARE of sysexits.h


class ConnectorError(Exception):
    """The root of what we raise on purpose. Its text is one sentence for a person."""


class Transient(ConnectorError):
    """The same call may succeed later: throttling, 5xx, a lost connection."""


class Fatal(ConnectorError):
    """No record can pass until a person acts: no such bucket, access denied."""


class LeaseLost(ConnectorError):
    """A checkpoint was refused because another process owns the shard now."""


class Rejected(ValueError):
    """A record or file is refused for good. The text is the dead letter's reason."""


class LaunchError(Exception):
    """The daemon cannot be started here, and why, in one sentence."""
