"""Writes the reference of the settings, a page of Markdown, from what our classes declare."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..events import OF_EVERY_PIPELINE, Event
from .component import Component, Destination
from .host_metrics import OF_A_HOST
from .kcl_keys import KCL_KEYS
from .keys import DESTINATION, FILTER, TRANSFORMER
from .known_settings import Elsewhere, elsewhere
from .metric import Metric
from .registry import ours
from .setting import Setting
from .shipped_files import default_of, sections, type_of

BEGINNING = """\
# The settings

One file for each pipeline, to be edited; `kinesis-connectors check FILE` finds what is wrong with it.

A file is read as Java reads it: Latin-1, `#` for comments, a backslash at the end of a line continues it, `\\\\` is one
backslash, and **blanks at the end of a value count**, so that they are refused. Keys are KCL's own, which the daemon gets, and
ours. Relative paths begin where the daemon is started. Secrets stay out, since the daemon logs every value.

`kinesis-connectors init FOLDER` writes this page and the files, from what each class declares: KCL's keys in
`record_processors/config/kcl_keys.py`, those of every pipeline in `record_processors/config/keys.py`, all others beside the
transformer, filter or destination that reads them.
"""  # noqa: E501 - lines of a page


METRICS = """\
## Metrics

What `metrics` sends, at most once in ten seconds from each shard's process; a counter of which nothing has come is left out. To StatsD,
names begin with `kinesis_connectors.`, tags are `application` and `shard`, times are in milliseconds. In CloudWatch the namespace is
`KinesisConnectors`, the dimensions are `application`, and `application` with `shard`; the agent keeps the documents in the log group
`kinesis-connectors/APPLICATION/metrics`. The last ones a host of a stack sends for itself, by application, each minute or five.
"""  # noqa: E501 - lines of a page


def reference() -> str:
    """Return the page that lies beside the shipped files: every key that a file may hold."""
    every = [each for key in (TRANSFORMER, FILTER, DESTINATION) for _, each in ours(key.key)]
    users = elsewhere()
    shown = sections(*every)
    lines = [BEGINNING, "## The files", "", "| file | for |", "| --- | --- |"]
    for each in every:
        if issubclass(each, Destination) and each.shipped:
            name = f"{each.shipped.name}.properties"
            lines.append(f"| [`{name}`]({name}) | {each.shipped.about} |")
    for title, settings in shown.items():
        lines += ["", f"## {title[0].upper()}{title[1:]}", "", *_table(settings, users)]
    rest = set(KCL_KEYS) - {setting.key for settings in shown.values() for setting in settings}
    others = [KCL_KEYS[key] for key in sorted(rest, key=str.lower)]
    lines += ["", "## The rest of KCL's keys", "", *_table(others, users)]
    lines += ["", METRICS, *_metrics(every)]
    events = dict.fromkeys(
        [*OF_EVERY_PIPELINE, *(event for each in every for event in each.events)]
    )
    lines += ["", "## Events of the log", "", *_events(events)]
    return "\n".join(lines) + "\n"


def _metrics(classes: Iterable[type[Component]]) -> Iterator[str]:
    destinations = {
        name: each.measures for name, each in ours(DESTINATION.key) if issubclass(each, Destination)
    }
    every = dict.fromkeys(
        metric for each in classes if issubclass(each, Destination) for metric in each.measures
    )
    yield "| metric | kind | unit | what it says | told apart by | for |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for metric in every:
        users = [name for name, measures in destinations.items() if metric in measures]
        used_by = "all" if len(users) == len(destinations) else ", ".join(sorted(users))
        yield _metric(metric, used_by)
    for metric in OF_A_HOST:
        yield _metric(metric, "hosts of a `cloudformation` stack")


def _metric(metric: Metric, used_by: str) -> str:
    told_apart_by = f"`{metric.tag}`" if metric.tag else ""
    cells = [f"`{metric.name}`", metric.kind, metric.unit, metric.help, told_apart_by, used_by]
    return f"| {' | '.join(cells)} |"


def _table(settings: list[Setting[object]], users: dict[str, Elsewhere]) -> Iterator[str]:
    yield "| key | what it says | its values | default | for |"
    yield "| --- | --- | --- | --- | --- |"
    for setting in settings:
        used_by = ", ".join(sorted(_users(setting, users))) or "all"
        default = f"`{shown}`" if (shown := default_of(setting)) else ""
        cells = [
            f"`{setting.key}`",
            f"{setting.help} {setting.note}".strip(),
            type_of(setting),
            f"needed for {used_by}" if setting.required else default,
            used_by,
        ]
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _events(events: Iterable[Event]) -> Iterator[str]:
    yield "With `logFormat = json` each line of the log is an object; these names stay as they are."
    yield from ("", "| event | what it means | what to do |", "| --- | --- | --- |")
    for event in events:
        yield f"| `{event.name}` | {event.means} | {event.remedy} |"


def _users(setting: Setting[object], declared: dict[str, Elsewhere]) -> Iterable[str]:
    """Name the classes that heed a setting; none if all do."""
    if setting.key == TRANSFORMER.key:
        return [name for name, each in ours(DESTINATION.key) if each.own_transformer is None]
    return declared[setting.key].users if setting.key in declared else ()
