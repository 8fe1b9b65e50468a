"""Makes those wait who fail too often: by account, by where they are, and by whom mails go to."""

from dataclasses import dataclass
from datetime import timedelta
from hmac import digest

from api.config import ApiSettings
from api.v1.auth.client import Client
from common.database.session import Sessions
from common.errors import RateLimitedError
from common.repository.attempt_count import AttemptCountRepository, AttemptLimit
from common.repository.session import SessionRepository
from common.repository.sql import Executor

_HOUR = timedelta(hours=1)
_REGISTRATIONS_AN_HOUR = 30


@dataclass(frozen=True, slots=True)
class LoginAttempt:
    """What one attempt was counted for."""

    account: bytes
    network: bytes


class AttemptGate:
    """Counts in PostgreSQL, for all api processes alike.

    A stranger who fails for somebody's account makes strangers wait, not its owner: where an account was signed in to
    before, its attempts are counted apart.
    """

    def __init__(
        self, settings: ApiSettings, sessions: Sessions, counts: AttemptCountRepository, logins: SessionRepository,
        secret: bytes,
    ) -> None:  # fmt: skip
        waits = (settings.login_failure_window, settings.login_first_block, settings.login_last_block)
        self._by_account = AttemptLimit(settings.login_account_failures, *waits)
        self._by_network = AttemptLimit(settings.login_address_failures, *waits)
        self._by_mailbox = AttemptLimit(settings.account_mails_per_hour, _HOUR, _HOUR, _HOUR)
        self._by_registrant = AttemptLimit(_REGISTRATIONS_AN_HOUR, _HOUR, timedelta(minutes=5), _HOUR)
        self._sessions = sessions
        self._counts = counts
        self._logins = logins
        self._key = digest(secret, b"attempt-counts", "sha256")

    async def take_login(self, email: str, client: Client) -> LoginAttempt:
        """Count an attempt as failed until it succeeds. Raises `RateLimitedError`."""
        async with self._sessions.begin() as db:
            is_known = client.address is not None and await self._logins.is_known(db, email, client.address)
            account = self._digest("login", email, client.network if is_known else "")
            network = self._digest("login from", client.network)
            _refuse(await self._counts.take(db, account, self._by_account))
            _refuse(await self._counts.take(db, network, self._by_network))
        return LoginAttempt(account, network)

    async def succeed(self, attempt: LoginAttempt) -> None:
        """The password was right: the account's failures are forgiven, those of its network stay."""
        async with self._sessions.begin() as db:
            await self._counts.forget(db, attempt.account)
            await self._counts.give_back(db, attempt.network, self._by_network)

    async def take_registration(self, client: Client) -> None:
        """Count a request that makes us write to somebody. Raises `RateLimitedError`."""
        async with self._sessions.begin() as db:
            _refuse(await self._counts.take(db, self._digest("mails for", client.network), self._by_registrant))

    async def may_mail(self, db: Executor, email: str) -> bool:
        """Count a mail to this address; False when it got enough of them."""
        return await self._counts.take(db, self._digest("mails to", email), self._by_mailbox) is None

    def _digest(self, purpose: str, *subjects: str) -> bytes:
        return digest(self._key, "\n".join((purpose, *subjects)).encode(), "sha256")


def _refuse(wait: timedelta | None) -> None:
    if wait is not None:
        raise RateLimitedError("Too many attempts; try again later.", retry_after=wait)
