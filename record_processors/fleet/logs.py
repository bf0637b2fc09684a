"""Where the logs and metrics of the hosts go, and what CloudWatch's agent is told."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from ..config.keys import APPLICATION_NAME
from ..config.setting import Settings
from ..kcl.metric_formats import log_group
from .text import fill, logical_id

FOLDER = "/var/log/kinesis-connectors"
RETENTION_DAYS = 30

SET_UP = "/var/log/cloud-init-output.log"  # what user data says

TEMPLATE = """\
# ---- logs and metrics ----

# Two log groups of each pipeline: what its daemons say, a stream a host (and in the first one what
# a host's set-up says, INSTANCE/set-up); and its metrics, of which CloudWatch makes what the alarms
# and the dashboard read. They end with the stack. Their names are
# those of the applications: one that is there before the stack fails it (aws logs delete-log-group
# takes it away, logs included), and so a second stack of one application. CloudWatch encrypts them;
# a key of one's own is KmsKeyId, and needs a key policy.

@groups@"""

GROUP = """\
@id@:
  Type: AWS::Logs::LogGroup
  Metadata: {checkov: {skip: [{id: CKV_AWS_158, comment: CloudWatch encrypts it}]}}
  Properties:
    LogGroupName: @name@
    RetentionInDays: @days@

"""


def logs_group(application: str) -> str:
    """Return the log group of what a pipeline's daemons say."""
    return f"kinesis-connectors/{application}"


def log_groups(pipelines: Sequence[Settings]) -> Iterator[tuple[str, str]]:
    """Yield the logical id and the name of each log group: what is said, what is measured."""
    for settings in pipelines:
        name = settings[APPLICATION_NAME]
        yield f"{logical_id(name)}Log", logs_group(name)
        yield f"{logical_id(name)}Metrics", log_group(name)


def logs(pipelines: Sequence[Settings]) -> str:
    """Return the log groups."""
    return fill(
        TEMPLATE,
        groups="".join(
            fill(GROUP, id=one, name=json.dumps(name), days=str(RETENTION_DAYS))
            for one, name in log_groups(pipelines)
        ),
    )


def agent(pipelines: Sequence[Settings]) -> str:
    """Return the configuration of the agent: it listens for metrics, and reads the logs.

    What a host's set-up says is of all pipelines, and goes to the first one's log group.
    docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/
    CloudWatch-Agent-Configuration-File-Details.html
    """
    names = [settings[APPLICATION_NAME] for settings in pipelines]
    files = [
        _sent(SET_UP, names[0], "{instance_id}/set-up"),
        *(_sent(f"{FOLDER}/{name}.log", name, "{instance_id}") for name in names),
    ]
    said = {"metrics_collected": {"emf": {}}, "logs_collected": {"files": {"collect_list": files}}}
    return json.dumps({"logs": said})


def _sent(path: str, application: str, stream: str) -> dict[str, str]:
    return {
        "file_path": path,
        "log_group_name": logs_group(application),
        "log_stream_name": stream,
    }
