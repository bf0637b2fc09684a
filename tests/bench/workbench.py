"""The stand-ins, and pipelines of every kind on them, each with a name of its own."""

import itertools

from bench.child import Child
from record_processors.commands.create import create
from record_processors.local.demo import flights
from record_processors.local.demo.pipelines import write_pipeline

COLUMNS = ", ".join(flights.COLUMNS)

_names = itertools.count(1)


class Workbench:
    """What all parts of the benchmark stand on. ``small``: everything is tried, nothing is told."""

    def __init__(self, stack, folder, rounds, *, small):
        self.stack, self.folder, self.rounds, self.small = stack, folder, rounds, small
        self.environment = stack.process_environment()
        source = folder / "flights.jsonl"
        flights.write_json_lines(source)
        with source.open("rb") as lines:
            self.payloads = [each.rstrip(b"\n") for each in itertools.islice(lines, 10_000)]

    def some(self, count):
        """Return a number of records, or few if this is only a try."""
        return count // 10 if self.small else count

    def pipeline(self, stage="s3_manifest", **changes):
        """Write the shipped file of a stage under a new name, with some values changed."""
        name = f"bench-{next(_names)}"
        if changes.get("transformer") in {"delimited", "csv"}:
            changes["transformerColumns"] = COLUMNS
        settings = write_pipeline(
            stage, self.folder / name, {"applicationName": name, **changes}, self.stack.properties
        )
        list(create(settings))
        return settings

    def child(self, settings):
        """Start the pipeline's child on a shard."""
        return self.program("-m", "record_processors", "process", settings.path)

    def program(self, *arguments, **options):
        """Start a child of another kind."""
        return Child(arguments, self.environment, self.folder / "children.log", **options)
