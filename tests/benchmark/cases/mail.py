"""What the row before and the row after a mail cost: mails a second beside a bare connection that does nothing else."""

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from aiosmtplib import SMTP

from common.config import CommonSettings
from common.container import CommonContainer
from common.ids import new_id
from common.jobs.email_send import EmailSendPayload, email_send
from common.repository.job import Owner
from common.repository.user import SERVICE_USER
from tests.benchmark.cases.base import Case, Figure, Figures, until
from tests.benchmark.peers.base import Peer, in_parallel
from tests.benchmark.process import WorkerProcess
from tests.benchmark.servers import Servers
from tests.benchmark.work import now
from worker.mail.message import Draft, compose, parse_sender

_SENT = "SELECT count(*) FROM mails WHERE status = 'sent'"
_RATE = "SELECT count(*) / extract(epoch FROM max(updated_at) - min(created_at)) FROM mails WHERE status = 'sent'"


class MailRate(Case):
    """One worker process and a server that takes everything; the bare figure reuses one connection."""

    name = "mail"
    title = "Mails"
    figures = (
        Figure("Letuin", "mails/s", is_main=True, more_is_better=True),
        Figure("bare connection", "mails/s"),
        Figure("share", "%", more_is_better=True),
    )
    engines = ("letuin",)

    async def run(self, peer: Peer) -> Figures:
        count = self.scaled(2_000, 200)
        async with _sink() as port:
            bare = await _bare_rate(port, count)
            ours = await _letuin_rate(peer.servers, port, count)
        return {"Letuin": ours, "bare connection": bare, "share": ours / bare * 100}


@asynccontextmanager
async def _sink() -> AsyncIterator[int]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.benchmark.mail_sink", stdin=PIPE, stdout=PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield int(await process.stdout.readline())
    finally:
        process.stdin.close()
        await process.wait()


async def _bare_rate(port: int, count: int) -> float:
    """A mail composed and sent, over and over."""
    draft = Draft(message_id="<bare@letuin.test>", to="ada@example.com", subject="Hello", text="Hi Ada")
    sender = parse_sender("letuin@letuin.test")
    async with SMTP(hostname="127.0.0.1", port=port, local_hostname="localhost", start_tls=False) as client:
        await client.sendmail(sender.address, [draft.to], compose(draft, sender))
        started = now()
        for _ in range(count):
            await client.sendmail(sender.address, [draft.to], compose(draft, sender))
        return count / (now() - started)


async def _letuin_rate(servers: Servers, port: int, count: int) -> float:
    settings = CommonSettings.model_validate(
        {"environment": "staging", "database_url": servers.database_url, "redis_url": servers.redis_url}
    )
    container = CommonContainer(settings=settings)
    payload = EmailSendPayload(to="ada@example.com", subject="Hello", text="Hi Ada")
    owner = Owner(new_id(), SERVICE_USER.id)
    database = await asyncpg.connect(servers.database_url)
    try:
        await database.execute("TRUNCATE mails")
        await in_parallel(lambda: container.queue().submit(email_send, payload, owner=owner), count, at_a_time=500)
        environment = {**servers.environment(), "SMTP_URL": f"smtp://127.0.0.1:{port}", "WARM_UP": "false"}
        command = [sys.executable, "-m", "worker.main", "--queues", "email", "--concurrency", "50"]
        async with WorkerProcess(command, environment, servers.folder) as worker:

            async def is_done() -> bool:
                return bool(await database.fetchval(_SENT) == count)

            await until(is_done, worker, every=0.05)
        return float(await database.fetchval(_RATE))
    finally:
        await database.close()
        await container.engine().dispose()
        await container.direct().close()
        await container.redis().aclose()
