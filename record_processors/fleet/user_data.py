"""The user data of a host on EC2: what makes of Amazon Linux 2023 a host that runs pipelines.

It holds the settings alone; the units come from the program that it installs (``units.py``), so
that both are of one version, and the user data is as small as EC2 wants it.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence

from ..config.setting import Settings
from .pipeline_file import FOLDER, name_of, path_of, secrets, secrets_path, text_of
from .units import NotOnOneHost, insist_on_names, shipped

# Of the script, before it is base64: docs.aws.amazon.com/AWSEC2/latest/UserGuide/user-data.html
MOST_BYTES = 16_384

PATIENCE = 600  # seconds until each pipeline is healthy; installing takes one or two minutes
END = "END_OF_FILE"

HEAD = """\
#!/bin/bash
# Makes of Amazon Linux 2023 a host that runs {names}.
# cloud-init runs it once, as root; what it says is in /var/log/cloud-init-output.log.
set -euo pipefail
umask 022
fail() {{ echo "$1" >&2; exit 1; }}
"""


def user_data(
    pipelines: Sequence[Settings],
    source: str,
    before: str = "",
    after: str = "",
    added: Mapping[str, str] | None = None,
) -> str:
    """Return a bash script that installs the program and runs the pipelines.

    ``source`` is where the program comes from: a requirement for pip, or the URL of a folder in S3
    (``s3://…``) with wheels and a ``requirements.txt`` that has the hash of each. ``before`` and
    ``after`` are lines of bash: what comes ahead of all else, under ``set -euo pipefail``, and what
    is done once each pipeline is healthy. ``added`` are settings for the files that lack them. The
    script ends with another code than 0, and a sentence,
    as soon as anything fails. Raises NotOnOneHost, also if it is more than EC2 takes.
    """
    insist_on_names(pipelines)
    names = [name_of(one) for one in pipelines]
    parts = [
        HEAD.format(names=" and ".join(names)),
        before,
        f"SOURCE={shlex.quote(source)}\nPIPELINES=({' '.join(names)})\nPATIENCE={PATIENCE}\n",
        f"# ---- the pipelines, without the comments of their files\nmkdir -p {FOLDER}\n",
        *(_file(one, added) for one in pipelines),
        *(_secrets(pipelines)),
        shipped("user_data.sh"),
        after,
    ]
    script = "\n".join(part.rstrip("\n") + "\n" for part in parts if part)
    if (size := len(script.encode())) > MOST_BYTES:
        raise NotOnOneHost(
            f"the user data would have {size:,} bytes, and EC2 takes {MOST_BYTES:,}: give a host "
            "fewer pipelines"
        )
    return script


def _file(settings: Settings, added: Mapping[str, str] | None) -> str:
    # `systemd` on the host finds what it writes there already, byte by byte.
    text = text_of(settings, comments=False, added=added)
    return f"cat >{path_of(settings)} <<'{END}'\n{text}{END}\n"


def _secrets(pipelines: Sequence[Settings]) -> Iterator[str]:
    """Yield what insists on secrets that user data must not hold: whoever may see the host can."""
    for one in pipelines:
        for variable, setting in secrets(one).items():
            path = secrets_path(one)
            yield (
                f"grep -q '^{variable}=' {path} ||\n"
                f'  fail "{setting.key} of {name_of(one)} needs {variable}=… in {path}: of the '
                'image, or fetched ahead of this"\n'
            )
