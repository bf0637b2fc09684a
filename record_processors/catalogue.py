"""Every setting that a file may hold: KCL's and ours, in the order of their declarations."""

from __future__ import annotations

from types import ModuleType

from . import redshift_settings, settings
from .kcl import KCL_KEYS
from .setting import Setting


def _declared_in(module: ModuleType) -> list[Setting[object]]:
    return [value for value in vars(module).values() if isinstance(value, Setting)]


REDSHIFT = _declared_in(redshift_settings)
OURS: dict[str, Setting[object]] = {each.key: each for each in [*_declared_in(settings), *REDSHIFT]}
ALL = {**KCL_KEYS, **OURS}
