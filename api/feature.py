"""How a feature declares its routes: whole from the start, so that every app of a process shares them as they are."""

from collections.abc import Sequence
from enum import Enum
from typing import Any

from fastapi import APIRouter
from fastapi.params import Depends
from fastapi.routing import APIRoute

from api.problem import Problem

_BASE = "/api/v1"
_PROBLEM = {"model": Problem, "content": {"application/problem+json": {}}}

PROBLEMS: dict[int | str, dict[str, Any]] = {"4XX": _PROBLEM, "5XX": _PROBLEM, 422: _PROBLEM}
"""How errors are documented."""


def feature_router(prefix: str = "", *, tag: str, dependencies: Sequence[Depends] | None = None) -> APIRouter:
    """A router under /api/v1 whose paths begin with `prefix`; its errors are documented as problem details.

    Its routes go into the app one by one. Routers included in each other are built anew by each app, and walked
    through by each request.
    """
    tags: list[str | Enum] = [tag]
    return APIRouter(
        prefix=f"{_BASE}{prefix}",
        tags=tags,
        dependencies=dependencies,
        responses=PROBLEMS,
        generate_unique_id_function=operation_id,
    )


def operation_id(route: APIRoute) -> str:
    """The name of the function that answers: stable, and unique over the interface (FastAPI warns when it is not)."""
    return route.name
