"""That age and size change nothing: of a child, and of the chain that it begins behind."""

from contextlib import closing

from bench.messages import deliveries
from support.fault_proxy import Proxy

PER_LINE = 10_000
STEP = 100_000  # records: ten files
AGES = (1, 2, 10)  # steps after which it is looked at
CHAINS = (10, 100)  # files


def age(workbench):
    """Yield the cost of a record, and memory, as one child on its shard grows older."""
    step = workbench.some(STEP)
    with workbench.child(workbench.pipeline(transformer="text")) as child:
        _deliver(workbench, child, 0, PER_LINE)
        spent = child.cpu
        for number in range(1, AGES[-1] + 1):
            _deliver(workbench, child, (number - 1) * step + PER_LINE, step)
            before, spent = spent, child.cpu
            if number in AGES:
                cells = [f"{(spent - before) / step * 1e6:.2f}", f"{child.mebibytes():.0f}"]
                yield f"after {number * step:,} records", cells


def restart(workbench):
    """Yield what a new life on a chain of files costs up to its first file."""
    for files in CHAINS[: 1 if workbench.small else None]:
        with closing(Proxy(workbench.stack.properties["s3Endpoint"], [])) as wire:
            settings = workbench.pipeline(transformer="text", s3Endpoint=wire.endpoint)
            with workbench.child(settings) as child:
                _deliver(workbench, child, 0, files * PER_LINE)
            wire.requests.clear()
            with workbench.child(settings) as child:
                before = child.cpu
                _deliver(workbench, child, files * PER_LINE, PER_LINE)
                cells = [f"{1000 * (child.cpu - before):.0f}", str(len(wire.requests))]
        yield f"on a chain of {files} files", cells


def _deliver(workbench, child, start, count):
    for line in deliveries(workbench.payloads, count, PER_LINE, start=start):
        child.say(line)
