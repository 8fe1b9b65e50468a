"""Mails through the queue: a job in, a real worker, a real mail server, the row afterwards."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import select, update

from common.config import CommonSettings
from common.container import CommonContainer
from common.database.model import Job, Mail
from common.jobs.email_send import EmailSendPayload, email_send
from common.repository.job import Owner
from tests.fixtures.mail_server import MailServer
from tests.fixtures.workers import Watcher, running_worker

PLAIN: Mapping[str, Any] = {"to": "ada@example.com", "subject": "Hello", "text": "Hi Ada"}
type Send = Callable[..., Awaitable[Job]]


def smtp_settings(server: MailServer, **changes: Any) -> dict[str, Any]:
    """A worker's settings for this server, whose certificate it trusts."""
    values = {"smtp_url": server.url, "smtp_security": "starttls", "smtp_ca_file": server.ca_file, "smtp_timeout": 5}
    return {**values, "mail_from": "Letuin <hello@letuin.test>", "worker_poll_interval": 0.1, **changes}


class Post:
    """Submits mails and tells what became of them."""

    def __init__(self, container: CommonContainer, settings: CommonSettings, owner: Owner, watcher: Watcher) -> None:
        self.container = container
        self.settings = settings
        self.owner = owner
        self.watcher = watcher

    @asynccontextmanager
    async def worker(self, server: MailServer, **changes: Any) -> AsyncIterator[None]:
        """A worker that sends through `server`."""
        async with running_worker(self.settings, **smtp_settings(server, **changes)):
            yield

    async def submit(self, **fields: Any) -> Job:
        """Submit a mail; without fields a plain one."""
        payload = EmailSendPayload.model_validate({**PLAIN, **fields} if "template" not in fields else fields)
        return await self.container.queue().submit(email_send, payload, owner=self.owner)

    async def send(self, **fields: Any) -> Job:
        """Submit a mail and return its job once that has ended."""
        return await self.watcher.ended(await self.submit(**fields))

    async def hurry(self, job: Job) -> None:
        """Let a job that waits for its next attempt run now."""
        async with self.container.sessions().begin() as db:
            await db.execute(update(Job).where(Job.id == job.id).values(run_at=Job.created_at, rank_at=Job.created_at))

    async def waiting(self) -> list[str | None]:
        """Why jobs wait that have not ended."""
        async with self.container.sessions()() as db:
            return list((await db.execute(select(Job.waiting).where(Job.status == "queued"))).scalars())

    async def mail(self, job: Job) -> Mail:
        """The row of the mail."""
        async with self.container.sessions()() as db:
            return (await db.execute(select(Mail).where(Mail.id == job.id))).scalar_one()


@pytest.fixture
def post(container: CommonContainer, settings: CommonSettings, owner: Owner, watcher: Watcher) -> Post:
    """The post office of one test."""
    return Post(container, settings, owner, watcher)
