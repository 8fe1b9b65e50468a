"""`notify`: the owner of a job gets a mail about its end, once, at a verified address."""

from datetime import UTC, datetime

from sqlalchemy import func, select, update

from common.config import CommonSettings
from common.container import CommonContainer
from common.database.model import Job, JobNotice, User
from common.events import EventType
from common.ids import new_id
from common.jobs.system_echo import SystemEchoPayload, system_echo
from common.jobs.system_sleep import SystemSleepPayload, system_sleep
from common.queue.client import SubmitOptions
from common.queue.options import Notify
from common.repository.job import Owner
from common.repository.user import DEFAULT_TENANT_ID, NewUser, UserRepository
from tests.fixtures.mail_server import MailServer
from tests.fixtures.workers import Watcher, running_worker
from tests.worker.mail.conftest import smtp_settings


async def add_user(container: CommonContainer, email: str, *, is_verified: bool) -> Owner:
    users, user_id = UserRepository(), new_id()
    async with container.sessions().begin() as db:
        await users.ensure_default_tenant(db)
        await users.create(db, NewUser(user_id, DEFAULT_TENANT_ID, email, None))
        if is_verified:
            await db.execute(update(User).where(User.id == user_id).values(email_verified_at=datetime.now(UTC)))
    return Owner(DEFAULT_TENANT_ID, user_id)


async def test_owners_are_told_of_the_ends_that_they_asked_for(
    container: CommonContainer, settings: CommonSettings, watcher: Watcher, mail_server: MailServer
) -> None:
    ada = await add_user(container, "ada@example.com", is_verified=True)
    eve = await add_user(container, "eve@example.com", is_verified=False)
    queue, words = container.queue(), SystemEchoPayload(message="hi")

    async def submit(owner: Owner, notify: Notify) -> Job:
        return await queue.submit(system_echo, words, owner=owner, options=SubmitOptions(notify=notify))

    async with running_worker(settings, **smtp_settings(mail_server)):
        done = await submit(ada, Notify.SUCCESS)
        silent = await submit(ada, Notify.FAILURE)
        unverified = await submit(eve, Notify.BOTH)
        options = SubmitOptions(notify=Notify.BOTH)
        stopped = await queue.submit(system_sleep, SystemSleepPayload(seconds=60), owner=ada, options=options)
        await watcher.until(stopped.id, EventType.STARTED)
        await queue.cancel(stopped.id, ada)
        for job in (done, silent, unverified, stopped):
            await watcher.ended(job)
        while len(mail_server.taken) < 2:
            event = await watcher.events.get()
            watcher.seen.append(event)
        async with container.sessions()() as db:
            assert (await db.execute(select(func.count()).select_from(JobNotice))).scalar_one() == 0
    found = {str(taken.message["Subject"]): taken for taken in mail_server.taken}
    assert set(found) == {"Job system.echo: succeeded", "Job system.sleep: cancelled"}
    assert all(taken.recipients == ["ada@example.com"] for taken in found.values())
    text = found["Job system.echo: succeeded"].message.get_body(("plain",))
    assert text is not None
    assert str(done.id) in text.get_content()
