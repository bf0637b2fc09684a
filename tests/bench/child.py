"""One child on its pipes, and what it has used so far (Linux: /proc)."""

import json
import subprocess
import sys
import time
from pathlib import Path

from bench.messages import INITIALIZE, line

# Reads what amazon_kclpy's own loop hands it, and does nothing with it: the yardstick.
BARE = """
from amazon_kclpy import kcl
from amazon_kclpy.v3 import processor

class Bare(processor.RecordProcessorBase):
    def initialize(self, given):
        pass

    def process_records(self, given):
        for record in given.records:
            record.binary_data

kcl.KCLProcess(Bare()).run()
"""
# What every program of this kind begins with.
BOTO3 = "import boto3; boto3.client('s3'); print('{\"action\": \"status\"}', flush=True); input()"


class Child:
    """A process that is spoken to as the daemon does; ``seconds`` is how long its start took."""

    def __init__(self, arguments, environment, log, *, initialize=True):
        began = time.perf_counter()
        with Path(log).open("ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment,
            )
        self.log = log
        if initialize:
            self.say(line("initialize", **INITIALIZE))
        else:
            self._answer()
        self.seconds = time.perf_counter() - began

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def say(self, message):
        """Send a line; grant checkpoints until its status comes."""
        self._send(message)
        self._answer()

    def _send(self, message):
        self.process.stdin.write(message)
        self.process.stdin.flush()

    def _answer(self):
        while answer := self.process.stdout.readline():
            if not answer.strip():
                continue
            said = json.loads(answer)
            if said["action"] == "status":
                return
            self._send(line(**said, error=None))
        raise SystemExit(f"a child ended: {Path(self.log).read_text()[-2000:]}")

    @property
    def cpu(self):
        """Seconds of CPU, of all its threads."""
        threads = Path(f"/proc/{self.process.pid}/task").iterdir()
        return sum(int((each / "schedstat").read_text().split()[0]) for each in threads) / 1e9

    def mebibytes(self, what="VmRSS"):
        """Resident memory: now, or at its peak (VmHWM)."""
        return mebibytes(self.process.pid, what)


def mebibytes(pid, what):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(each.split()[1]) for each in lines if each.startswith(what)) / 1024
