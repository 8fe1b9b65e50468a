"""JSON schemas that users bring: checked before they are used, and used so that none can hold up a worker."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Annotated, Any

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.exceptions import best_match
from jsonschema.validators import extend
from jsonschema_specifications import REGISTRY  # type: ignore[import-untyped]
from pydantic import Field, TypeAdapter
from pydantic import ValidationError as PydanticError
from pydantic_core import SchemaError as PydanticSchemaError
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

_MOST_REFERENCES = 10_000
_MOST_KEYWORDS = 5_000
_META = "https://json-schema.org/draft/2020-12/meta"
_VOCABULARIES = ("core", "applicator", "unevaluated", "validation", "meta-data", "format-annotation", "content")
_MOST_PROBLEMS = 5
# Their expressions would be run by Python's engine, which some keep busy for years.
_REFUSED_KEYWORDS = frozenset({"patternProperties", "$dynamicRef", "$recursiveRef"})
_NAMED = frozenset({"properties", "$defs", "definitions", "dependentSchemas"})
_VALUES = frozenset({"const", "enum", "default", "examples"})


class TooIntricateError(ValueError):
    """The schema refers to itself too often to check anything by it."""


def check_schema(schema: Mapping[str, Any]) -> None:
    """Raises `ValueError` that says what is wrong with a schema."""
    keywords = list(islice(_keywords(schema), _MOST_KEYWORDS + 1))
    if len(keywords) > _MOST_KEYWORDS:
        raise ValueError(f"the schema has more than {_MOST_KEYWORDS} keywords")
    try:
        error = best_match(_FORM.iter_errors(schema))
    except RecursionError:
        raise ValueError("the schema is nested too deep") from None
    if error is not None:
        raise ValueError(f"not a JSON schema, at {_path(error.path)}: {error.message[:200]}")
    for keyword, value in keywords:
        if keyword in _REFUSED_KEYWORDS:
            raise ValueError(f"{keyword} is not supported")
        if keyword == "$ref" and not (isinstance(value, str) and value.startswith("#")):
            raise ValueError("$ref may only point into the schema itself, as #/...")
        if keyword == "pattern" and isinstance(value, str):
            _expression(value)
    _check_references(schema, keywords)


def _check_references(schema: Mapping[str, Any], keywords: Sequence[tuple[str, Any]]) -> None:
    """That each leads somewhere: the answer would be paid for before it is found out."""
    if sum(1 for keyword, _ in keywords if keyword == "$id") > ("$id" in schema):
        return  # within a part of its own name a reference means something else
    resolver = Registry().with_resource("", DRAFT202012.create_resource(schema)).resolver()
    for reference in {value for keyword, value in keywords if keyword == "$ref"}:
        seen, target = {reference}, reference
        while target is not None:
            try:
                found = resolver.lookup(target).contents
            except Unresolvable:
                raise ValueError(f"$ref {target[:100]!r} points nowhere") from None
            target = found.get("$ref") if isinstance(found, Mapping) else None
            if target in seen:
                raise ValueError(f"$ref {reference[:100]!r} refers to itself without end")
            seen.add(target)


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


def _form() -> Draft202012Validator:
    """The schema of schemas in one piece: the official one looks each of its seven parts up for every keyword."""
    parts = [REGISTRY.contents(f"{_META}/{name}") for name in _VOCABULARIES]
    whole = {
        "type": ["object", "boolean"],
        "properties": {name: form for part in parts for name, form in part["properties"].items()},
        "$defs": {name: form for part in parts for name, form in part.get("$defs", {}).items()},
    }
    plain = json.loads(json.dumps(whole).replace('"$dynamicRef": "#meta"', '"$ref": "#"'))
    return Draft202012Validator(plain, registry=Registry(), format_checker=Draft202012Validator.FORMAT_CHECKER)


_FORM = _form()
