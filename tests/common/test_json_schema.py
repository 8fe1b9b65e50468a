"""Schemas of users: what is taken, what is refused, and that none of them keeps a worker busy."""

from typing import Any

import pytest

from common.json_schema import TooIntricateError, check_schema, find_problems

PERSON: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "pattern": "^[A-Z]"},
        "age": {"type": "integer", "minimum": 0},
        "friends": {"type": "array", "items": {"$ref": "#"}, "uniqueItems": True},
        "pattern": {"type": "string"},
    },
    "required": ["name"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("value", "problems"),
    [
        ({"name": "Ada", "age": 36, "pattern": "(", "friends": [{"name": "Bo"}, {"name": "Cy"}]}, []),
        ({"name": "ada"}, ["at name, pattern: ^[A-Z]"]),
        ({"age": -1}, ["at age, minimum: 0", "at the top, required: ['name']"]),
        ({"name": "Ada", "friends": [{"name": "Bo"}, {"name": 7}]}, ["at friends.1.name, type: string"]),
        ({"name": "Ada", "friends": [{"name": "Bo"}, {"name": "Bo"}]}, ["at friends, uniqueItems: True"]),
        ({"name": "Ada", "secret": "word"}, ["at the top, additionalProperties: False"]),
        ([], ["at the top, type: object"]),
    ],
)
def test_problems_are_told_by_place_and_without_values(value: Any, problems: list[str]) -> None:
    check_schema(PERSON)
    assert sorted(find_problems(PERSON, value)) == sorted(problems)


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "banana"}, "not a JSON schema, at type"),
        ({"properties": {"a": {"minimum": "x"}}}, r"at properties\.a\.minimum"),
        ({"$ref": "http://127.0.0.1:9/x"}, "only point into the schema itself"),
        ({"anyOf": [{"patternProperties": {"a": {}}}]}, "patternProperties is not supported"),
        ({"pattern": "("}, "not a JSON schema, at pattern"),
        ({"pattern": "(?<=a)b"}, "is not supported"),
        ({"items": {"$ref": "#/$defs/city"}}, "'#/\\$defs/city' points nowhere"),
        ({"$ref": "#"}, "refers to itself without end"),
        ({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}, "refers to itself without end"),
        ({"$defs": {"a": {"minItems": 1.5}}}, r"at \$defs\.a\.minItems"),
        ({"required": ["a", "a"]}, "at required"),
        ({"allOf": [{"type": "string"}] * 5000}, "more than 5000 keywords"),
    ],
)
def test_what_cannot_be_used_is_refused(schema: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        check_schema(schema)


@pytest.mark.parametrize(
    "schema",
    [
        {"$defs": {"a": {"$anchor": "here"}}, "items": {"$ref": "#here"}},
        {"$id": "http://127.0.0.1:9/own", "$defs": {"a": {}}, "items": {"$ref": "#/$defs/a"}},
        {"properties": {"$ref": {"type": "string"}, "$id": {}}, "default": {"$ref": "#/nowhere"}},
        {"$defs": {"n": {"properties": {"next": {"$ref": "#/$defs/n"}}}}, "$ref": "#/$defs/n"},
        {"items": True, "not": False, "unknown": {"type": "banana"}},
    ],
)
def test_what_can_be_used_is_taken(schema: dict[str, Any]) -> None:
    check_schema(schema)


def test_no_expression_takes_for_ever() -> None:
    schema = {"type": "string", "pattern": "^(a+)+$"}
    check_schema(schema)
    assert find_problems(schema, "a" * 50_000 + "!")


@pytest.mark.parametrize(
    "schema",
    [
        {"allOf": [{"$ref": "#"}]},
        {
            "$ref": "#/$defs/p0",
            "$defs": {f"p{n}": {"allOf": [{"$ref": f"#/$defs/p{n + 1}"}] * 3} for n in range(30)} | {"p30": {}},
        },
    ],
)
def test_no_reference_leads_on_for_ever(schema: dict[str, Any]) -> None:
    check_schema(schema)
    with pytest.raises(TooIntricateError):
        find_problems(schema, 1)


def test_a_reference_to_nowhere_is_told() -> None:
    with pytest.raises(ValueError, match="points nowhere"):
        find_problems({"$ref": "#/$defs/none"}, 1)
