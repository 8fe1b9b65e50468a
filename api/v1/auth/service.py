"""Signing in."""

from api.security import AccessTokens, PasswordChecker
from common.database.session import Sessions
from common.errors import UnauthorizedError
from common.repository.user import UserRepository


class AuthService:
    """Exchanges a password for an access token."""

    def __init__(
        self, sessions: Sessions, users: UserRepository, passwords: PasswordChecker, tokens: AccessTokens
    ) -> None:
        self._sessions = sessions
        self._users = users
        self._passwords = passwords
        self._tokens = tokens

    async def login(self, email: str, password: str) -> str:
        """A token for the user. Raises `UnauthorizedError`, the same for every reason."""
        async with self._sessions() as db:
            user = await self._users.find_by_email(db, email)
        stored = user.password_hash if user else None
        is_right = await self._passwords.matches(password, stored)
        if user is None or stored is None or not is_right or not user.is_active:
            raise UnauthorizedError("Invalid email or password")
        if new := await self._passwords.rehash(password, stored):
            async with self._sessions.begin() as db:
                await self._users.set_password_hash(db, user.id, old=stored, new=new)
        return self._tokens.issue(user.id, user.token_version)
