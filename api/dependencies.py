"""What routes ask for, as types: `async def list_jobs(caller: CallerDep, service: JobServiceDep)`."""

from typing import Annotated, Any

from fastapi import Depends, Request

from api.access import authorize
from api.audit import AuditLog
from api.authenticator import Authenticator, Caller, read_authorization
from api.config import ApiSettings
from api.security import AccessTokens
from api.v1.api_key.service import ApiKeyService
from api.v1.audit.service import AuditService
from api.v1.batch.service import BatchService
from api.v1.budget.service import BudgetService
from api.v1.job.service import JobService
from api.v1.job.waiting_service import WaitingService
from api.v1.job_token.service import JobTokenService
from api.v1.llm_call.service import LlmCallService
from api.v1.log.service import LogService
from api.v1.mail.service import MailService
from api.v1.ops.service import OpsService
from api.v1.schedule.service import ScheduleService
from api.v1.tenant.service import TenantService
from api.v1.usage.service import UsageService
from api.v1.user.service import UserService


def from_state(name: str) -> Any:
    """A dependency on one entry of `ApiState`."""

    async def read(request: Request) -> Any:
        return getattr(request.state, name)

    return Depends(read)


SettingsDep = Annotated[ApiSettings, from_state("settings")]
AccessTokensDep = Annotated[AccessTokens, from_state("tokens")]
AuthenticatorDep = Annotated[Authenticator, from_state("authenticator")]
UserServiceDep = Annotated[UserService, from_state("users")]
BatchServiceDep = Annotated[BatchService, from_state("batches")]
JobServiceDep = Annotated[JobService, from_state("jobs")]
WaitingServiceDep = Annotated[WaitingService, from_state("waiting")]
LlmCallServiceDep = Annotated[LlmCallService, from_state("llm_calls")]
LogServiceDep = Annotated[LogService, from_state("logs")]
MailServiceDep = Annotated[MailService, from_state("mails")]
ScheduleServiceDep = Annotated[ScheduleService, from_state("schedules")]
UsageServiceDep = Annotated[UsageService, from_state("usage")]
BudgetServiceDep = Annotated[BudgetService, from_state("budgets")]
OpsServiceDep = Annotated[OpsService, from_state("ops")]
AuditServiceDep = Annotated[AuditService, from_state("audit_events")]
ApiKeyServiceDep = Annotated[ApiKeyService, from_state("api_keys")]
JobTokenServiceDep = Annotated[JobTokenService, from_state("job_tokens")]
TenantServiceDep = Annotated[TenantService, from_state("tenants")]
AuditLogDep = Annotated[AuditLog, from_state("audit")]


async def get_caller(request: Request, authenticator: AuthenticatorDep) -> Caller:
    """Who calls; the gate of production has found out already. The request log finds it in the request's state."""
    caller: Caller | None = getattr(request.state, "caller", None)
    if caller is None:
        headers = request.headers
        caller = await authenticator.identify(read_authorization(headers), host=headers.get("host"))
        request.state.caller = caller
    if caller.is_limited:
        authorize(caller, request.method, request.scope["path"])
    return caller


CallerDep = Annotated[Caller, Depends(get_caller)]


async def get_request_id(request: Request) -> str:
    """The id that the tracking middleware gave to this request."""
    return str(request.state.request_id)


RequestIdDep = Annotated[str, Depends(get_request_id)]
