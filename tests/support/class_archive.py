"""An archive of the daemon's classes, for the tests that start many: a start takes a third less.

https://docs.oracle.com/en/java/javase/17/vm/class-data-sharing.html: a life writes it at its end,
and those that follow under the same jars read it. A Java that can write none, such as one without
an archive of its own classes, runs as it does without.
"""

import fcntl
import os

import pytest

from support.two_stages import TwoStages

JAVA_OPTIONS = "JAVA_TOOL_OPTIONS"
WRITE = "-XX:+IgnoreUnrecognizedVMOptions -XX:ArchiveClassesAtExit="  # unknown before Java 13
READ = "-XX:SharedArchiveFile="


@pytest.fixture(scope="module")
def class_archive(request, tmp_path_factory, stack):
    """Let the daemons of this module begin with it; the first that asks makes it."""
    folder = tmp_path_factory.getbasetemp()
    if hasattr(request.config, "workerinput"):
        folder = folder.parent  # that of all processes of the run
    archive, tried = folder / "classes.jsa", folder / "classes.tried"
    with pytest.MonkeyPatch.context() as patch:
        options = os.environ[JAVA_OPTIONS]
        with tried.open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not tried.stat().st_size:
                patch.setenv(JAVA_OPTIONS, f"{options} {WRITE}{archive}")
                live(stack, tmp_path_factory.mktemp("archive"))
                lock.write("once")
            patch.undo()
        if archive.exists():
            patch.setenv(JAVA_OPTIONS, f"{options} {READ}{archive}")
        yield


def live(stack, folder):
    """Live a daemon's life, with all that most lives come to."""
    here = TwoStages(stack, folder, "archive")
    here.put([b'{"id": 1}'])
    here.start("one")
    here.until(lambda: here.file_lines("archive-one/"), "a file is written")
    here.stop("one")
    here.close()
