"""What JSON may be sent: strict, of bounded depth, one meaning for every parser."""

import json
from collections import Counter
from math import isfinite
from typing import Any, NoReturn

from fastapi.exceptions import RequestValidationError

from common.errors import InvalidError

_IN_BODY = ("body",)


def check_json(body: bytes, *, max_depth: int) -> None:
    """Raise `InvalidError` or `RequestValidationError` unless `body` is JSON that every parser reads alike.

    That is: UTF-8 without a byte order mark, no duplicate keys, no NaN or infinite numbers, and
    nothing nested deeper than `max_depth`. Half surrogate pairs and U+0000 are for the models, which know the field.
    """
    may_be_deep = body.count(b"[") + body.count(b"{") > max_depth
    try:
        value = _DECODER.decode(body.decode())
    except json.JSONDecodeError as error:
        raise _not_json(error.pos, error.msg) from error
    except UnicodeDecodeError as error:
        raise _not_json(error.start, "the text is not UTF-8") from error
    except RecursionError as error:
        raise _too_deep(max_depth) from error
    if may_be_deep and _depth(value) > max_depth:
        raise _too_deep(max_depth)


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        name = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise InvalidError(f"the key {name[:100]!r} stands twice in one object", path=_IN_BODY)
    return found


def _no_constant(name: str) -> NoReturn:
    raise InvalidError(f"{name} is not a number of JSON", path=_IN_BODY)


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise InvalidError(f"the number {text[:40]} is too large", path=_IN_BODY)
    return number


def _bounded(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:  # Python reads no more than 4,300 digits
        raise InvalidError(f"a number has {len(text)} digits", path=_IN_BODY) from error


_DECODER = json.JSONDecoder(
    object_pairs_hook=_no_duplicates, parse_constant=_no_constant, parse_float=_finite, parse_int=_bounded
)


def _depth(value: object) -> int:
    """How many objects and lists stand in each other, without recursion."""
    level, deepest = [value], 0
    while level := [each for each in level if isinstance(each, dict | list)]:
        deepest += 1
        level = [inner for each in level for inner in (each.values() if isinstance(each, dict) else each)]
    return deepest


def _too_deep(max_depth: int) -> InvalidError:
    return InvalidError(f"nested too deeply; MAX_JSON_DEPTH allows {max_depth} levels", path=_IN_BODY)


def _not_json(position: int, reason: str) -> RequestValidationError:
    return RequestValidationError(
        [{"type": "json_invalid", "loc": ("body", position), "msg": "JSON decode error", "ctx": {"error": reason}}]
    )
