"""What a child reports of itself beside the log: metrics to an agent, its health to a file."""

from __future__ import annotations

import os

from ..config.keys import APPLICATION_NAME, METRICS
from ..config.setting import Settings
from ..flow import heartbeat
from .health import FOLDER_VARIABLE, HealthFile, Limits


class Reporting:
    """Reports from the first shard on, at each heartbeat."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._health: HealthFile | None = None

    def start(self, shard: str) -> None:
        """Begin with the shard of this process."""
        application = self.settings[APPLICATION_NAME]
        if folder := os.environ.get(FOLDER_VARIABLE):  # which only `run` says
            limits = Limits.from_settings(self.settings)
            self._health = HealthFile(folder, application, shard, limits)
            heartbeat.at_each.append(self._health.beat)
        if agent := self.settings[METRICS]:
            from .metrics import Sender  # noqa: PLC0415 - of those who want it

            sender = Sender(agent, {"application": application, "shard": shard})
            heartbeat.at_each.append(sender.beat)
            heartbeat.at_the_end.append(sender.close)

    def leave_the_shard(self) -> None:
        """Say nothing more of the health: what is held is another process's to deliver."""
        if self._health is not None:
            heartbeat.at_each.remove(self._health.beat)
            self._health.remove()
            self._health = None
