"""Mails about the ends of jobs, for those who asked: the notice goes and the mail comes in one transaction."""

from dataclasses import replace

from common.database.session import Sessions
from common.mail.templates import MailTemplate
from common.queue.announcer import Announcer
from common.queue.notices import Notices
from common.repository.job import JobRepository, NewJob, Owner
from common.repository.notice import EndedJob, NoticeRepository

_BATCH = 200


class Notifier:
    """Every worker may call it; each end is told once."""

    def __init__(
        self,
        sessions: Sessions,
        pending: NoticeRepository,
        notices: Notices,
        jobs: JobRepository,
        announcer: Announcer,
    ) -> None:
        self._sessions = sessions
        self._pending = pending
        self._notices = notices
        self._jobs = jobs
        self._announcer = announcer

    async def sweep(self) -> None:
        """Write the mails that are due, a bounded number. Raises what the database raises."""
        async with self._sessions.begin() as db:
            ended = await self._pending.take_ended(db, limit=_BATCH)
            mails: list[NewJob] = []
            for job in ended:
                owner = Owner(job.tenant_id, job.owner_id)
                if job.is_wanted and (
                    mail := await self._notices.mail_to(db, owner, MailTemplate.JOB_FINISHED, _variables(job))
                ):
                    mails.append(replace(mail, request_id=job.request_id, traceparent=job.traceparent))
            jobs = await self._jobs.insert(db, mails) if mails else []
        if jobs:
            await self._announcer.announce_many(jobs)


def _variables(job: EndedJob) -> dict[str, str]:
    variables = {"job_id": str(job.id), "kind": job.kind, "status": str(job.status)}
    message = " ".join(
        "".join(c if c.isprintable() else " " for c in str((job.error or {}).get("message", ""))).split()
    )
    # The words of whatever failed: they must not look like something that the mail's head would decode.
    message = message.replace("=?", "= ?")
    return {**variables, "error": message[:1000]} if message else variables
