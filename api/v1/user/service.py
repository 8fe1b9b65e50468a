"""Users: how they see themselves, and how the admins of their tenant look after them."""

from dataclasses import replace
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from api.caller import Caller
from api.cursors import CursorSigner, scope_of
from api.offboarding import Offboarding
from api.paging import Page
from api.revocations import Revocations
from common.database.model import Role, User
from common.database.session import Sessions
from common.dto.user import NewMember, UserChanges, UserFilter
from common.errors import ConflictError, ForbiddenError, NotFoundError
from common.repository.job import Owner
from common.repository.member import MemberRepository
from common.repository.user import LOCAL_USER, SERVICE_USER

BUILTIN_IDS = frozenset({LOCAL_USER.id, SERVICE_USER.id})


def _refuse_builtin(user_id: UUID) -> None:
    if user_id in BUILTIN_IDS:
        raise ConflictError("the built-in users cannot be changed")


class UserService:
    """Every method acts for `caller` and treats the users of other tenants as missing."""

    def __init__(
        self,
        sessions: Sessions,
        members: MemberRepository,
        cursors: CursorSigner,
        revocations: Revocations,
        offboarding: Offboarding,
    ) -> None:
        self._sessions = sessions
        self._members = members
        self._cursors = cursors
        self._revocations = revocations
        self._offboarding = offboarding

    async def get(self, caller: Caller, user_id: UUID) -> User:
        """The caller, or somebody of the tenant for its operators. Raises `NotFoundError`."""
        async with self._sessions() as db:
            return await self._get(db, caller, user_id)

    async def list_page(self, caller: Caller, wanted: UserFilter, cursor: str | None) -> Page[User]:
        """One page of the tenant's users. Raises `ForbiddenError` for users, `InvalidError` for a foreign cursor."""
        caller.require_operator()
        scope = scope_of(wanted)
        before_id = None if cursor is None else self._cursors.read(caller.user_id, cursor, scope)
        async with self._sessions() as db:
            page = replace(wanted, before_id=before_id, limit=wanted.limit + 1)
            found = await self._members.list_page(db, caller.tenant_id, page)
        users, has_more = found[: wanted.limit], len(found) > wanted.limit
        return Page(users, self._cursors.sign(caller.user_id, users[-1].id, scope) if has_more else None)

    async def create(self, caller: Caller, new: NewMember) -> User:
        """Add somebody to the caller's tenant. Raises `ForbiddenError`, or `ConflictError` for a taken address."""
        async with self._sessions.begin() as db:
            await self.require_admin(db, caller)
            user = await self._members.insert(db, new)
        if user is None:
            raise ConflictError("there is an account with this address already")
        return user

    async def update(self, caller: Caller, user_id: UUID, changes: UserChanges) -> User:
        """Change somebody. A new role or activity counts at once, for tokens that are out there too.

        Raises `NotFoundError`, `ForbiddenError`, or `ConflictError` when the tenant would lose its last admin.
        """
        async with self._sessions.begin() as db:
            before = await self._get(db, caller, user_id)
            if changes.concerns_access:
                await self.require_admin(db, caller)
                _refuse_builtin(user_id)
                if changes.is_active is False or changes.role not in (None, Role.ADMIN):
                    await self.keep_an_admin(db, before)
            elif user_id != caller.user_id:
                await self.require_admin(db, caller)
            user = await self._members.update(db, user_id, caller.tenant_id, changes)
        if changes.concerns_access:
            await self._revocations.announce(user_id)
        if changes.is_active is False:
            await self._offboarding.stop_jobs(Owner(user.tenant_id, user.id))
        return user

    async def delete(self, caller: Caller, user_id: UUID) -> None:
        """Remove somebody, with sessions, keys, threads and collections; stop their jobs. Raises as `update` does."""
        async with self._sessions.begin() as db:
            user = await self._get(db, caller, user_id)
            await self.require_admin(db, caller)
            _refuse_builtin(user_id)
            await self.keep_an_admin(db, user)
            await self._members.delete(db, user_id, caller.tenant_id)
            await self._offboarding.erase(db, Owner(user.tenant_id, user.id))
        await self._revocations.announce(user_id)
        await self._offboarding.stop_jobs(Owner(user.tenant_id, user.id), is_erased=True)

    async def require_admin(self, db: AsyncSession, caller: Caller) -> None:
        """Raises `ForbiddenError` unless the caller is an admin now, whatever the token was told."""
        caller.require_admin()
        if caller.user_id in BUILTIN_IDS:
            return
        user = await self._members.find(db, caller.user_id, caller.tenant_id)
        if user is None or not user.is_active or user.role != Role.ADMIN:
            raise ForbiddenError("only admins may do this")

    async def keep_an_admin(self, db: AsyncSession, user: User) -> None:
        """Raises `ConflictError` when the tenant would have nobody left who can look after it."""
        if await self._members.lock_admins(db, user.tenant_id) == {user.id}:
            raise ConflictError("this is the last admin of the tenant; make somebody else an admin first")

    async def _get(self, db: AsyncSession, caller: Caller, user_id: UUID) -> User:
        may_see = caller.is_operator or user_id == caller.user_id
        user = await self._members.find(db, user_id, caller.tenant_id) if may_see else None
        if user is None:
            raise NotFoundError(f"user {user_id} does not exist")
        return user
