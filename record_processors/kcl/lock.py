"""One daemon of an application on a host.

Two with one ``workerId`` would each take the other's leases for its own. The lock is the name of an
abstract Unix socket (unix(7)): no file, no owner, and gone with the last process that has it.
"""

from __future__ import annotations

import errno
import hashlib
import socket
from pathlib import Path

from ..errors import LaunchError

UNKNOWN = "unknown"
SOCKETS = Path("/proc/net/unix")  # proc(5): the name is the last word, "@" for its NUL


def lock(application: str, endpoint: str, account: str | None) -> socket.socket:
    """Take the lock of an application; whoever inherits the socket keeps it.

    An application is one account's at one endpoint of DynamoDB: others of its name may run beside.
    While the account is not known, any may be the same. Raises LaunchError when it runs here.
    """
    ours = _prefix(application, endpoint)
    name = ours + (digest(account) if account else UNKNOWN)
    held = socket.socket(socket.AF_UNIX)
    try:
        held.bind(f"\0{name}")
    except OSError as error:
        held.close()
        if error.errno != errno.EADDRINUSE:
            raise
        raise _runs(application) from error
    # Ours is there before we look for others: of two that start at once, one at least sees both.
    others = {other for other in _names() if other.startswith(ours)} - {name}
    if others and (account is None or ours + UNKNOWN in others):
        held.close()
        raise _runs(application, ", in an account that is not known to be another")
    held.set_inheritable(True)
    return held


def is_held(application: str, endpoint: str) -> bool:
    """Whether a daemon of an application runs on this host, in whichever account."""
    return any(name.startswith(_prefix(application, endpoint)) for name in _names())


def _prefix(application: str, endpoint: str) -> str:
    return f"kinesis-connectors/{digest(application, endpoint)}/"


def _runs(application: str, where: str = "") -> LaunchError:
    return LaunchError(f"a daemon of {application} runs on this host already{where}")


def _names() -> list[str]:
    words = [line.split() for line in SOCKETS.read_text(errors="replace").splitlines()]
    return [line[-1][1:] for line in words if line[-1].startswith("@")]


def digest(*words: str) -> str:
    """Return words as one that is short and plain."""
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:16]
