"""Signing in, staying signed in, and signing out."""

from collections.abc import Sequence
from uuid import UUID

from api.audit import AuditLog, Outcome
from api.one_time_tokens import hash_token
from api.revocations import Revocations
from api.turnstile import Turnstile
from api.v1.auth.client import Client, SignedIn
from api.v1.auth.password_proof import PasswordProof
from api.v1.auth.session_issuer import SessionIssuer, TokenPair
from api.v1.auth.trail import record
from common.database.model import LoginSession
from common.database.session import Sessions
from common.errors import NotFoundError, RateLimitedError, UnauthorizedError
from common.repository.account import AccountRepository
from common.repository.job import Owner
from common.repository.session import PresentedToken, SessionRepository


class AuthService:
    """Sessions: each is one login, renewed by refresh tokens that each work once."""

    def __init__(
        self,
        sessions: Sessions,
        logins: SessionRepository,
        accounts: AccountRepository,
        proof: PasswordProof,
        issuer: SessionIssuer,
        revocations: Revocations,
        turnstile: Turnstile,
        audit: AuditLog,
    ) -> None:
        self._sessions = sessions
        self._logins = logins
        self._accounts = accounts
        self._proof = proof
        self._issuer = issuer
        self._revocations = revocations
        self._turnstile = turnstile
        self._audit = audit

    async def login(self, email: str, password: str, client: Client) -> TokenPair:
        """Begin a session. Raises what `PasswordProof.prove` raises."""
        try:
            user = await self._proof.prove(email, password, client)
        except (UnauthorizedError, RateLimitedError) as error:
            outcome: Outcome = "denied" if isinstance(error, RateLimitedError) else "failure"
            record(self._audit, "auth.login", None, outcome, client)
            raise
        async with self._sessions.begin() as db:
            pair = await self._issuer.begin(db, user, client)
        record(self._audit, "auth.login", Owner(user.tenant_id, user.id), "success", client)
        return pair

    async def refresh(self, token: str, client: Client) -> TokenPair:
        """The next pair of tokens of the session.

        Raises `UnavailableError` when too many wait, and `UnauthorizedError`; a token that was used before, and not
        just now, also ends the session, because two parties hold it.
        """
        is_reused, pair = False, None
        async with self._turnstile.turn(), self._sessions.begin() as db:
            held = await self._logins.present(db, hash_token(token))
            if held is not None and held.is_live:
                pair = await self._issuer.renew(db, held, token, client)
                is_reused = pair is None
            if held is not None and is_reused:
                await self._logins.end(db, held.owner, "reuse", only=held.session_id)
        if held is not None and is_reused:
            await self._revocations.announce(held.owner.user_id)
        self._record_refresh(held, client, is_reused=is_reused, is_renewed=pair is not None)
        if pair is None:
            raise UnauthorizedError("Invalid refresh token")
        return pair

    async def logout(self, who: SignedIn, client: Client) -> None:
        """End the session of this request, its access and refresh tokens."""
        async with self._sessions.begin() as db:
            await self._logins.end(db, who.owner, "logout", only=who.session_id)
        await self._revocations.announce(who.owner.user_id)
        record(self._audit, "auth.logout", who.owner, "success", client)

    async def logout_all(self, who: SignedIn, client: Client) -> None:
        """End every session of the user, and every access token there is."""
        async with self._sessions.begin() as db:
            count = await self._logins.end(db, who.owner, "logout_all")
            await self._accounts.end_tokens(db, who.owner.user_id)
        await self._revocations.announce(who.owner.user_id)
        record(self._audit, "auth.logout_all", who.owner, "success", client, sessions=count)

    async def list_sessions(self, who: SignedIn) -> Sequence[LoginSession]:
        """The user's sessions that have not ended, newest first."""
        async with self._sessions() as db:
            return await self._logins.list_live(db, who.owner)

    async def end_session(self, who: SignedIn, session_id: UUID, client: Client) -> None:
        """End one session of the user. Raises `NotFoundError` when there is none to end."""
        async with self._sessions.begin() as db:
            ended = await self._logins.end(db, who.owner, "ended", only=session_id)
        if not ended:
            raise NotFoundError(f"session {session_id} does not exist")
        await self._revocations.announce(who.owner.user_id)
        record(self._audit, "auth.session_end", who.owner, "success", client, session_id=session_id)

    def _record_refresh(
        self, held: PresentedToken | None, client: Client, *, is_reused: bool, is_renewed: bool
    ) -> None:
        owner = held.owner if held else None
        session = {"session_id": held.session_id} if held else {}
        if is_reused:
            record(self._audit, "auth.refresh_reuse", owner, "denied", client, **session)
        else:
            record(self._audit, "auth.refresh", owner, "success" if is_renewed else "failure", client, **session)
