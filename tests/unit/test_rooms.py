"""The house: which room may import which, and that no room knows a destination by its name."""

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import record_processors
from record_processors.config.registry import CHOOSERS

PACKAGE = Path(record_processors.__file__).parent
ROOMS = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))
MODULES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))


def room_of(dotted):
    """Return the room, or the file beside the rooms, that a module inside the package is in."""
    return dotted.split(".")[0]


def imports_of(module):
    """Return what a module imports of the package, as dotted paths inside it."""
    here = module.with_suffix("").parts
    for node in ast.walk(ast.parse((PACKAGE / module).read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = here[: len(here) - node.level] if here[-1] != "__init__" else here[: -node.level]
            names = [node.module] if node.module else [alias.name for alias in node.names]
            yield from (".".join([*base, name]) for name in names)
        elif isinstance(node, ast.ImportFrom) and node.module.startswith("record_processors."):
            yield node.module.partition(".")[2]


def said_by(room):
    """Return the rooms that a room says it imports, in its first lines."""
    said = ast.get_docstring(ast.parse((PACKAGE / room / "__init__.py").read_text()))
    (sentence,) = re.findall(r"This room imports (.*?)\.(?:\s|$)", said, re.DOTALL)
    return set(re.findall(r"``(\w+)``", sentence))


def imported_by(room):
    modules = [module for module in MODULES if module.parts[0] == room]
    return {room_of(name) for module in modules for name in imports_of(module)} - {room}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_what_it_says(room):
    """Each room says in its first lines which rooms it imports, and imports those and no other."""
    assert imported_by(room) == said_by(room)


def test_imports_go_one_way():
    """No room imports one that imports it, at however many removes; nor does a module."""
    list(TopologicalSorter({room: said_by(room) for room in ROOMS}).static_order())

    names = {".".join(module.with_suffix("").parts): set(imports_of(module)) for module in MODULES}
    list(TopologicalSorter(names).static_order())


def test_no_destination_imports_another():
    """What is known of a destination is in its own file or folder."""
    for module in MODULES:
        if module.parts[0] == "destinations" and len(module.parts) > 1:
            own = module.with_suffix("").parts[1]
            others = {name.split(".")[1] for name in imports_of(module) if "destinations." in name}
            assert others <= {own}, module


def code_of(module):
    """Return the source of a module without comments and docstrings, which may tell of anything."""
    tree = ast.parse((PACKAGE / module).read_text())
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(
            node
        ):
            node.body[0].value.value = ""
    return ast.unparse(tree)


@pytest.mark.parametrize(
    "module",
    [m for m in MODULES if m.parts[0] not in {"destinations", "local"} and m.name != "registry.py"],
    ids=str,
)
def test_nobody_knows_a_component_by_its_name(module):
    """Outside the registry and the rooms of destinations no code names one, nor any of its keys."""
    code = code_of(module)
    names = [name for chooser in CHOOSERS.values() for name in chooser.names if "-" in name]
    classes = [path.partition(":")[2] for each in CHOOSERS.values() for path in each.names.values()]
    found = [name for name in (*names, *classes) if re.search(rf"\b{name}\b", code)]
    if module.parts[0] in {"transformers", "filters"}:
        found = [name for name in found if name not in classes]

    assert found == []
    assert re.findall(r"\bredshift[A-Z]\w*|\.redshift\b", code) == []
