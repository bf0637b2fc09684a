"""What can fail, and what each kind of failure leads to.

::

    ConnectorError
      + Transient       tried again, with back-off, as often as retryLimit says
          + Unavailable     the same, and for as long as outagePatience says: it passes by itself
          + TakenInPart     the same; both begin anew, as something moved
      + Fatal           permanent for all records: the process ends with exit code 70
      + LeaseLost       another process owns the shard: this one falls silent
    ValueError
      + Rejected        permanent for one record or file: a dead letter, then on with the rest
    SettingsError       in config/properties.py: usage, exit code 2, before anything starts
    LaunchError         the same, of the host that the daemon is to run on

Each service's own errors are sorted into these in one place: ``aws/failures.py`` and, beside the
destination that speaks it, one for each other protocol; KCL's refusals of a checkpoint in
``kcl/processor.py``.
"""

from __future__ import annotations

EXIT_OK = 0
EXIT_FOUND = 1
EXIT_USAGE = 2
EXIT_FAILED = 70  # EX_SOFTWARE of sysexits.h


def one_line(error: BaseException) -> str:
    """Return what an error says, in one line."""
    return " ".join(str(error).split())


def counted(count: int, what: str) -> str:
    """Return how many of what there are: ``1 row``, ``1,200 rows``."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


class ConnectorError(Exception):
    """The root of what we raise on purpose. Its text is one sentence for a person."""


class Transient(ConnectorError):
    """The same call may succeed later."""


class Unavailable(Transient):
    """A service is down or busy, which passes by itself: throttling, 5xx, a lost connection."""


class TakenInPart(Transient):
    """A service took some of a batch, and the rest may be taken later: something moves."""


class Fatal(ConnectorError):
    """No record can pass until a person acts: no such bucket, access denied."""


class LeaseLost(ConnectorError):
    """A checkpoint was refused because another process owns the shard now."""


class Rejected(ValueError):
    """A record or file is refused for good. The text is the dead letter's reason."""


# What a transformer or filter raises about a record's data. Anything else is a bug of its own, and
# ends the process with nothing lost.
BAD_DATA = (ValueError, LookupError, RecursionError)


class Rejection(tuple[()]):
    """Takes the place of a record's rows, or of the filter's yes: nothing, and why.

    As false as no rows and as a no, so that only who wants to know the reason has to look.
    """

    error: Exception

    def __new__(cls, error: Exception) -> Rejection:
        """Keep the error, which is one of BAD_DATA."""
        rejection = super().__new__(cls)
        rejection.error = error
        return rejection

    @property
    def reason(self) -> str:
        """What stands in the dead letter; Rejected has its own words."""
        error = self.error
        return str(error) if isinstance(error, Rejected) else f"{type(error).__name__}: {error}"


class LaunchError(Exception):
    """The daemon cannot be started here, and why, in one sentence."""
