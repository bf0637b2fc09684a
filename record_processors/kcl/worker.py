"""What this host is called among those of its application: KCL's ``workerId``."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from ..config.kcl_settings import WORKER_IDENTIFIER
from ..config.keys import APPLICATION_NAME, HOST_VARIABLE, WORKER_ID
from ..config.setting import Settings


def worker_name(settings: Settings) -> str:
    """Return it: what the file says, else a name that is this host's at every start."""
    host = os.environ.get(HOST_VARIABLE) or socket.gethostname()
    own = f"{host}-{settings[APPLICATION_NAME]}"
    return settings[WORKER_ID] or settings[WORKER_IDENTIFIER] or own


def names_worker(settings: Settings) -> bool:
    """Whether the file says itself who this host is; KCL knows two names for it."""
    return WORKER_ID in settings or WORKER_IDENTIFIER in settings


def with_worker_id(settings: Settings) -> str:
    """Write the file once more with a ``workerId`` that is this host's at every start.

    A daemon takes back at once the leases that carry its own id; under a new one it waits until
    they have expired. What is written has no place on the disk (memfd_create(2)), and the name that
    is returned is good for this process and whoever inherits the descriptor.
    """
    # Two line breaks: a last line that ends in a backslash swallows one.
    original = Path(settings.path).read_bytes()
    copy = os.memfd_create(Path(settings.path).name, 0)
    with os.fdopen(copy, "wb", closefd=False) as file:
        line = f"\n\n{WORKER_ID.key} = {worker_name(settings)}\n"
        file.write(original + line.encode("latin-1"))
    return f"/proc/self/fd/{copy}"
