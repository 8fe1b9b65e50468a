"""Which methods each path knows and which bodies it reads, as the interface's own description says."""

import re
from collections.abc import Mapping
from typing import Any

from starlette.routing import compile_path

type _Route = tuple[re.Pattern[str], Mapping[str, frozenset[str]]]


class RouteTable:
    """Made of an OpenAPI document. Answers what the routing itself does not tell."""

    def __init__(self, description: Mapping[str, Any]) -> None:
        self._routes: list[_Route] = [
            (compile_path(path)[0], {method.upper(): _media_types(operation) for method, operation in found.items()})
            for path, found in description["paths"].items()
        ]

    def methods(self, path: str) -> list[str]:
        """Every method that the path knows, in order."""
        return sorted({method for pattern, found in self._routes if pattern.match(path) for method in found})

    def media_types(self, method: str, path: str) -> frozenset[str]:
        """What the route reads; nothing where no route matches, or the route reads no body."""
        known = (found[method] for pattern, found in self._routes if method in found and pattern.match(path))
        return next(known, frozenset())


def _media_types(operation: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(operation.get("requestBody", {}).get("content", ()))
