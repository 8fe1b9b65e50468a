"""Queries about mails. A mail's row is written before it is sent, by the attempt that holds the fence."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Integer, case, select, update
from sqlalchemy.dialects.postgresql import INTERVAL
from sqlalchemy.orm.attributes import set_committed_value

from common.database.model import Job, Mail, MailStatus
from common.repository.job import Owner
from common.repository.sql import INTS, TEXTS, UUIDS, AnyExecutor, Executor, execute, fetch, statement


@dataclass(frozen=True, slots=True)
class MailIntent:
    """What an attempt is about to send."""

    id: UUID
    attempt: int
    owner_id: UUID
    message_id: str
    recipient: str
    subject: str
    template: str | None
    may_repeat: bool


@dataclass(frozen=True, slots=True)
class MailState:
    """Where a mail stands after its intent was written; `sending` means: send it."""

    status: MailStatus
    message_id: str
    response: str | None


@dataclass(frozen=True, slots=True)
class MailOutcome:
    """What became of an attempt to send; `response` are the server's words."""

    id: UUID
    attempt: int
    status: MailStatus
    response: str


@dataclass(frozen=True, slots=True)
class MailFilter:
    """Which mails to list, and where to go on."""

    status: MailStatus | None = None
    before_id: UUID | None = None
    limit: int = 50


# Found as `sending` by a later attempt: the one before died between the two writes. Only the attempt that its job
# is at may write; repeating the call after a lost answer changes nothing.
_BEGIN = statement(
    """
    INSERT INTO mails AS mail (id, tenant_id, owner_id, attempt, status, message_id, recipient, subject, template)
    SELECT v.id, jobs.tenant_id, jobs.owner_id, v.attempt, 'sending', v.message_id, v.recipient, v.subject, v.template
    FROM unnest(:ids, :attempts, :message_ids, :recipients, :subjects, :templates)
         AS v(id, attempt, message_id, recipient, subject, template)
    JOIN jobs ON jobs.id = v.id AND jobs.attempt = v.attempt AND jobs.status = 'running'
    ON CONFLICT (id) DO UPDATE SET
        status = CASE WHEN mail.status = 'sent' THEN 'sent'
                      WHEN EXCLUDED.id = ANY(:repeatable) THEN 'sending'
                      WHEN mail.status = 'unknown' THEN 'unknown'
                      WHEN mail.status = 'sending' AND mail.attempt < EXCLUDED.attempt THEN 'unknown'
                      ELSE 'sending' END,
        attempt = EXCLUDED.attempt, updated_at = clock_timestamp(), recipient = EXCLUDED.recipient,
        subject = EXCLUDED.subject, template = EXCLUDED.template
    WHERE mail.attempt <= EXCLUDED.attempt
    RETURNING id, status, message_id, response
    """,
    ids=UUIDS,
    attempts=INTS,
    message_ids=TEXTS,
    recipients=TEXTS,
    subjects=TEXTS,
    templates=TEXTS,
    repeatable=UUIDS,
)
_END = statement(
    """
    UPDATE mails SET status = v.status, response = v.response, updated_at = clock_timestamp()
    FROM unnest(:ids, :attempts, :statuses, :responses) AS v(id, attempt, status, response)
    WHERE mails.id = v.id AND mails.attempt = v.attempt AND mails.status = 'sending'
    RETURNING mails.id
    """,
    ids=UUIDS,
    attempts=INTS,
    statuses=TEXTS,
    responses=TEXTS,
)
_COUNT_RECENT = statement(
    """
    SELECT owner_id, count(*) AS total FROM mails
    WHERE owner_id = ANY(:owners) AND created_at > now() - :period AND id <> ALL(:except_ids) GROUP BY owner_id
    """,
    owners=UUIDS,
    except_ids=UUIDS,
    period=INTERVAL(),
)
_PURGE = statement(
    """
    DELETE FROM mails USING (
        SELECT id AS mail_id FROM mails AS old
        WHERE created_at < now() - :retention AND NOT EXISTS (SELECT FROM jobs WHERE jobs.id = old.id)
        ORDER BY created_at LIMIT :limit FOR UPDATE SKIP LOCKED
    ) AS late
    WHERE id = late.mail_id
    """,
    retention=INTERVAL(),
    limit=Integer(),
)


