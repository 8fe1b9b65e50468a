"""/metrics: the figures of this process and of the installation, for whom METRICS_ACCESS names."""

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.responses import PlainTextResponse

from api.dependencies import AuthenticatorDep, SettingsDep, from_state, get_caller
from api.feature import PROBLEMS, operation_id
from api.siblings import Siblings
from common.errors import ForbiddenError, NotFoundError
from common.repository.user import DEFAULT_TENANT_ID
from common.scopes import Scope

router = APIRouter(tags=["metrics"], generate_unique_id_function=operation_id)
SiblingsDep = Annotated[Siblings, from_state("siblings")]


async def check_access(request: Request, settings: SettingsDep, authenticator: AuthenticatorDep) -> None:
    """Raises `NotFoundError` when nobody may look, `ForbiddenError` for others than operators of the installation."""
    if settings.metrics_access == "off":
        raise NotFoundError("this server shows no metrics; METRICS_ACCESS is off")
    if settings.metrics_access == "public":
        return
    caller = await get_caller(request, authenticator)
    caller.require_scope(Scope.OPS_READ)
    if not caller.is_operator or caller.tenant_id != DEFAULT_TENANT_ID:
        raise ForbiddenError("only operators and admins of this installation may look at metrics")


@router.get("/metrics", response_class=PlainTextResponse, responses=PROBLEMS, dependencies=[Depends(check_access)])
async def get_metrics(siblings: SiblingsDep, accept: Annotated[str, Header(include_in_schema=False)] = "") -> Response:
    """Figures for Prometheus: those of this process, and the jobs of the whole installation by queue and state.

    Where several processes share the port the figures of all, with a label `process`.
    """
    text, content_type = await siblings.render(accept)
    return Response(text, media_type=content_type)
