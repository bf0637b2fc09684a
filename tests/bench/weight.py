"""What a child weighs, and how long it takes to its first answer."""

from statistics import median

from bench.child import BARE, BOTO3
from bench.messages import deliveries

RECORDS = 100_000


def memory(workbench):
    """Yield resident memory, idle and at its peak, at 1,000 and 10,000 records a line."""
    for name, start in (
        ("bare amazon_kclpy", lambda: workbench.program("-c", BARE)),
        ("s3-manifest, text", lambda: workbench.child(workbench.pipeline(transformer="text"))),
        (
            "s3-manifest, delimited",
            lambda: workbench.child(workbench.pipeline(transformer="delimited")),
        ),
    ):
        cells = []
        for per_line in (1_000, 10_000):
            with start() as child:
                idle = child.mebibytes()
                for line in deliveries(workbench.payloads, workbench.some(RECORDS), per_line):
                    child.say(line)
                cells.append(f"{child.mebibytes('VmHWM'):.0f}")
        yield name, [f"{idle:.0f}", *cells]


def start(workbench):
    """Yield the seconds from a process' start to its first answer."""
    boto3, ours = [], []
    for _ in range(3 * workbench.rounds):
        with workbench.program("-c", BOTO3, initialize=False) as child:
            boto3.append(child.seconds)
        with workbench.child(workbench.pipeline()) as child:
            ours.append(child.seconds)
    ratio = median(one / other for one, other in zip(ours, boto3, strict=True))
    yield "import boto3, make a client of S3", [f"{1000 * median(boto3):.0f}", "1.00"]
    yield "s3-manifest", [f"{1000 * median(ours):.0f}", f"{ratio:.2f}"]
