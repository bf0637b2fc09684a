"""Every setting of ours, in the order in which a person meets them."""

from __future__ import annotations

from types import ModuleType

from . import redshift_settings, settings
from .setting import Setting


def _declared_in(module: ModuleType) -> list[Setting[object]]:
    return [value for value in vars(module).values() if isinstance(value, Setting)]


REDSHIFT = _declared_in(redshift_settings)
OURS: dict[str, Setting[object]] = {each.key: each for each in [*_declared_in(settings), *REDSHIFT]}
