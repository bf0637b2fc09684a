"""What a host of the stack does beside its pipelines, as lines of its user data.

It tells the stack how its start ended, sends logs and metrics by CloudWatch's agent, reports each
minute, and leaves the Auto Scaling group in peace. ``%{…}`` is the stack's to fill in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from ..config.setting import Settings
from .hosts import GROUP, HOOK
from .logs import FOLDER, agent
from .pipeline_file import FOLDER as FILES
from .pipeline_file import name_of, secrets, secrets_path
from .text import fill, logical_id
from .units import UNITS, shipped

FROM_SECRETS_MANAGER = """\
# Passwords, which stand in no template: from Secrets Manager into files that are root's own.
secret() {
  aws secretsmanager get-secret-value --secret-id "$1" --query SecretString --output text |
    sed 's/[\\\\"`$]/\\\\&/g'
}
mkdir -p @files@
umask 077
@each@
umask 022

"""

FETCHED = """\
value=$(secret '%{@parameter@}')
printf '@variable@="%s"\\n' "$value" >>@path@
"""


REPORT = """\
# ---- the report of each minute, whose units come with the program ------------------------------
files=$(/opt/kinesis-connectors/bin/python -I -c \\
  'import record_processors.fleet as fleet; print(fleet.__path__[0])')/files
cp "$files"/kinesis-connectors-report@.* @units@/
systemctl daemon-reload
systemctl enable --now @timers@
"""


class Secret(NamedTuple):
    """A password that a pipeline takes from its environment, and the stack's parameter for it."""

    application: str
    variable: str
    path: str
    """The file that it goes to."""

    @property
    def parameter(self) -> str:
        """The name of the parameter, which is the ARN of a secret."""
        words = self.variable.title().replace("_", "")
        return f"{logical_id(self.application)}{words}Secret"


def secrets_of(pipelines: Iterable[Settings]) -> Iterator[Secret]:
    """Yield the passwords that the pipelines need."""
    for settings in pipelines:
        for variable in secrets(settings):
            yield Secret(name_of(settings), variable, secrets_path(settings))


def passwords(pipelines: Sequence[Settings]) -> str:
    """Return what fetches the passwords; nothing if there are none.

    They are quoted as systemd reads them: systemd.exec(5), EnvironmentFile=.
    """
    each = "".join(
        fill(FETCHED, parameter=one.parameter, variable=one.variable, path=one.path)
        for one in secrets_of(pipelines)
    )
    return fill(FROM_SECRETS_MANAGER, files=FILES, each=each) if each else ""


def before(pipelines: Sequence[Settings]) -> str:
    """Return what a host does ahead of its pipelines."""
    return fill(
        shipped("before.sh"),
        group=GROUP,
        logs=FOLDER,
        units=UNITS,
        secrets=passwords(pipelines),
        agent=agent(pipelines),
        leave=leave(),
        leave_service=shipped("kinesis-connectors-leave.service"),
    )


def leave() -> str:
    """Return the program that waits for the end of a host, and completes its lifecycle hook."""
    return fill(shipped("leave.sh"), hook=HOOK)


def after(pipelines: Sequence[Settings]) -> str:
    """Return what a host does once its pipelines are healthy."""
    timers = (f"kinesis-connectors-report@{name_of(one)}.timer" for one in pipelines)
    return fill(REPORT, units=UNITS, timers=" ".join(timers))
