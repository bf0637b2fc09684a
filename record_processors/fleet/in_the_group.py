"""What a host of the stack does beside its pipelines, as lines of its user data.

It tells the stack how its start ended, sends logs and metrics by CloudWatch's agent, reports each
minute, and leaves the Auto Scaling group in peace. ``%{…}`` is the stack's to fill in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from ..config.setting import Settings
from .hosts import GROUP, HOOK
from .logs import FOLDER, agent
from .pipeline_file import FOLDER as FILES
from .pipeline_file import name_of, secrets, secrets_path
from .text import fill, logical_id
from .units import UNITS, shipped

FROM_SECRETS_MANAGER = """\
# Passwords come from Secrets Manager into files of root's own: now, so that a wrong one ends the
# set-up, and at each start of a daemon, when they may be others.
cat >/usr/local/sbin/kinesis-connectors-password <<'END'
@program@
END
chmod 755 /usr/local/sbin/kinesis-connectors-password
mkdir -p @files@
@each@

"""

FETCHED = """\
fetch='/usr/local/sbin/kinesis-connectors-password @path@@named@'
$fetch
mkdir -p @units@/kinesis-connectors@@name@.service.d
printf '[Service]\\nExecStartPre=-+%s\\n' "$fetch" \\
  >@units@/kinesis-connectors@@name@.service.d/20-password.conf
"""


REPORT = """\
# ---- the report of each minute, and the leave: they come with the program ----
files=$(/opt/kinesis-connectors/bin/python -I -c \\
  'import record_processors.fleet as fleet; print(fleet.__path__[0])')/files
cp "$files"/kinesis-connectors-{report@.*,leave.service} @units@/
install -m 755 "$files"/leave.sh /usr/local/sbin/kinesis-connectors-leave
echo 'REGION=%{AWS::Region} GROUP=%{AWS::StackName} HOOK=@hook@' | tr ' ' '\n' >@files@/group
for name in "${PIPELINES[@]}"; do  # what asks for the health of a pipeline is its user already
  cp -rT @units@/kinesis-connectors-{health,report}@"$name".service.d
done
systemctl daemon-reload
reports=("${PIPELINES[@]/#/kinesis-connectors-report@}")
systemctl enable --now kinesis-connectors-leave.service "${reports[@]/%/.timer}"

# The alarms are made when this host has signalled, and one is raised by what never told anything.
until systemctl start "${reports[@]/%/.service}" || (( SECONDS > PATIENCE )); do sleep 5; done
sleep @arrives@
"""

ARRIVES = 60  # seconds in which what a host told has become a metric that alarms look at


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
    each = ""
    for path, secrets_there in groupby(secrets_of(pipelines), lambda one: one.path):
        found = list(secrets_there)
        each += fill(
            FETCHED,
            path=path,
            named="".join(f" {one.variable} %{{{one.parameter}}}" for one in found),
            name=found[0].application,
            units=UNITS,
        )
    if not each:
        return ""
    return fill(FROM_SECRETS_MANAGER, program=shipped("password.py"), files=FILES, each=each)


def before(pipelines: Sequence[Settings]) -> str:
    """Return what a host does ahead of its pipelines."""
    return fill(
        shipped("before.sh"),
        group=GROUP,
        logs=FOLDER,
        units=UNITS,
        secrets=passwords(pipelines),
        agent=agent(pipelines),
    )


def after() -> str:
    """Return what a host does once its pipelines are healthy: each reports as its own user."""
    return fill(REPORT, units=UNITS, files=FILES, hook=HOOK, arrives=str(ARRIVES))
