"""Checks the password of somebody who says to be a user."""

from api.audit import AuditLog
from api.password_hasher import PasswordHasher
from api.turnstile import Turnstile
from api.v1.auth.attempt_gate import AttemptGate
from api.v1.auth.client import Client
from common.database.model import User
from common.database.session import Sessions
from common.errors import ForbiddenError, RateLimitedError, UnauthorizedError
from common.repository.job import Owner
from common.repository.user import UserRepository


class PasswordProof:
    """The one place where passwords are tried: counted, hashed in turn, and as slow for unknown users as for known."""

    def __init__(
        self,
        sessions: Sessions,
        users: UserRepository,
        passwords: PasswordHasher,
        gate: AttemptGate,
        turnstile: Turnstile,
        audit: AuditLog,
    ) -> None:
        self._sessions = sessions
        self._users = users
        self._passwords = passwords
        self._gate = gate
        self._turnstile = turnstile
        self._audit = audit

    async def prove(self, email: str, password: str, client: Client) -> User:
        """The user of this address and password.

        Raises `UnauthorizedError`, the same for every reason, `RateLimitedError` after too many failures, and
        `UnavailableError` when too many logins wait.
        """
        async with self._turnstile.turn():
            attempt = await self._gate.take_login(email.strip().lower(), client)
            async with self._sessions() as db:
                user = await self._users.find_by_email(db, email)
            stored = user.password_hash if user and user.is_active else None
            is_right = await self._passwords.matches(password, stored)
            if user is None or stored is None or not is_right:
                raise UnauthorizedError("Invalid email or password")
            await self._gate.succeed(attempt)
            await self._rehash(user, password, stored)
            return user

    async def prove_self(self, owner: Owner, password: str, client: Client) -> User:
        """As `prove`, for somebody who is signed in; a wrong password is a `ForbiddenError`."""
        async with self._sessions() as db:
            user = await self._users.find(db, owner.user_id)
        try:
            return await self.prove(user.email if user else "", password, client)
        except (UnauthorizedError, RateLimitedError) as error:
            self._audit.record(
                "auth.password_check",
                actor=owner,
                outcome="denied" if isinstance(error, RateLimitedError) else "failure",
                target=f"user:{owner.user_id}",
                request_id=client.request_id,
                details={"address": client.address},
            )
            if isinstance(error, RateLimitedError):
                raise
            raise ForbiddenError("the current password is wrong") from None

    async def _rehash(self, user: User, password: str, stored: str) -> None:
        """Store the password with today's costs."""
        if new := await self._passwords.rehash(password, stored):
            async with self._sessions.begin() as db:
                await self._users.set_password_hash(db, user.id, old=stored, new=new)
