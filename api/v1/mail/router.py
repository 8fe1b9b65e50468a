"""/mails: what was sent, and sending again what nobody knows of."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Request, Response, status

from api.dependencies import CallerDep, MailServiceDep, SettingsDep
from api.feature import feature_router
from api.v1.mail.schema import MailPage, MailRead
from common.database.model import MailStatus
from common.errors import InvalidError, NotFoundError
from common.repository.mail import MailFilter

router = feature_router("/mails", tag="mails")


@router.get("")
async def list_mails(
    caller: CallerDep,
    service: MailServiceDep,
    settings: SettingsDep,
    request: Request,
    response: Response,
    wanted: Annotated[MailStatus | None, Query(alias="status", description="Only mails in this state.")] = None,
    limit: Annotated[int | None, Query(ge=1)] = None,
    cursor: Annotated[str | None, Query(max_length=128, description="`next_cursor` of the page before.")] = None,
) -> MailPage:
    """Your mails, newest first; operators and admins see everybody's in their tenant."""
    if limit is not None and limit > settings.max_page_limit:
        raise InvalidError(f"MAX_PAGE_LIMIT allows {settings.max_page_limit} mails a page", path=("query", "limit"))
    page = await service.list_page(caller, MailFilter(wanted, limit=limit or settings.page_limit), cursor)
    if page.next_cursor:
        following = request.url.include_query_params(cursor=page.next_cursor)
        response.headers["Link"] = f'<{following.path}?{following.query}>; rel="next"'
    return MailPage(items=[MailRead.model_validate(mail) for mail in page.mails], next_cursor=page.next_cursor)


@router.get("/{mail_id}")
async def get_mail(mail_id: str, caller: CallerDep, service: MailServiceDep) -> MailRead:
    """One mail."""
    return MailRead.model_validate(await service.get(caller, _parse(mail_id)))


@router.post("/{mail_id}/resend", status_code=status.HTTP_202_ACCEPTED)
async def resend_mail(mail_id: str, caller: CallerDep, service: MailServiceDep) -> MailRead:
    """Send a mail that failed, or of which nobody knows, again: the same job, the same Message-ID.

    409 for a mail that was sent, or that is still tried.
    """
    return MailRead.model_validate(await service.resend(caller, _parse(mail_id)))


def _parse(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise NotFoundError(f"mail {text[:64]} does not exist") from None
