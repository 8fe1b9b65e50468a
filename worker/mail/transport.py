"""Connections to the mail server: a few, opened when needed, protected, logged in, and used again."""

import asyncio
import contextlib
import ssl
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic

from aiosmtplib import SMTP, SMTPException, SMTPResponseException, SMTPServerDisconnected, SMTPTimeoutError

from worker.mail.faults import translate
from worker.mail.server import SmtpSecurity, SmtpServer

_OUR_NAME = "localhost"  # by default aiosmtplib asks the DNS for one, which may take seconds
_CLOSING = 421
_BROKEN = (SMTPServerDisconnected, SMTPTimeoutError, OSError)


class OutcomeUnknownError(Exception):
    """The mail was handed over and no answer came: nobody knows whether it was taken."""


@dataclass(slots=True)
class Handover:
    """How far a delivery has come; once `is_begun`, the server may have taken the mail."""

    is_begun: bool = False


class SmtpTransport:
    """Hands mails to one server over at most `size` connections. One that lay idle for `idle` is not used again."""

    def __init__(
        self, server: SmtpServer, context: ssl.SSLContext | None, *, size: int, timeout: timedelta, idle: timedelta
    ) -> None:
        self._server = server
        self._context = context
        self._timeout = timeout.total_seconds()
        self._idle_limit = idle.total_seconds()
        self._slots = asyncio.Semaphore(size)
        self._idle: list[tuple[SMTP, float]] = []

    async def deliver(self, sender: str, recipient: str, message: bytes, handover: Handover) -> str:
        """Hand one mail over and return the server's words; `handover` tells how far it came when it is cancelled.

        Raises `TransientError` or `PermanentError` when it surely was not taken, else `OutcomeUnknownError`.
        """
        async with self._slots:
            while True:
                client, is_used = await self._open()
                try:
                    await client.mail(sender)
                    await client.rcpt(recipient)
                except _BROKEN as error:
                    client.close()
                    if not is_used:
                        raise translate(error) from error
                except SMTPResponseException as error:
                    if not (is_used and error.code == _CLOSING):
                        await self._reset(client)
                        raise translate(error) from error
                    client.close()
                except BaseException:
                    client.close()
                    raise
                else:
                    handover.is_begun = True
                    return await self._hand_over(client, message)

    async def aclose(self) -> None:
        """Say good-bye on every idle connection."""
        while self._idle:
            client, _ = self._idle.pop()
            if client.is_connected:
                with contextlib.suppress(SMTPException, OSError):
                    await client.quit(timeout=2)
            client.close()

    async def _hand_over(self, client: SMTP, message: bytes) -> str:
        try:
            response = await client.data(message)
        except _BROKEN as error:
            client.close()
            raise OutcomeUnknownError(translate(error).message) from error
        except SMTPResponseException as error:
            await self._reset(client)
            raise translate(error) from error
        except BaseException:
            client.close()
            raise
        self._idle.append((client, monotonic()))
        return f"{response.code} {response.message}"

    async def _open(self) -> tuple[SMTP, bool]:
        """A connection, and whether it was used before: such a one may have ended unnoticed."""
        while self._idle:
            client, since = self._idle.pop()
            if client.is_connected and monotonic() - since < self._idle_limit:
                return client, True
            client.close()
        try:
            return await self._connect(), False
        except (SMTPException, OSError, ValueError) as error:
            raise translate(error) from error

    async def _connect(self) -> SMTP:
        server = self._server
        client = SMTP(
            hostname=server.host,
            port=server.port,
            username=server.username,
            password=server.password,
            local_hostname=_OUR_NAME,
            timeout=self._timeout,
            use_tls=server.security is SmtpSecurity.TLS,
            start_tls=server.security is SmtpSecurity.STARTTLS,
            tls_context=self._context,
        )
        await client.connect()
        return client

    async def _reset(self, client: SMTP) -> None:
        """After a refusal: keep the connection if it is ready for the next mail."""
        try:
            await client.rset()
        except (SMTPException, OSError):
            client.close()
        else:
            self._idle.append((client, monotonic()))
