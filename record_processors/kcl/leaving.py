"""Takes a host that stops off the list of those that are given leases; ``run`` starts it then.

KCL's leader gives leases to every worker that told how busy it is within its last two reports,
which is a minute (``LeaseAssignmentManager`` of KCL 3.1.3): also to one that has just given its own
back, and so looks as if it had the most room. Those leases lie idle until they have expired, and
were given once more. A worker whose row in KCL's table is gone is given none::

    python -m record_processors.kcl.leaving PROPERTIES

The daemon may report once more while its children flush: what is deleted at once is deleted again
when standard input ends, as it does with the daemon. A host that is alone keeps its row, with which
it has its own leases back at once when it starts again.
"""

from __future__ import annotations

import logging
import sys
from datetime import datetime, timedelta, timezone

from ..aws.clients import Client
from ..aws.findings import ERRORS, quick_client, why
from ..config.kcl_settings import REPORT_INTERVAL, REPORTS_MISSED
from ..config.keys import APPLICATION_NAME, LOG_FORMAT
from ..config.properties import SettingsError, load
from ..config.setting import Settings
from .leases import heard_of
from .log import log_as, log_to_stderr
from .tables import WORKERS, table_name
from .worker import worker_name

logger = logging.getLogger(__name__)


def main(path: str) -> None:
    """Take the host off the list, and again when the daemon has ended. Nothing is raised."""
    try:
        settings = load(path)
        log_to_stderr(settings[APPLICATION_NAME])
        log_as(settings[LOG_FORMAT])
        dynamodb = quick_client("dynamodb", settings)
        if has_others(dynamodb, settings):
            take_off(dynamodb, settings)
            sys.stdin.read()
            take_off(dynamodb, settings)
    except (*ERRORS, SettingsError) as error:
        logger.warning(
            "the other hosts were not told that this one stops, so that some shards may wait a "
            "minute longer for them: %s",
            why(error, "dynamodb:DeleteItem"),
        )


def has_others(dynamodb: Client, settings: Settings) -> bool:
    """Whether another worker is there to be given leases. Raises what boto3 does."""
    since = timedelta(milliseconds=REPORTS_MISSED * settings[REPORT_INTERVAL])
    oldest = datetime.now(timezone.utc) - since
    return any(
        worker != worker_name(settings) and when > oldest
        for worker, when in heard_of(dynamodb, settings).items()
    )


def take_off(dynamodb: Client, settings: Settings) -> None:
    """Delete what this host told of itself. Raises what boto3 does."""
    key = {WORKERS.key: {"S": worker_name(settings)}}
    dynamodb.delete_item(TableName=table_name(settings, WORKERS), Key=key)


if __name__ == "__main__":
    main(*sys.argv[1:])
