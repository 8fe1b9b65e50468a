"""Queries about login sessions and their refresh tokens. Times are the database's; an ended session stays ended."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Integer, LargeBinary, Text, Uuid, select, text
from sqlalchemy.dialects.postgresql import INTERVAL
from sqlalchemy.orm import aliased

from common.database.model import LoginSession
from common.repository.job import Owner
from common.repository.sql import Executor, execute, statement


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session that is about to begin, with the hash of its first refresh token."""

    id: UUID
    owner: Owner
    token_version: int
    address: str | None
    user_agent: str | None
    token_hash: bytes
    lifetime: timedelta
    idle_lifetime: timedelta


@dataclass(frozen=True, slots=True)
class PresentedToken:
    """A refresh token that somebody sent, its session and user. `used_ago` is None for one that was not used yet."""

    session_id: UUID
    owner: Owner
    token_version: int
    generation: int
    used_ago: timedelta | None
    is_live: bool
    expires_at: datetime


_LIVE = """
    held.ended_at IS NULL AND held.expires_at > clock_timestamp() AND held.idle_until > clock_timestamp() AND EXISTS (
        SELECT FROM users WHERE users.id = held.owner_id AND users.is_active
           AND users.tenant_id = held.tenant_id AND users.token_version = held.token_version
    )
"""
_BEGIN = statement(
    """
    WITH begun AS (
        INSERT INTO login_sessions (id, tenant_id, owner_id, token_version, address, user_agent, idle_until, expires_at)
        VALUES (:id, :tenant, :owner, :version, :address, :user_agent,
                clock_timestamp() + least(:idle_lifetime, :lifetime), clock_timestamp() + :lifetime)
        RETURNING id, expires_at
    ), first AS (
        INSERT INTO refresh_tokens (token_hash, session_id, generation, salt)
        SELECT :token_hash, id, 0, '' FROM begun
    )
    SELECT expires_at FROM begun
    """,
    id=Uuid(),
    tenant=Uuid(),
    owner=Uuid(),
    version=Integer(),
    address=Text(),
    user_agent=Text(),
    token_hash=LargeBinary(),
    lifetime=INTERVAL(),
    idle_lifetime=INTERVAL(),
)
# Concurrent refreshes of a session come one after the other.
_PRESENT = statement(
    f"""
    SELECT held.id, held.tenant_id, held.owner_id, users.token_version, token.generation,
           clock_timestamp() - token.used_at, {_LIVE}, held.expires_at
    FROM refresh_tokens AS token
    JOIN login_sessions AS held ON held.id = token.session_id
    JOIN users ON users.id = held.owner_id
    WHERE token.token_hash = :token_hash
    FOR UPDATE OF held, token
    """,
    token_hash=LargeBinary(),
)
_ROTATE = statement(
    """
    WITH used AS (
        UPDATE refresh_tokens SET used_at = clock_timestamp()
        WHERE session_id = :id AND generation = :generation AND used_at IS NULL
        RETURNING session_id, generation
    ), following AS (
        INSERT INTO refresh_tokens (token_hash, session_id, generation, salt)
        SELECT :token_hash, session_id, generation + 1, :salt FROM used
    )
    UPDATE login_sessions SET used_at = clock_timestamp(), address = :address, user_agent = :user_agent,
           idle_until = least(clock_timestamp() + :idle_lifetime, expires_at)
    FROM used WHERE login_sessions.id = used.session_id
    """,
    id=Uuid(),
    generation=Integer(),
    token_hash=LargeBinary(),
    salt=LargeBinary(),
    address=Text(),
    user_agent=Text(),
    idle_lifetime=INTERVAL(),
)
_SUCCESSORS = statement(
    """
    SELECT salt, token_hash FROM refresh_tokens WHERE session_id = :id AND generation > :generation ORDER BY generation
    """,
    id=Uuid(),
    generation=Integer(),
)
_END = statement(
    """
    UPDATE login_sessions SET ended_at = clock_timestamp(), end_reason = :reason
    WHERE tenant_id = :tenant AND owner_id = :owner AND ended_at IS NULL
      AND (CAST(:only AS uuid) IS NULL OR id = :only) AND id IS DISTINCT FROM :but
    """,
    tenant=Uuid(),
    owner=Uuid(),
    only=Uuid(),
    but=Uuid(),
    reason=Text(),
)
_END_SURPLUS = statement(
    f"""
    UPDATE login_sessions SET ended_at = clock_timestamp(), end_reason = 'too_many'
    WHERE id IN (
        SELECT id FROM login_sessions AS held WHERE tenant_id = :tenant AND owner_id = :owner AND {_LIVE}
        ORDER BY used_at DESC, id DESC OFFSET :most
    )
    """,
    tenant=Uuid(),
    owner=Uuid(),
    most=Integer(),
)
_IS_KNOWN = statement(
    """
    SELECT EXISTS (
        SELECT FROM login_sessions AS past JOIN users ON users.id = past.owner_id
        WHERE users.email = :email AND past.address = :address
    )
    """,
    email=Text(),
    address=Text(),
)


