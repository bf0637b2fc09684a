"""Copies of the package with one line broken, for the tests of the tests."""

import ast
import functools
import re
import shutil
from pathlib import Path
from typing import NamedTuple

import record_processors

PACKAGE = Path(record_processors.__file__).parent

# What the log of a copy says that does not run at all, or trips over the broken line itself.
NOT_RUNNING = (
    "SyntaxError",
    "NameError",
    "ImportError",
    "UnboundLocalError",
    "AttributeError",
    "TypeError",
)


class Broken(NamedTuple):
    """``old`` stands once in ``symbol``; with ``new`` in its place something must notice.

    ``symbol`` is the qualified name of a function, class or constant, in whichever module it is:
    "Pipeline.flush", "Record", "BAD_DATA". If several modules define it, one component of the
    module's dotted path comes first: "aws.classify" is in ``aws.py``, or in a folder ``aws``.

    ``old`` and ``new`` are lines, or a part of one, written as if the line that ``old`` begins in
    were not indented. With "" for ``new``, it is taken out.

    What must notice is ``scenario``, if one is named; ``match`` is what must be noticed first,
    where that is not plain.
    """

    name: str
    symbol: str
    old: str
    new: str
    scenario: object = None
    match: str | None = None


def broken_copy(directory, broken):
    """Copy the package, and break it; return what PYTHONPATH must name."""
    found = whole_package().get(broken.symbol, [])
    files = [str(file) for file, _ in found]
    assert len(found) == 1, f"{broken.name}: not one {broken.symbol}, but {len(found)}: {files}"
    ((name, node),) = found
    copy = directory / PACKAGE.name
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("local"))
    file = copy / name
    lines = file.read_text().splitlines(keepends=True)
    symbol = slice(node.lineno - 1, node.end_lineno)
    lines[symbol] = [broken_source("".join(lines[symbol]), broken)]
    file.write_text("".join(lines))
    return directory


@functools.cache
def whole_package():
    """Return where each symbol of the package is, and its node; parsed once for all copies."""
    found = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        path = file.relative_to(PACKAGE)
        if path.parts[0] == "local":
            continue
        for name, node in definitions(ast.parse(file.read_text()).body):
            for symbol in {name, *(f"{part}.{name}" for part in path.with_suffix("").parts)}:
                found.setdefault(symbol, []).append((path, node))
    return found


def definitions(body, prefix=""):
    """Yield the qualified names that a module or class defines, and their nodes."""
    for node in body:
        match node:
            case ast.FunctionDef(name=name):
                yield prefix + name, node
            case ast.ClassDef(name=name):
                yield prefix + name, node
                yield from definitions(node.body, f"{prefix}{name}.")
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                yield prefix + name, node


def broken_source(source, broken):
    found = list(places(source, broken.old))
    assert len(found) == 1, (
        f"{broken.name}: not once, but {len(found)} times in {broken.symbol}: {broken.old}"
    )
    start, indent = found[0]
    end = start + len(indented(broken.old, indent))
    source = source[:start] + indented(broken.new, indent) + source[end:]
    return re.sub(r"(?m)^ +\n", "", source)  # what is left of a line that was taken out


def places(source, old):
    """Yield where ``old`` begins in ``source``, and how the line that it begins in is indented."""
    for match in re.finditer(re.escape(old.partition("\n")[0]), source):
        before = source[: match.start()].rpartition("\n")[2]
        indent = before[: len(before) - len(before.lstrip())]
        if source.startswith(indented(old, indent), match.start()):
            yield match.start(), indent


def indented(text, indent):
    """Indent the lines after the first."""
    return re.sub(r"\n(?=.)", "\n" + indent, text)
