"""What accounts leave behind goes some time after it was over."""

from sqlalchemy import text

from common.container import CommonContainer
from common.repository.retention import RetentionRepository
from tests.api.conftest import (
    MakeUser,
    make_user,  # noqa: F401  fixture
)

_ROWS = (
    "INSERT INTO login_sessions (id, tenant_id, owner_id, idle_until, expires_at) "
    "SELECT gen_random_uuid(), tenant_id, id, now(), now() - age FROM users, (VALUES (interval '31 days'), ('1 day')) "
    "AS old(age)",
    "INSERT INTO refresh_tokens SELECT decode(md5(id::text), 'hex'), id, 0, '' FROM login_sessions",
    "INSERT INTO email_codes (code_hash, purpose, email, expires_at) VALUES "
    "('a', 'verify_email', 'a@b.c', now() - interval '25 hours'), ('b', 'verify_email', 'a@b.c', now())",
    "INSERT INTO attempt_counts (key, count, expires_at) VALUES "
    "('a', 1, now() - interval '61 minutes'), ('b', 1, now())",
)
_COUNTS = "SELECT " + ", ".join(
    f"(SELECT count(*) FROM {table})" for table in ("login_sessions", "refresh_tokens", "email_codes", "attempt_counts")
)


async def test_old_sessions_codes_and_counts_go(container: CommonContainer, make_user: MakeUser) -> None:  # noqa: F811
    await make_user()
    async with container.sessions().begin() as db:
        for row in _ROWS:
            await db.execute(text(row))
        assert (await db.execute(text(_COUNTS))).one() == (2, 2, 2, 2)
        assert await RetentionRepository().purge_accounts(db, limit=10) == 1
        assert (await db.execute(text(_COUNTS))).one() == (1, 1, 1, 1)
        assert await RetentionRepository().purge_accounts(db, limit=10) == 0
