"""Payloads from the command line: JSON, a file, stdin, or `-p key=value` read as the kind's schema says."""

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from common.cli.exits import CommandError

Schema = Mapping[str, Any]
_PARSED = frozenset(("integer", "number", "boolean", "array", "object"))


def read_payload(source: str) -> dict[str, Any]:
    """The JSON object in `source`, in the file of `@file`, or on stdin for `-`. Raises CommandError."""
    text = source
    if source == "-" or source.startswith("@"):
        try:
            text = sys.stdin.read() if source == "-" else Path(source[1:]).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"--payload: {source.lstrip('@')} cannot be read: {error}.") from error
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise CommandError(f"--payload is not JSON: {error}.") from error
    if not isinstance(value, dict):
        raise CommandError('--payload must be a JSON object, like \'{"message": "hello"}\'.')
    return value


def read_pairs(pairs: Iterable[str], kind: str, schema: Schema) -> dict[str, Any]:
    """`key=value` texts as a payload of the kind. Raises CommandError that names the fields."""
    fields: Mapping[str, Schema] = schema.get("properties", {})
    payload = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise CommandError(f"-p {pair!r} must read key=value.")
        if name not in fields:
            raise CommandError(f"{kind} has no field {name!r}; its fields are {', '.join(fields) or 'none'}.")
        if any("\ud800" <= char <= "\udfff" for char in text):
            raise CommandError(f"-p {name}: the value is not valid UTF-8.")
        payload[name] = _read_value(name, text, types_of(fields[name], schema))
    return payload


def types_of(field: Schema, schema: Schema) -> set[str]:
    """The JSON types that a field's schema allows, through references and alternatives; empty for anything."""
    if "$ref" in field:
        name = str(field["$ref"]).rpartition("/")[2]
        return types_of(schema.get("$defs", {}).get(name, {}), schema)
    for word in ("anyOf", "oneOf", "allOf"):
        if word in field:
            return set().union(*(types_of(each, schema) for each in field[word]))
    if "const" in field or "enum" in field:
        return {_type_name(value) for value in field.get("enum", [field.get("const")])}
    found = field.get("type", [])
    return {found} if isinstance(found, str) else set(found)


def _read_value(name: str, text: str, types: set[str]) -> Any:
    if types and not types & _PARSED:
        return None if text == "null" and "null" in types else text
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        value = text
    if not types or _type_name(value) in types or (_type_name(value) == "integer" and "number" in types):
        return value
    if "string" in types:
        return text
    wanted = " or ".join(sorted(types - {"null"}))
    raise CommandError(f"{name} must be {wanted}, and {text!r} is not.")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON value")


def _type_name(value: Any) -> str:
    if value is None:
        return "null"
    names = ((bool, "boolean"), (int, "integer"), (float, "number"), (str, "string"), (list, "array"))
    return next((name for kind, name in names if isinstance(value, kind)), "object")
