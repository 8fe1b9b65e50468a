"""JSON schemas that users bring: checked before they are used, and used so that none can hold up a worker."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

from jsonschema import Draft202012Validator, SchemaError, ValidationError
from jsonschema.validators import extend
from pydantic import Field, TypeAdapter
from pydantic import ValidationError as PydanticError
from pydantic_core import SchemaError as PydanticSchemaError
from referencing import Registry
from referencing.exceptions import Unresolvable

_MOST_REFERENCES = 10_000
_MOST_PROBLEMS = 5
# Their expressions would be run by Python's engine, which some keep busy for years.
_REFUSED_KEYWORDS = frozenset({"patternProperties", "$dynamicRef", "$recursiveRef"})
_NAMED = frozenset({"properties", "$defs", "definitions", "dependentSchemas"})
_VALUES = frozenset({"const", "enum", "default", "examples"})


class TooIntricateError(ValueError):
    """The schema refers to itself too often to check anything by it."""


def check_schema(schema: Mapping[str, Any]) -> None:
    """Raises `ValueError` that says what is wrong with a schema."""
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise ValueError(f"not a JSON schema, at {_path(error.path)}: {error.message[:200]}") from None
    except RecursionError:
        raise ValueError("the schema is nested too deep") from None
    for keyword, value in _keywords(schema):
        if keyword in _REFUSED_KEYWORDS:
            raise ValueError(f"{keyword} is not supported")
        if keyword == "$ref" and not (isinstance(value, str) and value.startswith("#")):
            raise ValueError("$ref may only point into the schema itself, as #/...")
        if keyword == "pattern" and isinstance(value, str):
            _expression(value)


def find_problems(schema: Mapping[str, Any], value: Any) -> list[str]:
    """What keeps `value` from following `schema`, told without the value itself; empty when it follows.

    Raises `TooIntricateError` for a schema that leads to too many others, and `ValueError` for a broken `$ref`.
    """
    try:
        errors = _validator(schema).iter_errors(value)
        return [_describe(error) for _, error in zip(range(_MOST_PROBLEMS), errors, strict=False)]
    except RecursionError:
        raise TooIntricateError("the schema refers to itself without end") from None
    except Unresolvable:
        raise ValueError("a $ref of the schema points nowhere") from None


def _validator(schema: Mapping[str, Any]) -> Draft202012Validator:
    left = _MOST_REFERENCES

    def ref(validator: Any, reference: str, instance: Any, inner: Any) -> Iterator[ValidationError]:
        nonlocal left
        left -= 1
        if left < 0:
            raise TooIntricateError("the schema refers to itself too often")
        yield from Draft202012Validator.VALIDATORS["$ref"](validator, reference, instance, inner)

    def pattern(_validator: Any, wanted: str, instance: Any, _inner: Any) -> Iterator[ValidationError]:
        if isinstance(instance, str) and not _matches(wanted, instance):
            yield ValidationError(f"does not match {wanted!r}")

    kind = extend(Draft202012Validator, {"$ref": ref, "pattern": pattern, "uniqueItems": _unique})  # type: ignore[no-untyped-call]
    # A registry of its own: the usual one fetches what a reference names.
    found: Draft202012Validator = kind(schema, registry=Registry())
    return found


def _unique(_validator: Any, wanted: bool, instance: Any, _inner: Any) -> Iterator[ValidationError]:
    # By a hash: the library compares each item with each where they cannot be sorted.
    items = instance if wanted and isinstance(instance, list) else []
    if len({json.dumps(item, sort_keys=True) for item in items}) < len(items):
        yield ValidationError("has equal items")


def _matches(wanted: str, text: str) -> bool:
    try:
        _expression(wanted).validate_python(text)
    except PydanticError:
        return False
    return True


def _expression(wanted: str) -> TypeAdapter[str]:
    """A check by an engine whose time is bounded by the text's length."""
    try:
        return TypeAdapter(Annotated[str, Field(pattern=wanted)])
    except (PydanticSchemaError, PydanticError):
        raise ValueError(f"pattern {wanted[:100]!r} is not supported") from None


def _keywords(schema: Any) -> Iterator[tuple[str, Any]]:
    """Every keyword of a schema and of those within it, but not the names of properties, nor values."""
    if isinstance(schema, Mapping):
        for keyword, value in schema.items():
            if keyword in _VALUES:
                continue
            yield keyword, value
            yield from _keywords(list(value.values()) if keyword in _NAMED and isinstance(value, Mapping) else value)
    elif isinstance(schema, Sequence) and not isinstance(schema, str):
        for part in schema:
            yield from _keywords(part)


def _describe(error: ValidationError) -> str:
    wanted = error.validator_value
    told = f": {wanted}" if isinstance(wanted, str | int | float | list) else ""
    return f"at {_path(error.path)}, {error.validator}{told}"[:200]


def _path(parts: Any) -> str:
    return ".".join(str(part) for part in parts) or "the top"
