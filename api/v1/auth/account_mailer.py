"""Mails about accounts, as jobs of a built-in owner whom nobody can sign in as."""

import re
from datetime import timedelta

from loguru import logger
from pydantic import JsonValue

from api.config import ApiSettings
from api.v1.auth.client import Client
from api.v1.auth.notices import NOTICES, Notice
from common.database.model import CodePurpose
from common.errors import AppError
from common.jobs.email_send import EmailSendPayload, email_send
from common.mail.sealing import seal_variables
from common.mail.templates import MailLocale, MailTemplate
from common.queue.client import JobQueue, SubmitOptions
from common.repository.job import Owner
from common.repository.user import ACCOUNTS_ID
from common.vault import Vault

MAIL_OWNER = Owner(tenant_id=ACCOUNTS_ID, user_id=ACCOUNTS_ID)
_TEMPLATES = {purpose: MailTemplate(purpose.value) for purpose in CodePurpose}
_PRIORITY = 50
# Somebody else may have typed the name: no links, and no sentences, under our sender.
_PLAIN_NAME = re.compile(r"[^\W_](?:[\w '’-]|\.(?= |$)){0,59}")


class AccountMailer:
    """Submits `email.send` jobs. Whether one could be submitted is told to nobody: it would tell who has an account."""

    def __init__(self, settings: ApiSettings, queue: JobQueue, vault: Vault) -> None:
        self._page = settings.account_url
        self._queue = queue
        self._vault = vault

    async def send_code(
        self, purpose: CodePurpose, to: str, code: str, lifetime: timedelta, client: Client, *,
        name: str | None = None, locale: str | None = None,
    ) -> None:  # fmt: skip
        """Send a code, or a link with it when ACCOUNT_URL is set. After `lifetime` the mail is not sent any more."""
        proof: dict[str, JsonValue] = {"code": code}
        if self._page:
            proof = {"link": f"{self._page}/{purpose.value.replace('_', '-')}#code={code}"}
        template = _TEMPLATES[purpose]
        payload = EmailSendPayload(
            to=to,
            template=template,
            sealed=seal_variables(self._vault, proof, template, to),
            variables={
                "name": name if name and _PLAIN_NAME.fullmatch(name) else to.partition("@")[0],
                "expires_minutes": max(1, int(lifetime.total_seconds() / 60)),
            },
            locale=_language(locale, client),
            delivery="at_least_once",
        )
        await self._submit(payload, client, expires_in=lifetime)

    async def send_notice(self, notice: Notice, to: str, client: Client, *, locale: str | None = None) -> None:
        """Tell what happened."""
        subject, text = NOTICES[notice, _language(locale, client)]
        payload = EmailSendPayload(to=to, subject=subject, text=text, delivery="at_least_once")
        await self._submit(payload, client, expires_in=timedelta(days=1))

    async def _submit(self, payload: EmailSendPayload, client: Client, *, expires_in: timedelta) -> None:
        options = SubmitOptions(priority=_PRIORITY, expires_in=expires_in, request_id=client.request_id)
        try:
            await self._queue.submit(email_send, payload, owner=MAIL_OWNER, options=options)
        except AppError as error:
            logger.error("A mail about an account could not be submitted", error=error.code)


def _language(locale: str | None, client: Client) -> MailLocale:
    return MailLocale(locale) if locale in tuple(MailLocale) else client.locale
