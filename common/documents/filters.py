"""The language in which a search is narrowed: a small part of Chroma's, that names nothing of our own."""

import math
import re
from collections.abc import Mapping
from typing import Any

BUILT_IN_FIELDS = frozenset({"document_id", "document_name", "content_type", "page", "index"})
"""What every passage has beside the attributes of its document."""

_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_COMPARISONS = frozenset({"$eq", "$ne", "$gt", "$gte", "$lt", "$lte"})
_ORDERS = frozenset({"$gt", "$gte", "$lt", "$lte"})
_LISTS = frozenset({"$in", "$nin"})
_JOINS = frozenset({"$and", "$or"})
_MAX_DEPTH = 4
_MAX_CONDITIONS = 50
_MAX_VALUES = 100
_MAX_LENGTH = 500
_MAX_ATTRIBUTES = 20
_MAX_NUMBER = 2**53


def is_field(name: str) -> bool:
    """Whether an attribute may have this name."""
    return _FIELD.fullmatch(name) is not None


def check_attributes(value: object) -> dict[str, Any]:
    """Attributes of a document: a flat object of texts, numbers and booleans. Raises `ValueError`."""
    if not isinstance(value, Mapping):
        raise ValueError("attributes are an object")
    if len(value) > _MAX_ATTRIBUTES:
        raise ValueError(f"at most {_MAX_ATTRIBUTES} attributes")
    for name, each in value.items():
        if not is_field(str(name)) or name in BUILT_IN_FIELDS:
            raise ValueError(f"{str(name)[:64]!r} cannot be the name of an attribute")
        _check_scalar(each)
    return dict(value)


def check_filter(value: object) -> dict[str, Any]:
    """The filter, when it is one.

    `{"year": 2024}`, `{"year": {"$gte": 2020}}`, `{"$and": [ ... ]}`, `{"$or": [ ... ]}`; the operators are $eq, $ne,
    $gt, $gte, $lt, $lte, $in and $nin. Raises `ValueError` that says what is wrong.
    """
    counted = _check(value, depth=1)
    if counted > _MAX_CONDITIONS:
        raise ValueError(f"a filter has at most {_MAX_CONDITIONS} conditions")
    assert isinstance(value, Mapping)
    return dict(value)


def _check(value: object, *, depth: int) -> int:
    """How many conditions there are in a filter."""
    if not isinstance(value, Mapping) or not value:
        raise ValueError("a filter is an object with at least one condition")
    if depth > _MAX_DEPTH:
        raise ValueError(f"a filter is at most {_MAX_DEPTH} levels deep")
    return sum(_check_entry(name, each, depth) for name, each in value.items())


def _check_entry(name: object, value: object, depth: int) -> int:
    if name in _JOINS:
        if not isinstance(value, list) or not 1 <= len(value) <= _MAX_CONDITIONS:
            raise ValueError(f"{name} takes a list of 1 to {_MAX_CONDITIONS} filters")
        return sum(_check(each, depth=depth + 1) for each in value)
    if not isinstance(name, str) or not is_field(name):
        raise ValueError(f"{str(name)[:64]!r} is neither a field nor $and or $or")
    return _check_condition(value)


def _check_condition(value: object) -> int:
    if not isinstance(value, Mapping):
        _check_scalar(value)
        return 1
    if not value:
        raise ValueError("a condition has at least one operator")
    for operator, operand in value.items():
        if operator in _LISTS:
            _check_list(str(operator), operand)
        elif operator in _ORDERS and (isinstance(operand, bool) or not isinstance(operand, int | float)):
            raise ValueError(f"{operator} compares with a number")
        elif operator in _COMPARISONS:
            _check_scalar(operand)
        else:
            raise ValueError(f"unknown operator {str(operator)[:64]!r}")
    return len(value)


def _check_list(operator: str, value: object) -> None:
    if not isinstance(value, list) or not 1 <= len(value) <= _MAX_VALUES:
        raise ValueError(f"{operator} takes a list of 1 to {_MAX_VALUES} values")
    if len({bool if isinstance(each, bool) else type(each) for each in value}) > 1:
        raise ValueError(f"the values of {operator} are all of one type")
    for each in value:
        _check_scalar(each)


def _check_scalar(value: object) -> None:
    if isinstance(value, str):
        if len(value) > _MAX_LENGTH or "\0" in value or not _is_unicode(value):
            raise ValueError(f"texts have at most {_MAX_LENGTH} characters, none of them U+0000")
    elif isinstance(value, int | float):
        if not math.isfinite(value) or abs(value) > _MAX_NUMBER:
            raise ValueError("numbers are finite and exact, up to 2**53")
    else:
        raise ValueError("values are texts, numbers or booleans")


def _is_unicode(text: str) -> bool:
    """Half a surrogate pair, which JSON can bring in, cannot be stored."""
    return text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text)
