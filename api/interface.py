"""The routes of the interface and what is said of them: the same in every app of a process, whatever its settings."""

from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Self

from starlette.routing import BaseRoute

from api import exposition, health, info
from api.openapi import describe
from api.route_table import RouteTable
from api.v1.router import create_routes
from common.queue.catalog import Catalog


@dataclass(frozen=True)
class Interface:
    """Every route, in the order in which a request tries them."""

    routes: tuple[BaseRoute, ...]

    @classmethod
    @cache
    def of(cls, catalog: Catalog) -> Self:
        """The interface of a catalogue; made once, for its models take tenths of a second."""
        return cls((*health.router.routes, *create_routes(catalog), *info.router.routes, *exposition.router.routes))

    @cached_property
    def document(self) -> dict[str, Any]:
        """The OpenAPI document. It takes most of a second, so nothing but its readers may wait for it."""
        return describe(self.routes)

    @cached_property
    def table(self) -> RouteTable:
        """What each path knows."""
        return RouteTable(self.routes)
