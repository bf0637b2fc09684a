"""What every destination says of itself that loads files into Redshift."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from ...config.component import Contradiction, Destination
from ...config.setting import Setting, Settings
from ...flow.own_letters import OwnLetters
from .events import EVENTS
from .row_letters import STAGE
from .rules import contradictions
from .settings import DATA_TABLE, FILE_TABLE, PASSWORD_VARIABLE, REDSHIFT_USER
from .timeouts import COPY_MILLISECONDS, LOCK_MILLISECONDS

# What stands in each of their shipped files.
SHIPPED = {
    "shutdownGraceMillis": "60000",
    "redshiftUsername": "connectors",
    "redshiftSSLMode": "verify-full",
    "redshiftFileTable": "kinesis_connector_files",
    "redshiftFileKeyColumn": "file",
    "redshiftDataFormat": "json",
    "redshiftCopyOptions": "TIMEFORMAT 'auto'",
    "redshiftCopyMandatory": "true",
}


class LoadingDestination(Destination):
    """One that loads files into Redshift, wherever they come from."""

    stage: ClassVar[str] = STAGE
    # It takes more to find out which of several files cannot be loaded.
    longest_try = (LOCK_MILLISECONDS + COPY_MILLISECONDS) // 1000
    events = EVENTS
    lasting = (DATA_TABLE, FILE_TABLE)
    secrets_come_from = (
        f"the password of Redshift comes from the environment variable {PASSWORD_VARIABLE}, or by "
        "redshiftSecretArn"
    )

    @classmethod
    def contradictions(cls, settings: Settings) -> Iterator[Contradiction]:
        """Return what contradicts itself: see ``rules``."""
        return contradictions(settings)

    @classmethod
    def own_letters(cls, settings: Settings) -> OwnLetters:
        """Put rows and files back into the table: see ``LoadLetters``."""
        from .load_letters import LoadLetters  # noqa: PLC0415 - of the command `redrive` alone

        return LoadLetters(settings)

    @classmethod
    def variables(cls, settings: Settings) -> Mapping[str, Setting[Any]]:
        """Return the variable that holds the password of a user."""
        return {PASSWORD_VARIABLE: REDSHIFT_USER} if REDSHIFT_USER in settings else {}
