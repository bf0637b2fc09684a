"""A table of DynamoDB as the destination's calls see it, and its condition as DynamoDB takes it.

Requests are read as they are sent. Types, comparisons, digits: as on
docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html
and …/HowItWorks.NamingRulesDataTypes.html.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from model.simulated_services import cut, refused
from model.simulation import Effect, demand, perform
from record_processors.aws.failures import ConditionFailed, classified
from record_processors.errors import ConnectorError, Transient

Attribute = dict[str, Any]  # {"S": "a text"}
Item = dict[str, Attribute]

KEY, GUARD = "key", "_position"
POISON = b"poison"  # what it refuses, for whatever reason
DIGITS = 38
FEW_LANES = 2  # of which each ends at its first failure, so that some items are not begun
COMPARISONS = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Table:
    """The table; in one with it what calls it, and the client that is asked for its key.

    ``look`` sees each write, the item before and the item after, at the moment when it happens.
    """

    def __init__(self, look: Callable[[Item | None, Item], None]) -> None:
        self.items: dict[str, Item] = {}
        self.look = look

    def describe_table(self, **_: str) -> object:
        told = {
            "TableStatus": "ACTIVE",
            "KeySchema": [{"AttributeName": KEY, "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": KEY, "AttributeType": "S"}],
        }
        return perform(Effect("describe the table", lambda: {"Table": told}, _busy, cut))

    def signer(self) -> None:
        """Sign nothing."""

    def each(
        self, what: str, _: None, operation: str, bodies: Iterable[bytes]
    ) -> Generator[tuple[int, object]]:
        """Send one after the other, as if by a few lanes, each of which ends at a Transient."""
        demand(operation == "PutItem", f"{operation}, which the model does not know")
        lanes = FEW_LANES
        for place, body in enumerate(bodies):
            try:
                with classified(what):
                    answer: object = self._put(json.loads(body))
            except (ConnectorError, ConditionFailed) as error:
                answer = error
            yield place, answer
            lanes -= isinstance(answer, Transient)
            if not lanes:
                return

    def _put(self, request: dict[str, Any]) -> object:
        item = request["Item"]

        def put() -> dict[str, object]:
            if not _is_valid(request):
                raise refused("ValidationException", 400)
            before = self.items.get(item[KEY]["S"])
            if "ConditionExpression" in request and not _holds(request, before or {}):
                raise refused("ConditionalCheckFailedException", 400)
            self.look(before, item)
            self.items[item[KEY]["S"]] = item
            return {}

        return perform(Effect(f"put item {item[KEY]['S']}", put, _busy, cut))

    def close(self) -> None:
        """End nothing."""


def _busy() -> Exception:
    return refused("ProvisionedThroughputExceededException", 400)


def _is_valid(request: Mapping[str, Any]) -> bool:
    """Whether DynamoDB takes the request at all."""
    expression = request.get("ConditionExpression", "")
    used = {*re.findall("[#:][a-z]+", expression)}
    given = {
        *request.get("ExpressionAttributeNames", ()),
        *request.get("ExpressionAttributeValues", ()),
    }
    values = [*request["Item"].values(), *request.get("ExpressionAttributeValues", {}).values()]
    too_long = [one for value in values for one in _numbers(value) if _digits(one) > DIGITS]
    return used == given and not too_long and POISON not in json.dumps(request).encode()


def _numbers(value: Attribute) -> Iterator[str]:
    ((kind, content),) = value.items()
    if kind == "N":
        yield content
    if kind == "M":
        for one in content.values():
            yield from _numbers(one)


def _digits(number: str) -> int:
    """Return how many of its digits count."""
    mantissa, _, _ = number.lower().partition("e")
    return len(re.sub("[^0-9]", "", mantissa).strip("0"))


def _holds(request: Mapping[str, Any], item: Item) -> bool:
    names = request.get("ExpressionAttributeNames", {})
    values = request.get("ExpressionAttributeValues", {})

    def value(operand: str) -> Attribute | None:
        if operand.startswith(":"):
            return values[operand]
        return item.get(names[operand] if operand.startswith("#") else operand)

    def is_true(term: str) -> bool:
        if found := re.fullmatch(r"attribute_not_exists\((\S+)\)", term):
            return value(found[1]) is None
        found = re.fullmatch(r"(\S+) (=|<>|<|<=|>|>=) (\S+)", term)
        demand(found is not None, f"{term}, which the model does not know")
        return _compare(value(found[1]), found[2], value(found[3]))

    return any(map(is_true, request["ConditionExpression"].split(" OR ")))


def _compare(left: Attribute | None, how: str, right: Attribute | None) -> bool:
    """Compare what is there and of one type: numbers by value, texts by their bytes."""
    if left is None or right is None or {*left} != {*right}:
        return how == "<>" and {left is None, right is None} == {False}
    ((kind, one),), ((_, other),) = left.items(), right.items()
    of_kind: Callable[[str], Any] = Decimal if kind == "N" else str.encode
    return bool(COMPARISONS[how](of_kind(one), of_kind(other)))


def plain(value: Attribute) -> object:
    """Return what an attribute holds."""
    ((kind, content),) = value.items()
    if kind == "M":
        return {name: plain(one) for name, one in content.items()}
    return int(content) if kind == "N" else content
