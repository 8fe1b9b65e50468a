"""Begins sessions, and renews their tokens."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from api.config import ApiSettings
from api.one_time_tokens import hash_token
from api.refresh_tokens import RefreshTokens
from api.security import AccessTokens
from api.v1.auth.client import Client
from common.database.model import User
from common.ids import new_id
from common.repository.job import Owner
from common.repository.session import NewSession, PresentedToken, SessionRepository
from common.repository.sql import Executor

_LONGEST_USER_AGENT = 300


@dataclass(frozen=True, slots=True)
class TokenPair:
    """What a client gets when it signs in or renews: a token for requests, and one for the next pair."""

    access_token: str
    expires_in: timedelta
    refresh_token: str
    refresh_expires_in: timedelta


class SessionIssuer:
    """Writes sessions inside the transactions of services."""

    def __init__(
        self, settings: ApiSettings, logins: SessionRepository, access: AccessTokens, refresh: RefreshTokens
    ) -> None:
        self._settings = settings
        self._logins = logins
        self._access = access
        self._refresh = refresh

    async def begin(self, db: Executor, user: User, client: Client, *, version: int | None = None) -> TokenPair:
        """A new session of the user; one too many ends the one used least recently."""
        owner, token = Owner(user.tenant_id, user.id), self._refresh.make()
        version = user.token_version if version is None else version
        new = NewSession(
            id=new_id(),
            owner=owner,
            token_version=version,
            address=client.address,
            user_agent=_cut(client.user_agent),
            token_hash=hash_token(token),
            lifetime=self._settings.session_lifetime,
            idle_lifetime=self._settings.session_idle_lifetime,
        )
        ends = await self._logins.begin(db, new)
        await self._logins.end_surplus(db, owner, most=self._settings.max_user_sessions)
        access = self._access.issue(user.id, version, new.id)
        return self._pair(access, token, ends)

    async def renew(self, db: Executor, held: PresentedToken, token: str, client: Client) -> TokenPair | None:
        """The next pair. A token that was used gets the pair of whoever was first; None when that is too long ago."""
        if held.used_ago is None:
            following, salt = self._refresh.follow(token)
            await self._logins.rotate(
                db,
                held,
                token_hash=hash_token(following),
                salt=salt,
                address=client.address,
                user_agent=_cut(client.user_agent),
                idle_lifetime=self._settings.session_idle_lifetime,
            )
        elif held.used_ago <= self._settings.refresh_overlap:
            newest = self._refresh.newest(token, await self._logins.successors(db, held))
            if newest is None:
                return None
            following = newest
        else:
            return None
        access = self._access.issue(held.owner.user_id, held.token_version, held.session_id)
        return self._pair(access, following, held.expires_at)

    def _pair(self, access: str, refresh: str, ends: datetime) -> TokenPair:
        left = min(self._settings.session_idle_lifetime, ends - datetime.now(UTC))
        return TokenPair(access, self._access.lifetime, refresh, left)


def _cut(user_agent: str | None) -> str | None:
    return user_agent[:_LONGEST_USER_AGENT] if user_agent else None
