"""What the row before and the row after a mail cost: mails a second beside programs that do nothing else."""

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

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

_SENDER, _RECIPIENT = "letuin@letuin.test", "ada@example.com"
_SENT = "SELECT count(*) FROM mails WHERE status = 'sent'"
_RATE = "SELECT count(*) / extract(epoch FROM max(updated_at) - min(created_at)) FROM mails WHERE status = 'sent'"


class MailRate(Case):
    """One worker process with one connection to a server that takes everything; the bare figures have one as well."""

    name = "mail"
    title = "Mails"
    figures = (
        Figure("Letuin", "mails/s", is_main=True, more_is_better=True),
        Figure("bare aiosmtplib", "mails/s"),
        Figure("bytes at hand", "mails/s"),
        Figure("share", "%", more_is_better=True),
    )
    engines = ("letuin",)

    async def run(self, peer: Peer) -> Figures:
        count = self.scaled(2_000, 200)
        async with _sink() as port:
            at_hand = await _at_hand_rate(port, count)
            bare = await _bare_rate(port, count)
            ours = await _letuin_rate(peer.servers, port, count)
        return {"Letuin": ours, "bare aiosmtplib": bare, "bytes at hand": at_hand, "share": ours / bare * 100}


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
    """A mail written and sent as the documentation of aiosmtplib shows it, over and over."""
    async with _connection(port) as client:
        started = now()
        for _ in range(count):
            message = EmailMessage()
            message["From"], message["To"], message["Subject"] = _SENDER, _RECIPIENT, "Hello"
            message["Date"], message["Message-ID"] = formatdate(), make_msgid(domain="letuin.test")
            message.set_content("Hi Ada")
            await client.send_message(message)
        return count / (now() - started)


async def _at_hand_rate(port: int, count: int) -> float:
    """The same bytes, over and over: what the connection and the server alone cost."""
    content = b"From: letuin@letuin.test\r\nTo: ada@example.com\r\nSubject: Hello\r\n\r\nHi Ada\r\n"
    async with _connection(port) as client:
        started = now()
        for _ in range(count):
            await client.sendmail(_SENDER, [_RECIPIENT], content)
        return count / (now() - started)


def _connection(port: int) -> SMTP:
    return SMTP(hostname="127.0.0.1", port=port, local_hostname="localhost", start_tls=False)


async def _letuin_rate(servers: Servers, port: int, count: int) -> float:
    settings = CommonSettings.model_validate(
        {"environment": "staging", "database_url": servers.database_url, "redis_url": servers.redis_url}
    )
    container = CommonContainer(settings=settings)
    payload = EmailSendPayload(to=_RECIPIENT, subject="Hello", text="Hi Ada")
    owner = Owner(new_id(), SERVICE_USER.id)
    database = await asyncpg.connect(servers.database_url)
    try:
        await database.execute("TRUNCATE mails")
        await in_parallel(lambda: container.queue().submit(email_send, payload, owner=owner), count, at_a_time=500)
        smtp = {"SMTP_URL": f"smtp://127.0.0.1:{port}", "SMTP_CONNECTIONS": "1"}
        environment = {**servers.environment(), **smtp, "WARM_UP": "false"}
        command = [sys.executable, "-m", "worker.main", "--queues", "email", "--concurrency", "100"]
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
