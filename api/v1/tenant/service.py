"""Tenants and who belongs to them."""

from dataclasses import replace
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from api.caller import Caller
from api.cursors import CursorSigner, scope_of
from api.offboarding import Offboarding
from api.paging import Page
from api.revocations import Revocations
from api.v1.user.service import BUILTIN_IDS, UserService
from common.database.model import Role, Tenant, User
from common.database.session import Sessions
from common.dto.user import UserFilter
from common.errors import ConflictError, ForbiddenError, NotFoundError
from common.ids import new_id
from common.repository.api_key import ApiKeyRepository
from common.repository.job import Owner
from common.repository.member import MemberRepository
from common.repository.tenant import TenantRepository
from common.repository.user import DEFAULT_TENANT_ID, UserRepository


class TenantService:
    """Members see their own tenant; the admins of the installation's own tenant see and make all of them."""

    def __init__(
        self,
        sessions: Sessions,
        tenants: TenantRepository,
        members: MemberRepository,
        users: UserRepository,
        keys: ApiKeyRepository,
        user_service: UserService,
        cursors: CursorSigner,
        revocations: Revocations,
        offboarding: Offboarding,
    ) -> None:
        self._sessions = sessions
        self._tenants = tenants
        self._members = members
        self._users = users
        self._keys = keys
        self._user_service = user_service
        self._cursors = cursors
        self._revocations = revocations
        self._offboarding = offboarding

    async def list_page(self, caller: Caller, cursor: str | None, limit: int) -> Page[Tenant]:
        """One page of all tenants for admins of the installation; for everybody else their own."""
        if not caller.is_installation_admin:
            return Page([await self.get(caller, caller.tenant_id)], None)
        before_id = None if cursor is None else self._cursors.read(caller.user_id, cursor, "tenants")
        async with self._sessions() as db:
            found = await self._tenants.list_page(db, before_id=before_id, limit=limit + 1)
        tenants, has_more = found[:limit], len(found) > limit
        return Page(tenants, self._cursors.sign(caller.user_id, tenants[-1].id, "tenants") if has_more else None)

    async def get(self, caller: Caller, tenant_id: UUID) -> Tenant:
        """The tenant. Raises `NotFoundError` for one that the caller is not a member of."""
        async with self._sessions() as db:
            return await self._get(db, caller, tenant_id)

    async def create(self, caller: Caller, name: str) -> Tenant:
        """A new tenant without members. Raises `ForbiddenError` for all but admins of the installation."""
        async with self._sessions.begin() as db:
            await self._user_service.require_admin(db, caller)
            if not caller.is_installation_admin:
                raise ForbiddenError("only admins of the installation may make tenants")
            return await self._tenants.insert(db, new_id(), name)

    async def rename(self, caller: Caller, tenant_id: UUID, name: str) -> Tenant:
        """The tenant with its new name. Raises `NotFoundError`, `ForbiddenError`."""
        async with self._sessions.begin() as db:
            await self._get(db, caller, tenant_id)
            await self._user_service.require_admin(db, caller)
            tenant = await self._tenants.rename(db, tenant_id, name)
        if tenant is None:
            raise NotFoundError(f"tenant {tenant_id} does not exist")
        return tenant

    async def list_members(self, caller: Caller, tenant_id: UUID, wanted: UserFilter, cursor: str | None) -> Page[User]:
        """One page of the members, for operators and admins. Raises `NotFoundError`, `ForbiddenError`."""
        scope = f"{tenant_id} {scope_of(wanted)}"
        before_id = None if cursor is None else self._cursors.read(caller.user_id, cursor, scope)
        async with self._sessions() as db:
            await self._get(db, caller, tenant_id)
            caller.require_operator()
            page = replace(wanted, before_id=before_id, limit=wanted.limit + 1)
            found = await self._members.list_page(db, tenant_id, page)
        users, has_more = found[: wanted.limit], len(found) > wanted.limit
        return Page(users, self._cursors.sign(caller.user_id, users[-1].id, scope) if has_more else None)

    async def add_member(self, caller: Caller, tenant_id: UUID, user_id: UUID, role: Role) -> User:
        """Move a user into the tenant; keys end, jobs stay where they are.

        Only admins of the installation may: nobody else is an admin of both. Raises `ForbiddenError`, `NotFoundError`,
        and `ConflictError` when the user's tenant would lose its last admin.
        """
        async with self._sessions.begin() as db:
            await self._get(db, caller, tenant_id)
            await self._user_service.require_admin(db, caller)
            if not caller.is_installation_admin:
                raise ForbiddenError("only admins of the installation may move users; POST /api/v1/users adds new ones")
            user = await self._users.find(db, user_id)
            if user is None:
                raise NotFoundError(f"user {user_id} does not exist")
            if user.tenant_id == tenant_id:
                raise ConflictError("the user is a member already; change the role with PATCH /api/v1/users")
            source = user.tenant_id
            moved = await self._move(db, user, tenant_id, role)
        await self._settle(user_id, source)
        return moved

    async def remove_member(self, caller: Caller, tenant_id: UUID, user_id: UUID) -> User:
        """Move a user back into the installation's own tenant, as a plain user. Raises as `add_member` does."""
        async with self._sessions.begin() as db:
            await self._get(db, caller, tenant_id)
            await self._user_service.require_admin(db, caller)
            user = await self._members.find(db, user_id, tenant_id)
            if user is None:
                raise NotFoundError(f"user {user_id} does not exist")
            if tenant_id == DEFAULT_TENANT_ID:
                raise ConflictError("nobody leaves the installation's own tenant; delete the user instead")
            moved = await self._move(db, user, DEFAULT_TENANT_ID, Role.USER)
        await self._settle(user_id, tenant_id)
        return moved

    async def _settle(self, user_id: UUID, source: UUID) -> None:
        """After the commit of a move: no old token counts, and no job of the old tenant starts any more."""
        await self._revocations.announce(user_id)
        await self._offboarding.stop_jobs(Owner(source, user_id))

    async def _move(self, db: AsyncSession, user: User, target: UUID, role: Role) -> User:
        if user.id in BUILTIN_IDS:
            raise ConflictError("the built-in users cannot be moved")
        await self._user_service.keep_an_admin(db, user)
        await self._keys.revoke_all(db, Owner(user.tenant_id, user.id))
        return await self._members.move(db, user.id, source=user.tenant_id, target=target, role=role)

    async def _get(self, db: AsyncSession, caller: Caller, tenant_id: UUID) -> Tenant:
        may_see = caller.is_installation_admin or tenant_id == caller.tenant_id
        tenant = await self._tenants.find(db, tenant_id) if may_see else None
        if tenant is None:
            raise NotFoundError(f"tenant {tenant_id} does not exist")
        return tenant
