"""Programs run in processes that have their libraries already: importing them takes a second each.

A process of its own imports them once, and forks; none of it has imported the package, so that
each can run a copy of it.
"""

import multiprocessing
import os
import runpy
import sys
from typing import NamedTuple

# What the package and its tests import, and no part of either.
LIBRARIES = (
    *("boto3", "botocore.httpsession", "hypothesis.stateful", "jmespath", "msgspec"),
    *("psycopg2.extensions", "pytest", "smart_open", "tenacity", "amazon_kclpy.kcl"),
)
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(list(LIBRARIES))


class Ended(NamedTuple):
    """How a program ended."""

    returncode: int
    stderr: str


def run(paths, program, arguments, log, timeout, environment=()):
    """Run a program with these first in its path; ``log`` is a file for what it writes.

    ``environment``: the variables that it has besides those of this process' first program.
    """
    told = ([str(path) for path in paths], str(program), list(arguments), str(log), environment)
    process = _processes.Process(target=_become, args=told)
    process.start()
    process.join(timeout)
    if process.exitcode is None:
        process.kill()
        process.join()
        raise TimeoutError(f"{program} {arguments}: not ended after {timeout} s")
    return Ended(process.exitcode, log.read_text(errors="replace"))


def _become(paths, program, arguments, log, environment):
    os.environ.update(environment)
    file = os.open(log, os.O_WRONLY | os.O_CREAT)
    os.dup2(file, 1)
    os.dup2(file, 2)
    sys.path[:0] = paths
    sys.argv[:] = [program, *arguments]
    sys.path.insert(0, os.path.dirname(program))  # noqa: PTH120 - as Python does
    runpy.run_path(program, run_name="__main__")
