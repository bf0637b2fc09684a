"""Where ``scripts/run`` can carry the flights: a module each, by the name of the destination.

Each has one class, ``To``.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module

from ..destination import Destination

NAMES = sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(__path__))
UNNAMED = "redshift-manifest"  # where they go if nobody says where


def kind_of(name: str) -> type[Destination]:
    """Return the class for one of ``NAMES``."""
    kind: type[Destination] = import_module(f".{name.replace('-', '_')}", __name__).To
    return kind
