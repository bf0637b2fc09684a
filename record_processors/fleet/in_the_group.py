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
from .units import services

BEFORE = """\
# ---- what the stack adds ------------------------------------------------------------------------
export AWS_DEFAULT_REGION='%{AWS::Region}'

# The stack waits for the exit code of this script. Outside of a change of it nobody listens.
finish() {
  code=$?
  (( code == 0 )) || tail --lines 20 @logs@/*.log >&2 || true
  /opt/aws/bin/cfn-signal --exit-code "$code" --stack '%{AWS::StackName}' --resource @group@ \\
    --region '%{AWS::Region}' || true
}
trap finish EXIT
dnf install --assumeyes --quiet aws-cfn-bootstrap amazon-cloudwatch-agent logrotate

@secrets@
# CloudWatch's agent: the metrics come to it as datagrams, the logs as files.
mkdir -p @logs@ /etc/systemd/system/kinesis-connectors@.service.d
cat >/etc/systemd/system/kinesis-connectors@.service.d/20-log.conf <<'END'
# To a file, which CloudWatch's agent sends; `journalctl` has what systemd itself says.
[Service]
StandardOutput=append:@logs@/%i.log
StandardError=append:@logs@/%i.log
END
cat >/etc/logrotate.d/kinesis-connectors <<'END'
@logs@/*.log {
  size 50M
  rotate 2
  copytruncate
  missingok
}
END
cat >/opt/aws/amazon-cloudwatch-agent/etc/kinesis-connectors.json <<'END'
@agent@
END
systemctl enable --now --quiet logrotate.timer
/opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl -a fetch-config -m ec2 -s \\
  -c file:/opt/aws/amazon-cloudwatch-agent/etc/kinesis-connectors.json

# The leave: when the group lets this host go, the daemons flush and give their shards back first.
cat >/usr/local/sbin/kinesis-connectors-leave <<'END'
@leave@
END
chmod 755 /usr/local/sbin/kinesis-connectors-leave
cat >/etc/systemd/system/kinesis-connectors-leave.service <<'END'
[Unit]
Description=Leaves the Auto Scaling group when the Kinesis connectors have flushed
Wants=network-online.target
After=network-online.target

[Service]
ExecStart=/usr/local/sbin/kinesis-connectors-leave
Restart=on-failure
RestartSec=5
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes

[Install]
WantedBy=multi-user.target
END
systemctl daemon-reload
systemctl enable --now kinesis-connectors-leave.service

# The report: whether the daemon is well, and what `status` finds, as metrics.
cat >/etc/systemd/system/kinesis-connectors-report@.service <<'END'
[Unit]
Description=Reports how the Kinesis connector %i is

[Service]
Type=oneshot
ExecStart=/opt/kinesis-connectors/bin/python -I -m record_processors.fleet.report \\
  /etc/connectors/%i.properties kinesis-connectors@%i.service
WorkingDirectory=/etc/connectors
EnvironmentFile=-/run/kinesis-connectors/host.env
EnvironmentFile=-/etc/connectors/%i.env
RuntimeDirectory=kinesis-connectors-report-%i
RuntimeDirectoryPreserve=yes
TimeoutStartSec=120
Nice=5
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
END
cat >/etc/systemd/system/kinesis-connectors-report@.timer <<'END'
[Unit]
Description=Reports each minute how the Kinesis connector %i is

[Timer]
OnActiveSec=1min
OnUnitActiveSec=1min
AccuracySec=5s

[Install]
WantedBy=timers.target
END
"""

LEAVE = """\
#!/bin/bash
# Waits until the Auto Scaling group lets this host go. Then it stops the daemons, which flush and
# give their shards back, and tells the group to go on.
set -u
imds=${IMDS:-http://169.254.169.254}/latest
ask() {
  token=$(curl -sf -m 5 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' "$imds/api/token") &&
    curl -sf -m 5 -H "X-aws-ec2-metadata-token: $token" "$imds/meta-data/$1"
}
until [ "$(ask autoscaling/target-lifecycle-state)" = Terminated ]; do sleep ${PAUSE:-5}; done
echo 'the group lets this host go: the daemons are stopped'
systemctl stop 'kinesis-connectors-report@*.timer' @services@
aws autoscaling complete-lifecycle-action --region '%{AWS::Region}' \\
  --auto-scaling-group-name '%{AWS::StackName}' --lifecycle-hook-name @hook@ \\
  --lifecycle-action-result CONTINUE --instance-id "$(ask instance-id)"
"""

SECRETS = """\
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

FETCH = """\
value=$(secret '%{@parameter@}')
printf '@variable@="%s"\\n' "$value" >>@path@
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


def before(pipelines: Sequence[Settings]) -> str:
    """Return what a host does ahead of its pipelines."""
    each = "".join(
        fill(
            FETCH,
            parameter=one.parameter,
            variable=one.variable,
            path=one.path,
        )
        for one in secrets_of(pipelines)
    )
    return fill(
        BEFORE,
        group=GROUP,
        logs=FOLDER,
        secrets=fill(SECRETS, files=FILES, each=each) if each else "",
        agent=agent(pipelines),
        leave=leave(pipelines).rstrip("\n"),
    )


def leave(pipelines: Sequence[Settings]) -> str:
    """Return the program that waits for the end of a host, and completes its lifecycle hook."""
    return fill(LEAVE, services=" ".join(services(pipelines)), hook=HOOK)


def after(pipelines: Sequence[Settings]) -> str:
    """Return what a host does once its pipelines are healthy."""
    timers = (f"kinesis-connectors-report@{name_of(one)}.timer" for one in pipelines)
    return f"systemctl enable --now {' '.join(timers)}\n"