class SessionRepository:
    """Sessions and their chains of refresh tokens."""

    async def begin(self, db: Executor, new: NewSession) -> datetime:
        """Insert a session with its first token, and return when it ends at the latest."""
        values = {
            "id": new.id,
            **_names(new.owner),
            "version": new.token_version,
            "address": new.address,
            "user_agent": new.user_agent,
            "token_hash": new.token_hash,
            "lifetime": new.lifetime,
            "idle_lifetime": new.idle_lifetime,
        }
        ends: datetime = (await execute(db, _BEGIN, values)).scalar_one()
        return ends

    async def present(self, db: Executor, token_hash: bytes) -> PresentedToken | None:
        """The refresh token of this hash; its session is locked until the transaction ends."""
        row = (await execute(db, _PRESENT, {"token_hash": token_hash})).one_or_none()
        if row is None:
            return None
        session_id, tenant_id, owner_id, *rest = tuple(row)
        return PresentedToken(session_id, Owner(tenant_id, owner_id), *rest)

    async def rotate(
        self,
        db: Executor,
        held: PresentedToken,
        *,
        token_hash: bytes,
        salt: bytes,
        address: str | None,
        user_agent: str | None,
        idle_lifetime: timedelta,
    ) -> None:
        """Mark a token that `present` gave as used, and insert the one that follows it."""
        values = {"token_hash": token_hash, "salt": salt, "address": address, "user_agent": user_agent}
        names = {"id": held.session_id, "generation": held.generation, "idle_lifetime": idle_lifetime}
        await execute(db, _ROTATE, {**names, **values})

    async def successors(self, db: Executor, held: PresentedToken) -> list[tuple[bytes, bytes]]:
        """Salt and hash of every token that came after this one, in order."""
        rows = await execute(db, _SUCCESSORS, {"id": held.session_id, "generation": held.generation})
        return [(row.salt, row.token_hash) for row in rows]

    async def end(
        self, db: Executor, owner: Owner, reason: str, *, only: UUID | None = None, but: UUID | None = None
    ) -> int:
        """End the owner's sessions: all, `only` one, or all `but` one. Returns how many have ended."""
        values = {**_names(owner), "only": only, "but": but, "reason": reason}
        return (await execute(db, _END, values)).rowcount

    async def end_surplus(self, db: Executor, owner: Owner, *, most: int) -> None:
        """End those sessions of the owner that were used least recently, until `most` are left."""
        await execute(db, _END_SURPLUS, {**_names(owner), "most": most})

    async def list_live(self, db: Executor, owner: Owner) -> list[LoginSession]:
        """The owner's sessions that have not ended, newest first."""
        held = aliased(LoginSession, name="held")
        query = select(held).where(held.tenant_id == owner.tenant_id, held.owner_id == owner.user_id, text(_LIVE))
        return list((await db.execute(query.order_by(held.id.desc()))).scalars())

    async def is_known(self, db: Executor, email: str, address: str) -> bool:
        """Whether this account was signed in to from this address before."""
        return bool((await execute(db, _IS_KNOWN, {"email": email, "address": address})).scalar_one())


def _names(owner: Owner) -> dict[str, Any]:
    return {"tenant": owner.tenant_id, "owner": owner.user_id}
