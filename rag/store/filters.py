"""Metadata filters: parse them strictly, compile them to SQL over a document's metadata.

A filter is a mapping: {"year": {"$gte": 2024}, "$or": [{"region": "DE"}, {"region": {"$in": ["AT"]}}]}.
A bare value means `$eq`; several keys mean `$and`. `$document` stands for the document's name. A
document without the field matches only `$ne` and `$nin`. True and false compare as 1 and 0.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from rag.errors import InvalidFilter

Filter = Mapping[str, Any]

_COMPARISONS = {"$eq": "=", "$ne": "=", "$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}
_MEMBERSHIPS = ("$in", "$nin")
_JOINS = {"$and": " AND ", "$or": " OR "}
_MOST_DEPTH = 16
_MOST_TESTS = 256  # SQLite refuses an expression more than 1,000 deep


def filter_to_sql(filter_: Filter, depth: int = 0) -> tuple[str, list[Any]]:
    """Compile a filter to (condition, values) over a row with `name` and JSON `metadata`.

    Text compares with text and numbers with numbers; a comparison across kinds is false.

    Raises:
        InvalidFilter: naming the part that does not parse.
    """
    if not isinstance(filter_, Mapping):
        raise InvalidFilter(
            f'A filter is {_shown(filter_)}; expected an object such as {{"year": {{"$gte": 2024}}}}.'
        )
    if depth > _MOST_DEPTH:
        raise InvalidFilter(f"The filter is nested more than {_MOST_DEPTH} deep; flatten it.")
    parts = [
        _joined(key, value, depth) if key in _JOINS else _field(key, value, depth)
        for key, value in filter_.items()
    ]
    condition, values = _join(parts, " AND ")
    if condition.count("?") > 2 * _MOST_TESTS:
        raise InvalidFilter(
            f"The filter has more than {_MOST_TESTS} comparisons; use $in for lists of values."
        )
    return condition, values


def _joined(operator: str, operands: Any, depth: int) -> tuple[str, list[Any]]:
    if not isinstance(operands, list) or not operands:
        raise InvalidFilter(f"{operator} has {_shown(operands)}; expected a list of one or more filters.")
    return _join([filter_to_sql(operand, depth + 1) for operand in operands], _JOINS[operator])


def _join(parts: list[tuple[str, list[Any]]], word: str) -> tuple[str, list[Any]]:
    condition = word.join(f"({sql})" for sql, _ in parts) or "1"
    return condition, [value for _, values in parts for value in values]


def _field(key: Any, test: Any, depth: int) -> tuple[str, list[Any]]:
    if not isinstance(key, str) or not is_storable(key):
        raise InvalidFilter(f"A filter has the field {_shown(key)}; expected a name without NUL.")
    if key.startswith("$") and key != "$document":
        known = ", ".join([*_JOINS, "$document"])
        raise InvalidFilter(f"{key} is not an operator here; expected a field name, {known}.")
    tests = test if isinstance(test, Mapping) else {"$eq": test}
    if not tests:
        raise InvalidFilter(f"The filter on {key!r} is empty; expected a value or an operator such as $eq.")
    return _join([_comparison(key, operator, value) for operator, value in tests.items()], " AND ")


def _comparison(key: str, operator: str, value: Any) -> tuple[str, list[Any]]:
    if operator in _MEMBERSHIPS:
        if not isinstance(value, list):
            raise InvalidFilter(f"{operator} on {key!r} has {_shown(value)}; expected a list of values.")
        for member in value:
            _check_scalar(key, operator, member)
        return _negated(operator == "$nin", *_compared(key, "IN (SELECT value FROM json_each(?))", value))
    if operator in _COMPARISONS:
        _check_scalar(key, operator, value)
        if operator == "$ne":
            return _negated(True, *_compared(key, "= ? ->> '$'", value))
        return _compared(key, f"{_COMPARISONS[operator]} ? ->> '$'", value)
    known = ", ".join([*_COMPARISONS, *_MEMBERSHIPS])
    raise InvalidFilter(f"{operator} on {key!r} is not an operator; expected one of {known}.")


def _compared(key: str, test: str, value: Any) -> tuple[str, list[Any]]:
    """Test a field within the kind of the value; SQLite would otherwise order every text above every number.

    The value goes in as JSON, so that the same parser reads both sides. A path such as `$."key"` would
    not do: SQLite's paths know no escapes, so that a key with a quote has none.
    """
    kinds = {isinstance(member, str) for member in (value if isinstance(value, list) else [value])}
    if key == "$document":
        # The plus sign takes off the column's affinity.
        return f"({True in kinds:d} AND +name {test})", [json.dumps(value)]
    typed = "".join("'text'," if text else "'integer','real','true','false'," for text in kinds)
    condition = f"EXISTS (SELECT 1 FROM json_each(metadata) WHERE key = ? AND type IN ({typed[:-1]}) AND value {test})"
    return condition, [key, json.dumps(value)]


def _negated(negate: bool, condition: str, values: list[Any]) -> tuple[str, list[Any]]:
    return (f"NOT {condition}" if negate else condition), values


def is_storable(value: Any) -> bool:
    """Return whether a value can be a metadata value: text that UTF-8 can hold, without NUL, or a 64-bit number."""
    if isinstance(value, str):
        return "\0" not in value and not any("\ud800" <= character <= "\udfff" for character in value)
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and -(2**63) <= value < 2**63


def _check_scalar(key: str, operator: str, value: Any) -> None:
    if not is_storable(value):
        raise InvalidFilter(
            f"{operator} on {key!r} has {_shown(value)}; expected a text, finite number, true or false."
        )


def _shown(value: Any) -> str:
    try:
        return json.dumps(value, default=str)[:80]
    except (TypeError, ValueError, RecursionError):
        return f"a {type(value).__name__}"
