"""A mail server that takes everything and keeps nothing: `python -m tests.benchmark.mail_sink`; prints its port."""

import asyncio
import sys

import uvloop
from aiosmtpd.smtp import SMTP, Envelope, Session


class Nothing:
    """Answers as a server does that has queued a mail."""

    async def handle_DATA(self, _server: SMTP, _session: Session, _envelope: Envelope) -> str:  # noqa: N802  aiosmtpd's
        return "250 2.0.0 queued"


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(Nothing(), hostname="sink"), "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(serve())
