"""Has the others take the shards of a host that stops; ``run`` starts it at the signal.

KCL flushes at a stop, and leaves its leases to run out. Until two of its reports are missed, a
minute, its leader even gives it leases once more, as it looks as if it had the most room
(``LeaseAssignmentManager`` of KCL 3.1.3). So a host that stops takes its row out of the table of
reports, by which leases are given; and once its daemon has ended, its name off its leases::

    python -m record_processors.kcl.leaving PROPERTIES

The daemon has ended when standard input does. It may have reported once more meanwhile, so that the
row is deleted again. A host that is alone leaves both, with which it goes on in seconds when it is
started again.
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
from .leases import heard_of, read_leases, release
from .log import log_as, log_to_stderr
from .tables import WORKERS, table_name
from .worker import worker_name

logger = logging.getLogger(__name__)


def main(path: str) -> None:
    """Leave, unless nobody is there to take over. Nothing is raised."""
    try:
        settings = load(path)
        log_to_stderr(settings[APPLICATION_NAME])
        log_as(settings[LOG_FORMAT])
        dynamodb = quick_client("dynamodb", settings)
        if has_others(dynamodb, settings):
            delete_report(dynamodb, settings)
            sys.stdin.read()
            delete_report(dynamodb, settings)
            release_leases(dynamodb, settings)
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


def delete_report(dynamodb: Client, settings: Settings) -> None:
    """Delete what this host told of itself. Raises what boto3 does."""
    key = {WORKERS.key: {"S": worker_name(settings)}}
    dynamodb.delete_item(TableName=table_name(settings, WORKERS), Key=key)


def release_leases(dynamodb: Client, settings: Settings) -> None:
    """Take this host's name off its leases. Raises what boto3 does."""
    for lease in read_leases(dynamodb, settings) or []:
        if lease.owner == worker_name(settings) and not lease.is_ended:
            release(dynamodb, settings, lease)


if __name__ == "__main__":
    main(*sys.argv[1:])
