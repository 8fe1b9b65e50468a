"""Which methods each path knows and which bodies it reads: what the routing itself does not tell."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

from fastapi.params import Body
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, compile_path

type _Route = tuple[re.Pattern[str], Mapping[str, frozenset[str]]]


class RouteTable:
    """The same as the OpenAPI document says, without the document. `paths` have their parameters in braces."""

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        found: defaultdict[str, dict[str, frozenset[str]]] = defaultdict(dict)
        for route in routes:
            if isinstance(route, APIRoute):
                found[route.path] |= dict.fromkeys(route.methods or (), _media_types(route))
        self.paths = sorted(found)
        self._routes: list[_Route] = [(compile_path(path)[0], methods) for path, methods in found.items()]

    def methods(self, path: str) -> list[str]:
        """Every method that the path knows, in order."""
        return sorted({method for pattern, found in self._routes if pattern.match(path) for method in found})

    def media_types(self, method: str, path: str) -> frozenset[str]:
        """What the route reads; nothing where no route matches, or the route reads no body."""
        known = (found[method] for pattern, found in self._routes if method in found and pattern.match(path))
        return next(known, frozenset())


def _media_types(route: APIRoute) -> frozenset[str]:
    if route.body_field is not None and isinstance(declared := route.body_field.field_info, Body):
        return frozenset({declared.media_type})
    written = (route.openapi_extra or {}).get("requestBody", {})
    return frozenset(written.get("content", ()))
