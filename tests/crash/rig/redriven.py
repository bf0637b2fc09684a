"""Letters of two stages, and `redrive` as a process that is killed while it puts them back."""

import itertools
import re
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

from crash.rig.tally import count
from record_processors.ops.letter_files import LetterFiles
from support.child_talk import environment_of_child
from support.fault_proxy import Fault, Proxy
from support.lives import Lives
from support.paths import REPOSITORY, TESTS

MOST_REQUESTS = 30  # to S3, of which a redrive of these letters makes some more
LONGEST = 0.5  # seconds, from a request to the death of who asked: so that it is in COPY, too
SECONDS = 120  # until a redrive ends that nobody kills
LONG = "x" * 300
STAGES = ("one", "two")


class Wire(Proxy):
    """The way to S3, on which somebody dies at a request that is counted from when he starts."""

    def __init__(self, upstream):
        super().__init__(upstream, [])
        self.left, self.last = 0, Fault("", "")

    def arm(self, requests, fault):
        self.left, self.last = requests, fault

    def fault(self, request, body=b""):
        with self._lock:
            self.left -= 1
            is_it = self.left == 0
        return self.last if is_it else None


class Redriven:
    """Two pipelines of their own, and what each redrive of their letters has to put back."""

    def __init__(self, stack, folder, name, random):
        self.random = random
        self.wire = Wire(stack.properties["s3Endpoint"])
        here = {"s3Endpoint": self.wire.endpoint, "outagePatience": "1m"}
        self.lives = Lives(
            stack,
            folder,
            name,
            {**here, "kinesisInputStreamShardCount": "1", "bufferRecordCountLimit": "3"},
            {**here, "bufferRecordCountLimit": "2", "redshiftMaxBadRows": "1"},
        )
        self.ids = itertools.count(1)
        self.environment = {
            **environment_of_child(),
            **stack.environment,
            "PYTHONPATH": f"{REPOSITORY}:{TESTS}",
        }

    def close(self):
        self.lives.close()
        self.wire.close()

    def refuse(self):
        """Have letters of records, of rows, and of files; then mend what was wrong."""
        lives = self.lives
        for _ in range(2):
            lives.put([self.boxed(), self.row("fine"), self.boxed(), self.row(LONG)])
            lives.live("one")
            lives.put([self.row(LONG), self.row(LONG), self.boxed(), self.row("fine")])
            lives.live("one")
        lives.live("two")
        self.change(lives.one, transformer="support.menders:Boxed", bufferRecordCountLimit="1")
        self.change(lives.two, bufferRecordCountLimit="1")  # a batch for each file of letters
        lives.query(f"ALTER TABLE {lives.table} ALTER COLUMN text TYPE VARCHAR(400)")
        assert {self.kind(letter) for letter in self.open()} == {"record", "row", "file"}

    def change(self, settings, **changes):
        path = Path(settings.path)
        text = path.read_text()
        for key, value in changes.items():
            text, found = re.subn(rf"^{key} = .*$", f"{key} = {value}", text, flags=re.MULTILINE)
            assert found == 1
        path.write_text(text)

    def boxed(self):
        return b"[%d]" % next(self.ids)

    def row(self, text):
        return b'{"id": %d, "text": "%s"}' % (next(self.ids), text.encode())

    def open(self):
        """Return the letters of both stages that are not put back."""
        for settings in (self.lives.one, self.lives.two):
            files = LetterFiles(settings)
            for file in files.walk():
                if not file.is_redriven:
                    yield from files.read(file)

    def kind(self, letter):
        if letter.stage != "load":
            return "record"
        return "row" if letter.file else "file"

    def start(self, stage):
        path = {"one": self.lives.one, "two": self.lives.two}[stage].path
        command = [sys.executable, "-m", "record_processors", "redrive", path]
        return subprocess.Popen(
            command,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd=REPOSITORY,
        )

    def kill_some(self, most):
        """Kill redrives at random moments, until so many are dead or all is put back."""
        killed, stages = 0, [*STAGES]
        while killed < most and stages:
            stage = self.random.choice(stages)
            with_another = self.random.random() < 0.1
            is_killed = self.killed(stage, with_another=with_another)
            killed += is_killed
            if with_another or not is_killed:
                stages.remove(stage)  # all of it is put back
        return killed

    def killed(self, stage, *, with_another):
        """Kill one at a request of its, or a moment later; perhaps beside one that lives."""
        kind = self.random.choice(["cut", "cut-after", "later"])
        requests = self.random.randint(1, MOST_REQUESTS)
        seconds = self.random.uniform(0, LONGEST)
        victims = []

        def strike(_):
            if kind == "later":
                threading.Timer(seconds, victims[0].kill).start()
            else:
                victims[0].kill()

        self.wire.arm(requests, Fault("", kind.replace("later", ""), strike=strike))
        victims.append(self.start(stage))
        others = [self.start(stage)] if with_another else []
        codes = [self.ended(process) for process in (*victims, *others)]
        assert codes[1:] in ([], [0])
        assert codes[0] in {0, -9}
        if is_killed := codes[0] < 0:
            count("kills", f"redrive of stage {stage}, {kind}")
        return is_killed

    def ended(self, process):
        _, said = process.communicate(timeout=SECONDS)
        assert process.returncode in {0, -9}, said.decode()
        return process.returncode

    def compare(self):
        """End what was cut short; each row is in the table once, and no letter is open."""
        self.wire.arm(0, Fault("", ""))
        for stage in STAGES:
            assert self.ended(self.start(stage)) == 0
        self.lives.live("two")
        found = Counter(self.lives.ids())
        expected = range(1, next(self.ids))
        count("rows compared", times=len(expected))
        lost = [one for one in expected if not found[one]]
        doubled = [one for one, times in found.items() if times > 1]
        count("losses", times=len(lost))
        count("duplicates", times=len(doubled))
        assert (lost, doubled) == ([], []), "lost, doubled"
        assert list(self.open()) == []
