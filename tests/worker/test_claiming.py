"""How soon a waiting job is found: hints of others in front of it, and announcements at the wrong moment."""

import asyncio
from time import monotonic

from common.config import CommonSettings
from common.container import CommonContainer
from common.ids import new_id
from common.jobs.system_echo import SystemEchoPayload, system_echo
from common.queue.hints import Hint
from common.repository.job import Owner
from tests.fixtures.workers import Watcher, running_worker

HELLO = SystemEchoPayload(message="hello")


async def test_hints_that_mean_nothing_any_more_delay_nobody(
    container: CommonContainer, settings: CommonSettings, owner: Owner, watcher: Watcher
) -> None:
    stale = [Hint(new_id(), owner.user_id, "system.echo", "default") for _ in range(30)]
    async with running_worker(settings, worker_concurrency=1, worker_poll_interval=5):
        await watcher.ended(await container.queue().submit(system_echo, HELLO, owner=owner))
        await container.hints().enqueue(stale)
        started = monotonic()
        await watcher.ended(await container.queue().submit(system_echo, HELLO, owner=owner))
    assert monotonic() - started < 2


async def test_no_announcement_is_missed_while_the_worker_looks(
    container: CommonContainer, settings: CommonSettings, owner: Owner, watcher: Watcher
) -> None:
    """The poll is put off so far that one missed announcement makes the test late."""
    async with running_worker(settings, worker_poll_interval=10):
        await watcher.ended(await container.queue().submit(system_echo, HELLO, owner=owner))
        started = monotonic()
        for _ in range(30):
            submits = [container.queue().submit(system_echo, HELLO, owner=owner) for _ in range(3)]
            for job in await asyncio.gather(*submits):
                await watcher.ended(job)
    assert monotonic() - started < 8
