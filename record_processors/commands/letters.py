"""``letters``: what was refused, and why."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ..errors import EXIT_FAILED, EXIT_FOUND, EXIT_OK, EXIT_USAGE, ConnectorError
from .command import add_properties, complain
from .settling import add_settle, settle, usage
from .wanted import add_wanted, wanted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..ops.letters import Found
    from ..ops.reasons import Group

HELP = "list the dead letters of the pipeline by reason, show one, or settle some"
MORE = (
    "It reads, and writes nothing but what --settle says of letters. `redrive` puts letters back."
)
EXAMPLE = (
    "kinesis-connectors letters properties/s3_manifest.properties --since 2h\n"
    "  kinesis-connectors letters properties/s3_manifest.properties --settle --reason truncated "
    "--why 'mended by hand, and put again'\n"
    "  kinesis-connectors letters properties/s3_manifest.properties --show s3://BUCKET/KEY.jsonl"
)
WIDTH = 80


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the file, which letters are meant, how they are told of, and what is settled."""
    add_properties(parser)
    add_wanted(parser)
    parser.add_argument(
        "--show",
        metavar="WHICH",
        nargs="?",
        const="",
        help="show letters with their data: at a position (SEQUENCE-SUBSEQUENCE), of a file of "
        "letters (its key or s3://…), or all that --reason, --stage and --since mean",
    )
    parser.add_argument("--json", action="store_true", help="as JSON, for machines")
    add_settle(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the letters by reason, or those at one place; or settle some."""
    from ..config.keys import APPLICATION_NAME  # noqa: PLC0415
    from ..config.properties import SettingsError, load  # noqa: PLC0415
    from ..kcl.look import no_credentials  # noqa: PLC0415
    from ..ops.letters import letters, shown, summary  # noqa: PLC0415

    try:
        settings = load(arguments.properties)
        lacking = no_credentials()
        if problem := usage(arguments) or (lacking and lacking.sentence):
            return complain(problem, EXIT_USAGE)
        if arguments.settle is not None:
            return settle(arguments, settings)
        if (which := arguments.show) is not None:
            meant = shown(settings, which) if which else letters(settings, wanted(arguments))
            return _show(arguments, meant)
        groups = summary(settings, wanted(arguments)).groups
    except SettingsError as error:
        return complain(error, EXIT_USAGE)
    except ConnectorError as error:
        return complain(error, EXIT_FAILED)
    application = settings[APPLICATION_NAME]
    if arguments.json:
        _print_json(_told(application, groups))
    else:
        _print(application, groups)
    return EXIT_OK


def _told(application: str, groups: list[Group]) -> dict[str, Any]:
    return {
        "application": application,
        "open": sum(group.open for group in groups),
        "redriven": sum(group.redriven for group in groups),
        "settled": sum(group.count for group in groups if group.settled),
        "groups": [
            {
                "stage": group.stage,
                "reason": group.reason,
                "open": group.open,
                "redriven": group.redriven,
                "settled": group.settled or None,
                "first": group.first,
                "last": group.last,
                "where": group.where,
            }
            for group in groups
        ],
    }


def _print(application: str, groups: list[Group]) -> None:
    from ..errors import counted  # noqa: PLC0415

    redriven = sum(group.redriven for group in groups)
    settled = sum(group.count for group in groups if group.settled)
    said = (
        counted(sum(group.open for group in groups), "dead letter"),
        f"and {redriven:,} redriven" if redriven else "",
        f"and {settled:,} settled" if settled else "",
    )
    print(f"{application}: {', '.join(filter(None, said))}")
    for group in groups:
        counts = (
            f"{group.open:,} open" if group.open else "",
            f"{group.redriven:,} redriven" if group.redriven else "",
            f"{group.count:,} settled" if group.settled else "",
            group.first if group.first == group.last else f"{group.first} to {group.last}",
        )
        print(f"\n{group.stage}: {', '.join(filter(None, counts))}")
        _print_wrapped(group.reason)
        if group.settled:
            _print_wrapped(f"settled: {group.settled}")
        print(f"  {group.where}")


def _print_wrapped(text: str) -> None:
    import textwrap  # noqa: PLC0415

    print(
        textwrap.fill(
            text,
            WIDTH,
            initial_indent="  ",
            subsequent_indent="  ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    )


def _show(arguments: argparse.Namespace, found: Iterable[Found]) -> int:
    from ..ops.letters import as_text  # noqa: PLC0415

    told: list[dict[str, Any]] = []
    count = 0
    for one in found:
        count += 1
        letter, file, mark = one.letter, one.file, one.mark
        text = as_text(letter.data)
        about = {
            "where": one.url,
            "written": file.modified.isoformat(timespec="seconds"),
            "redriven": file.is_redriven and not one.settled,
            "settled": one.settled or None,
            "settled by": mark.settled.by if mark and mark.settled else None,
            "settled at": mark.when if mark and mark.settled else None,
            "stage": letter.stage,
            "reason": letter.reason,
            "stream": letter.stream,
            "shard": letter.shard,
            "position": letter.position,
            "partition key": letter.partition_key,
            "arrival": letter.arrival,
            "file": letter.file,
            "line": letter.line,
            "first": letter.first,
        }
        if arguments.json:
            told.append({**about, "data": text})
        else:
            said = {name: value for name, value in about.items() if value not in {None, ""}}
            said["redriven"] = "yes" if about["redriven"] else "no"
            for name, value in said.items():
                print(f"{name:<14} {value}")
            print(f"data           {len(letter.data):,} bytes\n{text}\n")
    if arguments.json:
        names = {
            "partition key": "partitionKey",
            "settled by": "settledBy",
            "settled at": "settledAt",
        }
        _print_json([{names.get(name, name): each[name] for name in each} for each in told])
    if not count:
        where = f"{arguments.show}: " if arguments.show else ""
        return complain(f"{where}no letter is there", EXIT_FOUND)
    return EXIT_OK


def _print_json(value: object) -> None:
    import json  # noqa: PLC0415

    print(json.dumps(value, indent=2))
