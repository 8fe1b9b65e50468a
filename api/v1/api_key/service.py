"""API keys, for the users they act as and the admins of their tenant."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from api.caller import Caller
from api.config import ApiSettings
from api.cursors import CursorSigner
from api.paging import Page
from api.revocations import Revocations
from common.api_keys import make_api_key
from common.database.model import ApiKey
from common.database.session import Sessions
from common.errors import ConflictError, ForbiddenError, NotFoundError
from common.ids import new_id
from common.repository.api_key import ApiKeyRepository, NewApiKey
from common.repository.job import Owner
from common.repository.member import MemberRepository
from common.scopes import Scope


@dataclass(frozen=True, slots=True)
class KeyRequest:
    """What somebody wants of a new key."""

    name: str
    scopes: frozenset[Scope]
    expires_in: timedelta | None
    user_id: UUID | None


class ApiKeyService:
    """Every method acts for `caller` and treats the keys of others as missing, but for the admins of their tenant."""

    def __init__(
        self,
        settings: ApiSettings,
        sessions: Sessions,
        keys: ApiKeyRepository,
        members: MemberRepository,
        cursors: CursorSigner,
        revocations: Revocations,
    ) -> None:
        self._max_keys = settings.max_api_keys
        self._sessions = sessions
        self._keys = keys
        self._members = members
        self._cursors = cursors
        self._revocations = revocations

    async def create(self, caller: Caller, wanted: KeyRequest) -> tuple[ApiKey, str]:
        """A new key and its text, which nobody can read again.

        Raises `ForbiddenError` when a key would make one that may more or lasts longer than itself, `NotFoundError`
        for a user who is no service account of the admin's tenant, `ConflictError` at MAX_API_KEYS.
        """
        made = make_api_key()
        expires_at = None if wanted.expires_in is None else datetime.now(UTC) + wanted.expires_in
        async with self._sessions.begin() as db:
            owner = await self._owner_of_new(db, caller, wanted.user_id)
            await self._refuse_more(db, caller, wanted.scopes, expires_at)
            if await self._keys.count_valid(db, owner) >= self._max_keys:
                raise ConflictError(f"MAX_API_KEYS allows {self._max_keys} keys; revoke one first")
            new = NewApiKey(
                id=new_id(),
                owner=owner,
                created_by=caller.user_id,
                name=wanted.name,
                prefix=made.prefix,
                secret_hash=made.secret_hash,
                scopes=sorted(wanted.scopes),
                expires_at=expires_at,
            )
            return await self._keys.insert(db, new), made.text

    async def list_page(self, caller: Caller, user_id: UUID | None, cursor: str | None, limit: int) -> Page[ApiKey]:
        """One page of the caller's keys, or for admins of another user's. Raises as `get` does."""
        whose = user_id or caller.user_id
        scope = f"api-keys of {whose}"
        before_id = None if cursor is None else self._cursors.read(caller.user_id, cursor, scope)
        async with self._sessions() as db:
            may_see = whose == caller.user_id or (
                caller.is_admin and await self._members.find(db, whose, caller.tenant_id) is not None
            )
            if not may_see:
                raise NotFoundError(f"user {whose} does not exist")
            owner = Owner(caller.tenant_id, whose)
            found = await self._keys.list_page(db, owner, before_id=before_id, limit=limit + 1)
        keys, has_more = found[:limit], len(found) > limit
        return Page(keys, self._cursors.sign(caller.user_id, keys[-1].id, scope) if has_more else None)

    async def get(self, caller: Caller, key_id: UUID) -> ApiKey:
        """The key, if it is the caller's, or the caller is an admin of its tenant. Raises `NotFoundError`."""
        async with self._sessions() as db:
            return await self._get(db, caller, key_id)

    async def revoke(self, caller: Caller, key_id: UUID) -> ApiKey:
        """End a key at once, for good. Raises as `get` does."""
        async with self._sessions.begin() as db:
            key = await self._get(db, caller, key_id)
            await self._keys.revoke(db, key_id, caller.tenant_id)
        await self._revocations.announce(key.owner_id)
        return key

    async def _get(self, db: AsyncSession, caller: Caller, key_id: UUID) -> ApiKey:
        key = await self._keys.find(db, key_id, caller.tenant_id)
        if key is None or not (caller.is_admin or key.owner_id == caller.user_id):
            raise NotFoundError(f"API key {key_id} does not exist")
        return key

    async def _owner_of_new(self, db: AsyncSession, caller: Caller, user_id: UUID | None) -> Owner:
        """An admin may give keys to services, not to people: a key of theirs would act in their name."""
        if user_id is None or user_id == caller.user_id:
            return caller.owner
        caller.require_admin()
        user = await self._members.find(db, user_id, caller.tenant_id)
        if user is None or not user.is_service:
            raise NotFoundError(f"service account {user_id} does not exist")
        return Owner(user.tenant_id, user.id)

    async def _refuse_more(
        self, db: AsyncSession, caller: Caller, scopes: frozenset[Scope], expires_at: datetime | None
    ) -> None:
        if caller.scopes is None or caller.key_id is None:
            return
        if not scopes <= caller.scopes:
            raise ForbiddenError("a key cannot make another one that may do more than itself")
        own = await self._keys.find(db, caller.key_id, caller.tenant_id)
        limit = own.expires_at if own else datetime.now(UTC)
        if limit is not None and (expires_at is None or expires_at > limit):
            raise ForbiddenError("a key cannot make another one that lasts longer than itself")
