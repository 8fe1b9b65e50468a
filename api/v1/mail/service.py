"""Mails, for those who sent them and for operators."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from api.caller import Caller
from api.cursors import CursorSigner, scope_of
from common.database.model import Mail, MailStatus
from common.database.session import Sessions
from common.errors import ConflictError, NotFoundError
from common.queue.announcer import Announcer
from common.repository.job import JobRepository, Owner
from common.repository.mail import MailFilter, MailRepository

_MAY_BE_SENT_AGAIN = (MailStatus.UNKNOWN, MailStatus.FAILED, MailStatus.DEFERRED)


@dataclass(frozen=True, slots=True)
class MailsFound:
    """Mails, and the cursor of those after them."""

    mails: Sequence[Mail]
    next_cursor: str | None


class MailService:
    """Reads the caller's mails, or all of the tenant for operators; what is not theirs is missing."""

    def __init__(
        self,
        sessions: Sessions,
        mails: MailRepository,
        jobs: JobRepository,
        announcer: Announcer,
        cursors: CursorSigner,
    ) -> None:
        self._sessions = sessions
        self._mails = mails
        self._jobs = jobs
        self._announcer = announcer
        self._cursors = cursors

    async def list_page(self, caller: Caller, wanted: MailFilter, cursor: str | None) -> MailsFound:
        """One page, newest first. Raises `InvalidError` for a foreign cursor."""
        scope = scope_of(wanted)
        before_id = None if cursor is None else self._cursors.read(caller.user_id, cursor, scope)
        page = replace(wanted, before_id=before_id, limit=wanted.limit + 1)
        async with self._sessions() as db:
            found = await self._mails.list_page(db, caller.tenant_id, page, user_id=_seen_by(caller))
        mails, has_more = found[: wanted.limit], len(found) > wanted.limit
        return MailsFound(mails, self._cursors.sign(caller.user_id, mails[-1].id, scope) if has_more else None)

    async def get(self, caller: Caller, mail_id: UUID) -> Mail:
        """One mail. Raises `NotFoundError`."""
        async with self._sessions.begin() as db:
            return await self._get(db, caller, mail_id)

    async def resend(self, caller: Caller, mail_id: UUID) -> Mail:
        """Let the mail's job send it again.

        Raises `NotFoundError`, `GoneError` when the job was purged, `ConflictError` when it was sent or is still tried.
        """
        async with self._sessions.begin() as db:
            mail = await self._get(db, caller, mail_id)
            if mail.status not in _MAY_BE_SENT_AGAIN:
                raise ConflictError(
                    f"mail {mail_id} is {mail.status}; only failed, deferred and unknown ones are sent again"
                )
            owner = Owner(mail.tenant_id, mail.owner_id)
            requeued = await self._jobs.retry(db, mail_id, owner)
            job = await self._jobs.get(db, mail_id, owner)
            if not requeued:
                raise ConflictError(f"the job of mail {mail_id} is {job.status}; it has not given up yet")
            await self._mails.allow_again(db, mail_id, owner)
        await self._announcer.announce(job)
        return await self.get(caller, mail_id)

    async def _get(self, db: AsyncSession, caller: Caller, mail_id: UUID) -> Mail:
        mail = await self._mails.find(db, mail_id, caller.tenant_id, user_id=_seen_by(caller))
        if mail is None:
            raise NotFoundError(f"mail {mail_id} does not exist")
        return mail


def _seen_by(caller: Caller) -> UUID | None:
    return None if caller.is_operator else caller.user_id
