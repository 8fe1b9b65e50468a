"""Mails with one effect: an intent row before, the outcome after, and never a second sending by guess."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from loguru import logger

from common.database.direct import DirectPool
from common.database.model import MailStatus
from common.database.session import Sessions
from common.errors import JobError, PermanentError, Snooze, TransientError
from common.mail.sealing import open_variables
from common.mail.templates import MailLocale, MailTemplate, check_variables
from common.mail.text import domain_of
from common.ports import MailReceipt, OutgoingMail
from common.queue.group_commit import GroupCommit
from common.repository.job import Owner
from common.repository.mail import MailIntent, MailOutcome, MailRepository, MailState
from common.repository.user import ACCOUNTS_ID, LOCAL_USER, SERVICE_USER
from common.vault import Vault
from worker.config import WorkerSettings
from worker.mail.attachments import AttachmentReader
from worker.mail.message import Draft, compose, parse_sender
from worker.mail.rate import MailRate
from worker.mail.renderer import TemplateRenderer
from worker.mail.server import parse_smtp_url
from worker.mail.transport import Handover, OutcomeUnknownError, SmtpTransport
from worker.outlast import outlast

_HOUR = timedelta(hours=1)
_LOOK_AGAIN = timedelta(minutes=1)
_LAST_WRITE = 2.0
# The mails of a connection come one by one: rows wait for so many, or so many seconds after those before, for others.
_ROWS, _SPACING = 8, 0.01
_UNLIMITED = frozenset({LOCAL_USER.id, SERVICE_USER.id, ACCOUNTS_ID})


class SmtpMailer:
    """Implements `common.ports.Mailer`."""

    def __init__(
        self,
        settings: WorkerSettings,
        sessions: Sessions,
        direct: DirectPool,
        mails: MailRepository,
        attachments: AttachmentReader,
        vault: Vault,
        rate: MailRate,
    ) -> None:
        self._settings = settings
        self._sessions = sessions
        self._direct = direct
        self._mails = mails
        self._attachments = attachments
        self._vault = vault
        self._rate = rate
        self._sender = parse_sender(settings.mail_from)
        self._renderer = TemplateRenderer()
        rows = max(1, min(_ROWS, settings.worker_concurrency // 4))
        self._begins = GroupCommit(self._begin, gather=rows, spacing=_SPACING)
        self._ends = GroupCommit(self._end, gather=rows, spacing=_SPACING)
        # One mail is written between two looks at the connections: they never wait for a row of them.
        self._pen = asyncio.Lock()
        # Announced and not yet sent: what a crash leaves unknown.
        self._ahead = asyncio.Semaphore(settings.smtp_connections * settings.smtp_announced_ahead)
        self._transport: SmtpTransport | None = None

    async def send(self, mail: OutgoingMail) -> MailReceipt:
        """See `Mailer.send`. Raises `Snooze` when the owner has sent as many mails as MAIL_MAX_PER_HOUR allows."""
        transport = self._get_transport()
        self._check_recipient(mail.to)
        draft = await self._word(mail)
        async with self._pen:
            message = compose(draft, self._sender)
        if (size := len(message)) > (limit := self._settings.mail_max_bytes):
            raise PermanentError(f"the mail has {size} bytes; MAIL_MAX_BYTES allows {limit}")
        await self._rate.take(mail.id)
        async with self._ahead:
            sent = await self._send_once(transport, mail, draft, message)
        if isinstance(sent, MailReceipt):
            return sent
        await self._record(mail, MailStatus.SENT, sent)
        logger.debug("Mail sent: message_id={} bytes={}", draft.message_id, len(message))
        return MailReceipt(draft.message_id, sent)

    async def aclose(self) -> None:
        """Close the connections to the mail server."""
        if self._transport is not None:
            await self._transport.aclose()

    async def _send_once(
        self, transport: SmtpTransport, mail: OutgoingMail, draft: Draft, message: bytes
    ) -> str | MailReceipt:
        """What the server said to it now, or the receipt of an attempt before. Every other outcome is written here."""
        handover = Handover()
        try:
            state = await self._announce(mail, draft)
            if state.status is MailStatus.SENT:
                return MailReceipt(state.message_id, state.response or "")
            if state.status is MailStatus.UNKNOWN:
                raise _unknown(mail)
            return await self._deliver(transport, mail, message, handover)
        except asyncio.CancelledError:
            if not handover.is_begun:
                await self._record_stopped(mail)
            raise

    async def _deliver(self, transport: SmtpTransport, mail: OutgoingMail, message: bytes, handover: Handover) -> str:
        try:
            return await transport.deliver(self._sender.address, mail.to, message, handover)
        except JobError as error:
            status = MailStatus.FAILED if isinstance(error, PermanentError) else MailStatus.DEFERRED
            await self._record(mail, status, error.message)
            raise
        except OutcomeUnknownError as error:
            status = MailStatus.DEFERRED if mail.may_repeat else MailStatus.UNKNOWN
            await self._record(mail, status, str(error))
            raise (TransientError(str(error)) if mail.may_repeat else _unknown(mail)) from error

    async def _record_stopped(self, mail: OutgoingMail) -> None:
        """The worker stops before the mail was handed over: the next attempt may send it."""

        async def write() -> None:
            await self._begins.drain()  # the intent may be on its way
            await self._record(mail, MailStatus.DEFERRED, "the worker was stopped")

        await asyncio.wait([asyncio.ensure_future(write())], timeout=_LAST_WRITE)

    def _get_transport(self) -> SmtpTransport:
        settings = self._settings
        if settings.smtp_url is None:
            raise PermanentError("no mail server is configured: set SMTP_URL")
        if self._transport is None:
            server = parse_smtp_url(settings.smtp_url.get_secret_value(), settings.smtp_security)
            try:
                context = server.tls_context(settings.smtp_ca_file)
            except OSError as error:
                raise TransientError(f"SMTP_CA_FILE cannot be used: {error.strerror}") from error
            self._transport = SmtpTransport(
                server,
                context,
                size=settings.smtp_connections,
                timeout=settings.smtp_timeout,
                idle=settings.smtp_idle_timeout,
            )
        return self._transport

    def _check_recipient(self, address: str) -> None:
        allowed = self._settings.mail_recipient_domains
        if allowed and domain_of(address) not in {domain.lower() for domain in allowed}:
            raise PermanentError("MAIL_RECIPIENT_DOMAINS does not allow mails to this domain")

    async def _word(self, mail: OutgoingMail) -> Draft:
        subject, text, html = mail.subject, mail.text, mail.html
        headers, owner = dict(mail.headers), Owner(mail.tenant_id, mail.owner_id)
        if mail.template is not None:
            template, locale = MailTemplate(mail.template), MailLocale(mail.locale or self._settings.mail_locale)
            words = self._renderer.render(template, self._variables(mail, template), locale)
            subject, text, html = words.subject, words.text, words.html
            if "auto-submitted" not in {name.lower() for name in headers}:
                headers["Auto-Submitted"] = "auto-generated"
        return Draft(
            message_id=f"<{mail.id}@{self._sender.domain}>",
            to=mail.to,
            subject=subject or "",
            text=text,
            html=html,
            reply_to=mail.reply_to,
            headers=headers,
            files=[await self._attachments.load(each, owner) for each in mail.attachments],
        )

    def _variables(self, mail: OutgoingMail, template: MailTemplate) -> Mapping[str, Any]:
        if mail.sealed is None:
            return mail.variables
        variables = {**mail.variables, **open_variables(self._vault, mail.sealed, template, mail.to)}
        try:
            check_variables(template, variables)
        except ValueError as error:
            raise PermanentError(str(error)) from error
        return variables

    async def _announce(self, mail: OutgoingMail, draft: Draft) -> MailState:
        intent = MailIntent(
            id=mail.id,
            attempt=mail.attempt,
            owner_id=mail.owner_id,
            message_id=draft.message_id,
            recipient=mail.to,
            subject=draft.subject,
            template=mail.template,
            may_repeat=mail.may_repeat,
        )
        state = await outlast(lambda: self._begins.submit(intent), what="mail")
        if isinstance(state, Snooze):
            raise state
        if state is None:
            raise TransientError("another attempt has taken over")
        return state

    async def _record(self, mail: OutgoingMail, status: MailStatus, response: str) -> None:
        outcome = MailOutcome(mail.id, mail.attempt, status, response.replace("\x00", ""))
        if not await outlast(lambda: self._ends.submit(outcome), what="mail"):
            logger.warning("A mail's outcome was refused; another attempt has taken over: status={}", status)

    async def _begin(self, intents: Sequence[MailIntent]) -> list[MailState | Snooze | None]:
        limit = self._settings.mail_max_per_hour
        limited = [each for each in intents if limit and each.owner_id not in _UNLIMITED]
        over: set[UUID] = set()
        if limited:
            owners, ids = list({each.owner_id for each in limited}), [each.id for each in limited]
            counts = await self._mails.count_recent(self._direct, owners, _HOUR, except_ids=ids)
            over = _over_limit(limited, counts, limit)
        states = await self._mails.begin(self._direct, [each for each in intents if each.id not in over])
        wait = Snooze(_LOOK_AGAIN, "mail_limit")
        return [wait if each.id in over else states.get(each.id) for each in intents]

    async def _end(self, outcomes: Sequence[MailOutcome]) -> list[bool]:
        written = await self._mails.end(self._direct, outcomes)
        return [outcome.id in written for outcome in outcomes]


def _over_limit(intents: Sequence[MailIntent], counts: Mapping[UUID, int], limit: int) -> set[UUID]:
    """The mails that have to wait, those of one call counted one after the other."""
    counted = dict(counts)
    over: set[UUID] = set()
    for each in intents:
        counted[each.owner_id] = counted.get(each.owner_id, 0) + 1
        if counted[each.owner_id] > limit:
            over.add(each.id)
    return over


def _unknown(mail: OutgoingMail) -> PermanentError:
    return PermanentError(
        "nobody knows whether the mail was sent, so it was not sent again; "
        f"POST /api/v1/mails/{mail.id}/resend sends it again with the same Message-ID"
    )
