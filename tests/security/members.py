"""People and services of several tenants and roles, signed in without the cost of a password."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import insert

from api.container import ApiContainer
from common.container import CommonContainer
from common.database.model import LoginSession, Role
from common.dto.user import NewMember
from common.ids import new_id
from common.repository.job import Owner
from common.repository.member import MemberRepository
from common.repository.tenant import TenantRepository
from common.repository.user import DEFAULT_TENANT_ID, UserRepository
from tests.api.conftest import BuildSettings


@dataclass(frozen=True)
class Member:
    """Somebody with an account and the header that proves it."""

    id: UUID
    tenant_id: UUID
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    @property
    def owner(self) -> Owner:
        return Owner(self.tenant_id, self.id)


type MakeMember = Callable[..., Awaitable[Member]]


@pytest.fixture
def make_member(container: CommonContainer, build_settings: BuildSettings) -> MakeMember:
    """`await make_member("admin", tenant_id=...)`; a tenant that is not there yet is made."""
    tokens = ApiContainer(settings=build_settings()).tokens()

    async def make(role: str = "user", *, tenant_id: UUID = DEFAULT_TENANT_ID, is_service: bool = False) -> Member:
        user_id, session_id = new_id(), new_id()
        email = None if is_service else f"{user_id}@example.com"
        later = datetime.now(UTC) + timedelta(days=1)
        session = {"id": session_id, "tenant_id": tenant_id, "owner_id": user_id}
        async with container.sessions().begin() as db:
            await UserRepository().ensure_default_tenant(db)
            if await TenantRepository().find(db, tenant_id) is None:
                await TenantRepository().insert(db, tenant_id, "another")
            new = NewMember(user_id, tenant_id, Role(role), email, "somebody", is_service)
            assert await MemberRepository().insert(db, new)
            await db.execute(insert(LoginSession).values(**session, idle_until=later, expires_at=later))
        return Member(user_id, tenant_id, tokens.issue(user_id, 0, session_id))

    return make