class MailRepository:
    """Mails, from the worker's side and from their owners'."""

    async def begin(self, db: AnyExecutor, intents: Sequence[MailIntent]) -> dict[UUID, MailState]:
        """Write that these are about to be sent. What is missing in the answer belongs to an outdated attempt."""
        values = {
            "ids": [each.id for each in intents],
            "attempts": [each.attempt for each in intents],
            "message_ids": [each.message_id for each in intents],
            "recipients": [each.recipient for each in intents],
            "subjects": [each.subject for each in intents],
            "templates": [each.template for each in intents],
            "repeatable": [each.id for each in intents if each.may_repeat],
        }
        rows = await fetch(db, _BEGIN, values)
        return {row[0]: MailState(MailStatus(row[1]), row[2], row[3]) for row in rows}

    async def end(self, db: AnyExecutor, outcomes: Sequence[MailOutcome]) -> set[UUID]:
        """Write what became of them; the ids whose attempt was still the current one."""
        values = {
            "ids": [each.id for each in outcomes],
            "attempts": [each.attempt for each in outcomes],
            "statuses": [str(each.status) for each in outcomes],
            "responses": [each.response for each in outcomes],
        }
        return {row[0] for row in await fetch(db, _END, values)}

    async def count_recent(
        self, db: AnyExecutor, owners: Sequence[UUID], period: timedelta, *, except_ids: Sequence[UUID]
    ) -> dict[UUID, int]:
        """How many mails each owner began within the last `period`, those of `except_ids` not counted."""
        values = {"owners": list(owners), "period": period, "except_ids": list(except_ids)}
        return {row[0]: row[1] for row in await fetch(db, _COUNT_RECENT, values)}

    async def list_page(self, db: Executor, tenant_id: UUID, wanted: MailFilter, *, user_id: UUID | None) -> list[Mail]:
        """Mails of a tenant, or of one user in it, newest first, with the status that they have in effect."""
        effective = _effective_status()
        query = select(Mail, effective).where(Mail.tenant_id == tenant_id).order_by(Mail.id.desc())
        if user_id is not None:
            query = query.where(Mail.owner_id == user_id)
        if wanted.status is not None:
            query = query.where(effective == str(wanted.status))
        if wanted.before_id is not None:
            query = query.where(Mail.id < wanted.before_id)
        return [_with_status(mail, status) for mail, status in await db.execute(query.limit(wanted.limit))]

    async def find(self, db: Executor, mail_id: UUID, tenant_id: UUID, *, user_id: UUID | None) -> Mail | None:
        """The mail, locked, with the status that it has in effect."""
        query = select(Mail, _effective_status()).where(Mail.id == mail_id, Mail.tenant_id == tenant_id)
        if user_id is not None:
            query = query.where(Mail.owner_id == user_id)
        row = (await db.execute(query.with_for_update(of=Mail))).one_or_none()
        return None if row is None else _with_status(row[0], row[1])

    async def allow_again(self, db: Executor, mail_id: UUID, owner: Owner) -> None:
        """Let the next attempt send a mail that had failed or of which nobody knew."""
        query = update(Mail).where(
            Mail.id == mail_id, Mail.tenant_id == owner.tenant_id, Mail.owner_id == owner.user_id
        )
        await db.execute(query.values(status=str(MailStatus.DEFERRED)))

    async def purge(self, db: Executor, retention: timedelta, *, limit: int) -> int:
        """Remove mails that are older than `retention` and whose jobs are gone; how many."""
        return (await execute(db, _PURGE, {"retention": retention, "limit": limit})).rowcount


def _effective_status() -> ColumnElement[str]:
    """`sending` means something only while the job runs the attempt that wrote it."""
    running = select(Job.id).where(Job.id == Mail.id, Job.attempt == Mail.attempt, Job.status == "running").exists()
    return case(((Mail.status == "sending") & ~running, "unknown"), else_=Mail.status)


def _with_status(mail: Mail, status: str) -> Mail:
    set_committed_value(mail, "status", status)
    return mail
