"""Text of YAML, put together by hand: comments stay where they are, and no library is needed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

PLAIN = re.compile(r"[A-Za-z][\w-]*(?:[:./][\w*-]+)*", re.ASCII)
# What YAML 1.1 reads as something else than text.
WORDS = frozenset(["true", "false", "yes", "no", "on", "off", "null", "y", "n"])
WIDTH = 130  # of a list on one line, without its indent
PSEUDO = "${AWS::"


def fill(text: str, **values: str) -> str:
    """Put values in the place of their names: ``@name@``.

    Where a name stands alone on its line, each line of its value is indented as the name is; an
    empty value takes the line away.
    """

    def value(found: re.Match[str]) -> str:
        indent, alone, name = found.groups()
        if alone is None:
            return values[name]
        lines = values[alone].splitlines()
        return "".join(f"{indent if line else ''}{line}\n" for line in lines)

    return re.sub(r"^( *)@(\w+)@\n|@(\w+)@", value, text, flags=re.MULTILINE)


def block(value: object) -> str:
    """Write what JSON could hold as a block of YAML.

    Text that is a parameter, ``${…}``, is a ``!Ref``, that is a resource's, ``${….Arn}``, a
    ``!GetAtt``, and with a pseudo parameter in it a ``!Sub``.
    """
    return "\n".join(_lines(value))


def _lines(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for name, member in value.items():
            if isinstance(member, list) and (flow := _flow(member)):
                yield f"{_scalar(name)}: {flow}"
            elif isinstance(member, (dict, list)):
                yield f"{_scalar(name)}:"
                indent = "" if isinstance(member, list) else "  "  # a dash is indent enough
                yield from (f"{indent}{line}" for line in _lines(member))
            else:
                yield f"{_scalar(name)}: {_scalar(member)}"
    elif isinstance(value, list):
        for item in value:
            nested = isinstance(item, (dict, list))
            first, *others = _lines(item) if nested else [_scalar(item)]
            yield f"- {first}"
            yield from (f"  {line}" for line in others)


def _flow(items: list[object]) -> str:
    """Write a list on one line, if it has no other in it, and is short; else return ""."""
    if any(isinstance(item, (dict, list)) for item in items):
        return ""
    # Not every reader takes a bare colon there.
    written = [_scalar(one) for one in items]
    quoted = [json.dumps(one) if PLAIN.fullmatch(one) and ":" in one else one for one in written]
    line = f"[{', '.join(quoted)}]"
    return line if len(line) <= WIDTH else ""


def _scalar(value: object) -> str:
    if not isinstance(value, str):
        return json.dumps(value)
    if parameter := re.fullmatch(r"\$\{(\w+)\}", value):
        return f"!Ref {parameter[1]}"
    if arn := re.fullmatch(r"\$\{(\w+\.Arn)\}", value):
        return f"!GetAtt {arn[1]}"
    if PSEUDO in value:
        return f"!Sub {json.dumps(substituted(value))}"
    if PLAIN.fullmatch(value) and value.lower() not in WORDS:
        return value
    return json.dumps(value)


def substituted(text: str) -> str:
    """Write text for ``Fn::Sub``: ``${…}`` that is no pseudo parameter stays as it is."""
    return re.sub(r"\$\{(?!AWS::)", "${!", text)


def logical_id(name: str) -> str:
    """Make the name of a resource, which has letters and digits alone: ``FlightsToS3``."""
    return "".join(word[0].upper() + word[1:] for word in re.findall(r"[A-Za-z0-9]+", name))
