"""Mails that the system writes to the owners of jobs and schedules, as jobs of those owners."""

from collections.abc import Mapping
from typing import Any

from common.config import CommonSettings
from common.jobs.email_send import EmailSendPayload, email_send
from common.mail.templates import MailLocale, MailTemplate
from common.queue.client import JobQueue
from common.repository.job import NewJob, Owner
from common.repository.sql import Executor
from common.repository.user import LOCAL_USER, UserRepository


class Notices:
    """Writes mails to people whose address was verified. Nothing is inserted here."""

    def __init__(self, queue: JobQueue, users: UserRepository, settings: CommonSettings) -> None:
        self._queue = queue
        self._users = users
        self._is_open = settings.environment.is_open

    async def mail_to(
        self, db: Executor, owner: Owner, template: MailTemplate, variables: Mapping[str, Any]
    ) -> NewJob | None:
        """The job that mails the owner; None when there is no verified address. `name` is filled in."""
        user = await self._users.find(db, owner.user_id)
        if user is None or not user.is_active:
            return None
        if user.email_verified_at is None and not (self._is_open and user.id == LOCAL_USER.id):
            return None
        name = " ".join((user.name or user.email.partition("@")[0]).split())[:200]
        payload = EmailSendPayload(
            to=user.email,
            template=template,
            variables={"name": name, **variables},
            locale=MailLocale(user.locale) if user.locale in set(MailLocale) else None,
        )
        return self._queue.prepare(email_send, payload, owner=owner)
