"""/info: what runs here and what it takes, for clients and for people who ask which release this is."""

from importlib.metadata import version
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.config import ApiSettings
from api.dependencies import CallerDep, SettingsDep, from_state
from api.feature import PROBLEMS, operation_id
from common.database.revision import known_revisions
from common.queue.catalog import Catalog

router = APIRouter(tags=["health"], generate_unique_id_function=operation_id)
CatalogDep = Annotated[Catalog, from_state("catalog")]


class Limits(BaseModel):
    """What this process refuses beyond; sizes are bytes, times seconds, 0 means no limit."""

    max_body_bytes: int
    max_payload_bytes: int
    max_result_bytes: int
    max_batch_items: int
    max_bulk_jobs: int
    max_dependencies: int
    max_page_limit: int
    max_wait: float
    max_queue_depth: int
    max_owner_queue_depth: int
    max_client_subscriptions: int
    max_webhooks: int
    max_schedules_per_owner: int
    rate_limit_per_user: int
    rate_limit_window: float


class Info(BaseModel):
    """What runs here. Nothing in it is secret."""

    version: str
    commit: str | None = Field(description="The commit that it was built from, where the build said so.")
    environment: str
    revision: str = Field(description="The database revision that this release needs.")
    kinds: dict[str, str] = Field(description="Every kind that may be submitted, and its queue.")
    limits: Limits


@router.get("/info", responses=PROBLEMS)
async def get_info(_caller: CallerDep, settings: SettingsDep, catalog: CatalogDep) -> Info:
    """The release, its kinds and its limits; for everybody who has a token."""
    return Info(
        version=version("letuin"),
        commit=settings.letuin_commit,
        environment=str(settings.environment),
        revision=known_revisions()[-1],
        kinds={kind.name: kind.queue for kind in catalog.values() if not kind.internal},
        limits=_limits(settings),
    )


def _limits(settings: ApiSettings) -> Limits:
    values = settings.model_dump(include=set(Limits.model_fields))
    times = {name: values[name].total_seconds() for name in ("max_wait", "rate_limit_window")}
    return Limits.model_validate(values | times)
