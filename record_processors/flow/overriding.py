"""Which of two methods of a class is the one that its author wrote."""

from __future__ import annotations


def is_newer(cls: type, one: str, other: str) -> bool:
    """Whether the method ``one`` of a class comes from nearer to it than the method ``other``."""
    definer = next(each for each in cls.__mro__ if one in vars(each) or other in vars(each))
    return other not in vars(definer)
