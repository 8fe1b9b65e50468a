"""Queries about mails that somebody wants at the end of a job."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Integer

from common.queue.status import JobStatus
from common.repository.sql import TEXTS, UUIDS, Executor, execute, statement


@dataclass(frozen=True, slots=True)
class EndedJob:
    """A job that has ended and about which its owner is told."""

    id: UUID
    tenant_id: UUID
    owner_id: UUID
    kind: str
    status: JobStatus
    error: dict[str, Any] | None
    request_id: str | None
    traceparent: str | None
    notify: str

    @property
    def is_wanted(self) -> bool:
        """Whether this end is one that the owner asked for."""
        return self.notify in ("both", "success" if self.status is JobStatus.SUCCEEDED else "failure")


_ADD = statement(
    """
    INSERT INTO job_notices (job_id, notify) SELECT * FROM unnest(:ids, :notify) ON CONFLICT (job_id)
    DO UPDATE SET notify = EXCLUDED.notify
    """,
    ids=UUIDS,
    notify=TEXTS,
)
_TAKE = statement(
    """
    DELETE FROM job_notices USING (
        SELECT notice.job_id AS of_job, jobs.* FROM job_notices AS notice
        JOIN jobs ON jobs.id = notice.job_id AND jobs.finished_at IS NOT NULL
        LIMIT :limit FOR UPDATE OF notice SKIP LOCKED
    ) AS ended
    WHERE job_id = ended.of_job
    RETURNING ended.id, ended.tenant_id, ended.owner_id, ended.kind, ended.status, ended.error, ended.request_id,
              ended.traceparent, notify
    """,
    limit=Integer(),
)


class NoticeRepository:
    """Who wants to hear of which job's end. A row goes in the transaction that writes the mail."""

    async def add(self, db: Executor, wanted: Sequence[tuple[UUID, str]]) -> None:
        """Note that the owners of these jobs want a mail."""
        if wanted:
            await execute(
                db, _ADD, {"ids": [job_id for job_id, _ in wanted], "notify": [notify for _, notify in wanted]}
            )

    async def take_ended(self, db: Executor, *, limit: int) -> list[EndedJob]:
        """Jobs that have ended, each told once: by who commits this."""
        rows = (await execute(db, _TAKE, {"limit": limit})).mappings()
        return [EndedJob(**{**row, "status": JobStatus(row["status"])}) for row in rows]
