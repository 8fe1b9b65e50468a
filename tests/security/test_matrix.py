"""Z18: every route, every kind of object, every kind of caller, from the table in `matrix.py`."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from sqlalchemy import select, text, update

from api.access import PUBLIC_PATHS, is_personal, is_public, required_scope
from api.main import create_app
from common.container import CommonContainer
from common.database.model import Job
from common.ids import new_id
from tests.api.conftest import PRODUCTION, BuildSettings, Connect
from tests.security.matrix import ACTORS, LIMITED, PERSONAL, PUBLIC, SHARED, TABLE, Access
from tests.security.members import MakeMember
from tests.security.tenant_watch import watching_tenants
from tests.security.world import World

_INNER = ("other_asgi_app", "app", "_app")
_REFUSALS = (401, 403, 404, 422)


@pytest.fixture
def app(build_settings: BuildSettings) -> FastAPI:
    """What answers inside of all layers, not started."""
    layer: Any = create_app(build_settings())
    while not isinstance(layer, FastAPI):
        layer = next(inner for name in _INNER if (inner := getattr(layer, name, None)) is not None)
    return layer


def routes(app: FastAPI) -> list[str]:
    """`METHOD /path` of everything the app answers under its own name."""
    return [f"{method.upper()} {path}" for path, methods in app.openapi()["paths"].items() for method in methods]


def hidden_routes(router: APIRouter) -> Iterator[str]:
    for route in router.routes:
        if isinstance(route, APIRoute) and not route.include_in_schema:
            yield route.path
        elif isinstance(inner := getattr(route, "original_router", None), APIRouter):
            yield from hidden_routes(inner)


def test_every_route_is_in_the_table_once(app: FastAPI) -> None:
    listed = [*PUBLIC, *(access.route for access in (*TABLE, *PERSONAL))]

    assert sorted(listed) == sorted(routes(app))
    assert set(hidden_routes(app.router)) <= PUBLIC_PATHS


def test_every_route_has_a_scope_or_is_for_people(app: FastAPI) -> None:
    for access in TABLE:
        assert required_scope(access.method, access.path) is not None, access.route
    for access in PERSONAL:
        assert required_scope(access.method, access.path) is None, access.route
        assert is_personal(access.path), access.route
    exempt = {route for route in routes(app) if is_public(*route.split(" "))}
    assert exempt == PUBLIC


async def test_everybody_gets_what_the_table_says(
    connect: Connect, make_member: MakeMember, container: CommonContainer
) -> None:
    async with connect(**PRODUCTION, search_wait=0) as http:
        world = await World.build(http, make_member, container)
        with watching_tenants() as watch:
            wrong = [line for access in (*TABLE, *SHARED) for line in await check(world, access, ACTORS)]
        for access in PERSONAL:
            wrong += await check(world, access, ("anonymous", "service", "key", *LIMITED))
    wrong += [f"a statement names no tenant: {statement}" for statement in watch.found]
    assert not wrong, "\n".join(wrong)


async def test_z23_a_statement_without_a_tenant_is_found(container: CommonContainer) -> None:
    async with container.engine().begin() as db:
        with watching_tenants() as watch:
            await db.execute(select(Job.id).where(Job.id == new_id()))
            await db.execute(text("UPDATE schedules SET name = 'mine' WHERE id = gen_random_uuid()"))
            assert [statement.split()[0] for statement in watch.found] == ["SELECT", "UPDATE"]
            await db.execute(select(Job.id).where(Job.tenant_id == new_id()))
            await db.execute(update(Job).values(status="queued").where(Job.id == new_id()))
            assert len(watch.found) == 2


async def check(world: World, access: Access, actors: tuple[str, ...]) -> list[str]:
    """What came out other than it should. Those who may not go first, so that the object is there for all of them."""
    wrong = []
    place = await world.make(access.makes)
    for actor in sorted(actors, key=lambda each: access.status_of(each) is None):
        expected = access.status_of(actor)
        if expected is None and access.is_stream:
            continue
        if expected is None and access.method == "DELETE":
            place = await world.make(access.makes)
        body = access.body
        if body.get("user_id"):
            body = {"user_id": str((await world.make_member(tenant_id=world.elsewhere)).id)}
        path = access.path.format(**place)
        answer = await (world.upload(actor, path) if access.is_upload else world.ask(actor, access.method, path, body))
        status = answer.status_code
        is_refused = status in _REFUSALS and not (access.is_optional and status == 404)
        if status != expected if expected else is_refused or status >= 500:
            wrong.append(f"{access.route} as {actor}: {status} instead of {expected or 'an answer'}")
    return wrong
