"""``put``: lines of files, or of stdin, to a stream."""

from __future__ import annotations

import argparse
import codecs
import errno
import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..errors import EXIT_FAILED, EXIT_FOUND, EXIT_OK, EXIT_USAGE, ConnectorError
from .command import complain

if TYPE_CHECKING:
    from ..aws.clients import Client
    from ..aws.put_records import OutgoingRecord
    from ..flow.retry import Retry

HELP = "put the lines of files, or of stdin, to a stream"
MORE = (
    "Each line is a record, without its line end, or a byte order mark before the first; lines of "
    "more than 1 MiB are left out, and the exit code is 1 then. Region and endpoint come from "
    "AWS_REGION and AWS_ENDPOINT_URL."
)
EXAMPLE = "kinesis-connectors put events flights.jsonl"

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take a stream and files."""
    parser.add_argument("stream", metavar="STREAM", help="the stream's name")
    parser.add_argument("files", metavar="FILE", nargs="*", help="files of lines (default: stdin)")
    parser.add_argument(
        "--partition-key",
        metavar="KEY",
        type=_partition_key,
        help="the partition key of all lines, which keeps them in order with others of that key "
        "(default: each line's number, which spreads them over the shards)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Put lines, with progress on stderr."""
    from ..aws.clients import client  # noqa: PLC0415
    from ..aws.findings import impatient  # noqa: PLC0415
    from ..config.keys import BACKOFF_INTERVAL, RETRY_LIMIT  # noqa: PLC0415
    from ..config.setting import Settings  # noqa: PLC0415
    from ..flow.retry import Retry  # noqa: PLC0415
    from ..progress import Progress  # noqa: PLC0415

    logging.basicConfig(format="%(message)s")
    defaults = Settings("", {})
    try:
        _insist_on_readable(arguments.files)
        progress = Progress("put", "records", _count_lines(arguments.files), sys.stderr)
        kinesis = client("kinesis", impatient(defaults))
    except OSError as error:
        return complain(f"{error.filename}: {error.strerror}", EXIT_USAGE)
    except ConnectorError as error:
        return complain(error, EXIT_FAILED)
    try:
        summary = put_lines(
            kinesis,
            arguments.stream,
            _lines(arguments.files),
            Retry(defaults[RETRY_LIMIT], defaults[BACKOFF_INTERVAL]),
            progress,
            arguments.partition_key,
        )
    except (OSError, ConnectorError) as error:
        said, code = _failure(error, kinesis, arguments.stream)
        return complain(f"{said}; put before: {progress.done:,} records", code)
    except KeyboardInterrupt:
        progress.finish(progress.done)
        raise
    progress.finish(summary.put)
    if summary.empty:
        print(f"empty lines left out: {summary.empty:,}", file=sys.stderr)
    return EXIT_FOUND if summary.too_long else EXIT_OK


def _failure(error: Exception, kinesis: Client, stream: str) -> tuple[str, int]:
    from ..aws.findings import code_of  # noqa: PLC0415

    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}", EXIT_USAGE
    if code_of(error.__cause__) == "ResourceNotFoundException":
        there = f"there is no stream {stream} at {kinesis.meta.endpoint_url}"
        remedy = "AWS_REGION and AWS_ENDPOINT_URL say where to look, `create` makes it"
        return f"{there} ({remedy})", EXIT_USAGE
    return str(error), EXIT_FAILED


class Summary(NamedTuple):
    """What came of the lines."""

    put: int
    empty: int
    too_long: int


def put_lines(
    kinesis: Client,
    stream: str,
    lines: Iterable[bytes],
    retry: Retry,
    shown: Callable[[int], None],
    partition_key: str | None = None,
) -> Summary:
    """Put each line, without its line end, as one record; calls ``shown`` with how many are put.

    Without a partition key, each has its number for one. Empty lines and lines over 1 MiB are left
    out and counted. Raises Fatal.
    """
    from ..aws.put_records import (  # noqa: PLC0415
        BYTES_A_RECORD,
        OutgoingRecord,
        batches,
        put_records,
    )
    from ..transformers.text import without_line_break  # noqa: PLC0415

    put = empty = too_long = 0

    def outgoing() -> Iterator[OutgoingRecord]:
        nonlocal empty, too_long
        for number, line in enumerate(lines, 1):
            record = OutgoingRecord(without_line_break(line), partition_key or str(number))
            if not record.data:
                empty += 1
            elif record.size > BYTES_A_RECORD:
                log.error("line %d is left out: it has %d bytes, over 1 MiB", number, record.size)
                too_long += 1
            else:
                yield record

    for batch in batches(outgoing()):
        put_records(kinesis, stream, batch, retry)
        put += len(batch)
        shown(put)
    return Summary(put, empty, too_long)


def _partition_key(text: str) -> str:
    from ..aws.put_records import KEY_CHARACTERS  # noqa: PLC0415

    if not 0 < len(text) <= KEY_CHARACTERS:
        raise argparse.ArgumentTypeError(f"a partition key has 1 to {KEY_CHARACTERS} characters")
    return text


def _insist_on_readable(files: Sequence[str]) -> None:
    """Find the one that cannot be read before records of the others are put. Raises OSError."""
    for name in files:
        if not Path(name).is_fifo():  # which can be opened but once
            Path(name).open("rb").close()


def _lines(files: Sequence[str]) -> Iterator[bytes]:
    for name in files:
        with Path(name).open("rb") as file:
            yield from _without_mark(name, file)
    if not files:
        yield from _without_mark("stdin", sys.stdin.buffer)


def _without_mark(name: str, lines: Iterable[bytes]) -> Iterator[bytes]:
    """Take off the mark that some editors put before a text, as it is none of a record."""
    for number, line in enumerate(lines):
        if number == 0 and line.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise OSError(errno.EINVAL, "it is UTF-16; save it as UTF-8", name)
        yield line.removeprefix(codecs.BOM_UTF8) if number == 0 else line


def _count_lines(files: Sequence[str]) -> int | None:
    """Count beforehand what regular files hold; of a pipe nobody knows."""
    from ..transformers.text import without_line_break  # noqa: PLC0415

    if not files or not all(Path(name).is_file() for name in files):
        return None
    return sum(1 for line in _lines(files) if without_line_break(line))
