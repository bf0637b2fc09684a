"""A host without systemd: what a unit says, a ``systemctl`` that starts it, EC2's metadata service.

As a program it is that ``systemctl``, as far as user data needs it.
"""

import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

UNITS, RUNNING = Path("/etc/systemd/system"), Path("/run/units")
USER = 61184  # the first number of a user that systemd makes up (DynamicUser)


class Unit:
    """A unit file, read as systemd.syntax(7) has it, without quotes and lines that go on."""

    def __init__(self, text):
        self.sections = {}
        for line in text.splitlines():
            if line.startswith("["):
                entries = self.sections.setdefault(line.strip("[]"), [])
            elif line and not line.startswith(("#", ";")):
                key, value = line.split("=", 1)
                entries.append((key, value))

    def all(self, key, section="Service"):
        return [value for name, value in self.sections.get(section, ()) if name == key]

    def get(self, key, section="Service"):
        return self.all(key, section)[-1] if self.all(key, section) else None

    def __getitem__(self, key):
        return self.all(key)[-1]


def found(name):
    """Read a unit of this host, with its drop-ins, for the instance that its name says."""
    stem, dot, kind = name.rpartition(".")
    template, at, instance = stem.partition("@")
    drop_ins = sorted((UNITS / f"{name}.d").glob("*.conf"))
    paths = [UNITS / f"{template}{at}{dot}{kind}", *drop_ins]
    return Unit("\n".join(path.read_text() for path in paths).replace("%i", instance))


def environment(unit):
    """Return what systemd would put into the environment of a service, beside its own."""
    variables = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **with_prefix("AWS_EC2_")}
    variables.update(each.split("=", 1) for each in unit.all("Environment"))
    for named in unit.all("EnvironmentFile"):
        path = Path(named.removeprefix("-"))
        if path.exists() or not named.startswith("-"):
            variables.update(line.split("=", 1) for line in path.read_text().splitlines())
    if name := unit.get("RuntimeDirectory"):
        variables["RUNTIME_DIRECTORY"] = f"/run/{name}"
        Path("/run", name).mkdir(exist_ok=True)
        if as_user(unit):
            os.chown(Path("/run", name), USER, USER)
    return variables


def with_prefix(prefix):
    return {name: value for name, value in os.environ.items() if name.startswith(prefix)}


def as_user(unit):
    """Return what makes a command the user's of a unit, without a right; nothing without users."""
    mapped = int(Path("/proc/self/uid_map").read_text().split()[2])
    if not unit.get("DynamicUser") or mapped <= USER:
        return []
    groups = ["--reuid", str(USER), "--regid", str(USER), "--clear-groups"]
    return ["setpriv", *groups, "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"]


def start(name):
    """Start a unit, after those of ours that it wants."""
    unit = found(name)
    for wanted in " ".join(unit.all("Wants", "Unit")).split():
        if (UNITS / wanted).exists():
            start(wanted)
    if name.endswith(".timer"):
        return
    command = [*as_user(unit), *unit["ExecStart"].split()]
    where = {"env": environment(unit), "cwd": unit.get("WorkingDirectory")}
    if unit["Type"] == "oneshot":
        subprocess.run(command, check=True, **where)
        return
    with (RUNNING / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, **where)
    (RUNNING / name).write_text(str(process.pid))


def is_failed(name):
    return not Path("/proc", (RUNNING / name).read_text()).exists()


def systemctl(verb, *words):
    """Do what is asked for; return the exit code. Whatever is not known here is an error."""
    RUNNING.mkdir(parents=True, exist_ok=True)
    if (verb, *words) == ("daemon-reload",):
        return 0
    if verb == "is-failed" and words[0] == "--quiet":
        return 0 if is_failed(words[1]) else 1
    if verb == "enable" and words[0] == "--now":
        names = words[1:]
    elif verb in {"start", "restart"}:
        names = words
    else:
        return 64
    for name in names:
        start(name)
    return 0


class Metadata(BaseHTTPRequestHandler):
    """The metadata service of an instance that takes tokens alone (IMDSv2)."""

    instance, region, token = "i-0123456789abcdef0", "us-east-1", "a-token"
    busy = 0  # so many calls are refused first
    states = ()  # of its life in an Auto Scaling group, one for each question; then it is to end

    def do_PUT(self):
        lifetime = self.headers.get("X-aws-ec2-metadata-token-ttl-seconds", "0")
        if type(self).busy:
            type(self).busy -= 1
            self.answer(503)
        elif self.path == "/latest/api/token" and 1 <= int(lifetime) <= 21600:
            self.answer(200, self.token)
        else:
            self.answer(400)

    def do_GET(self):
        says = {"instance-id": self.instance, "placement/region": self.region}
        what = self.path.removeprefix("/latest/meta-data/")
        text = says.get(what)
        if what == "autoscaling/target-lifecycle-state":
            text = self.states.pop(0) if self.states else "Terminated"
        if self.headers.get("X-aws-ec2-metadata-token") != self.token:
            self.answer(401)
        else:
            self.answer(200 if text else 404, text or "")

    def answer(self, code, text=""):
        self.send_response(code)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


@contextmanager
def metadata_service():
    """Serve it on this machine alone; yield its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Metadata)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


if __name__ == "__main__":
    sys.exit(systemctl(*sys.argv[1:]))
