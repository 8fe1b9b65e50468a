"""Idempotency keys in the transactions of whoever makes something: a repeated request finds what the first one made."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from common.config import CommonSettings
from common.database.model import IdempotencyKey
from common.errors import BusyError, GoneError, KeyReusedError
from common.repository.idempotency import IdempotencyRepository, RequestKey
from common.repository.job import Owner
from common.repository.sql import sqlstate

_LIMIT_WAITING = text("SELECT set_config('lock_timeout', :limit, true)")
_LOCKED = "55P03"


class RequestKeys:
    """Take a key first in a transaction, and keep with it what was made before the commit. No key is always new."""

    def __init__(self, keys: IdempotencyRepository, settings: CommonSettings) -> None:
        self._keys = keys
        self._lifetime = settings.idempotency_retention
        self._wait = settings.idempotency_wait
        self._release_failed = settings.idempotency_release_failed

    async def take(self, db: AsyncSession, owner: Owner, key: RequestKey | None) -> IdempotencyKey | None:
        """None when the key is this request's from now on, else what an earlier request made.

        Raises `KeyReusedError` for another content, `BusyError` while the earlier request is under way.
        """
        if key is None:
            return None
        await db.execute(_LIMIT_WAITING, {"limit": f"{int(self._wait.total_seconds() * 1000)}ms"})
        try:
            lifetime, release = self._lifetime, self._release_failed
            is_new = await self._keys.take(db, owner, key, lifetime=lifetime, release_failed=release)
        except DBAPIError as error:
            if sqlstate(error) == _LOCKED:
                raise BusyError("another request with the same key is still under way") from error
            raise
        await db.execute(_LIMIT_WAITING, {"limit": "0"})
        if is_new:
            return None
        held = await self._keys.get(db, owner, key)
        if held.fingerprint != key.fingerprint:
            raise KeyReusedError("this idempotency key came with another content before; use a new key")
        return held

    async def keep(
        self, db: AsyncSession, owner: Owner, key: RequestKey | None, *, job_id: UUID | None = None, **made: UUID
    ) -> None:
        """Remember what came of the request: its job, and ids by the names of what they are of."""
        if key is not None:
            items = [{name: str(value) for name, value in made.items()}] if made else None
            await self._keys.keep(db, owner, key, job_id=job_id, items=items)


def made_id(held: IdempotencyKey, name: str) -> UUID:
    """The id that was kept under `name`. Raises `GoneError` when there is none."""
    kept: Mapping[str, Any] = held.items[0] if held.items else {}
    if name not in kept:
        raise GoneError("what was made with this key is gone")
    return UUID(kept[name])
