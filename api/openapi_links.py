"""Links of the OpenAPI document: what can be done with the object that an answer describes."""

from collections.abc import Iterator
from typing import Any

type _Paths = dict[str, dict[str, dict[str, Any]]]

_MAKING = ("200", "201", "202")


def add_links(paths: _Paths) -> None:
    """From each POST on a collection to every operation on one object below it, by the `id` of the answer."""
    for path, operations in paths.items():
        if "post" not in operations:
            continue
        links = dict(_links_below(path, paths))
        for status in _MAKING:
            answer = operations["post"]["responses"].get(status)
            if links and answer and "$ref" not in answer:
                answer["links"] = links


def _links_below(path: str, paths: _Paths) -> Iterator[tuple[str, dict[str, Any]]]:
    """A link to each operation whose path goes on with one parameter, the object's id."""
    for other, operations in paths.items():
        rest = other.removeprefix(f"{path}/{{")
        parameter, end, tail = rest.partition("}")
        if rest == other or not end or "{" in tail:
            continue
        for operation in operations.values():
            name = operation["operationId"]
            yield name, {"operationId": name, "parameters": {parameter: "$response.body#/id"}}
