"""How PostgreSQL finds rows for hot statements on a table that it has not analyzed yet."""

from datetime import timedelta

import asyncpg

from common.container import CommonContainer
from common.database.direct import compiled_text
from common.ids import new_id
from common.repository import attempt
from common.repository.job import NewJob, Owner
from tests.fixtures.stores import Stores

_FORGET = """
    SELECT pg_clear_relation_stats('public', 'jobs');
    SELECT pg_clear_attribute_stats('public', 'jobs', attname::text, false) FROM pg_stats WHERE tablename = 'jobs'
"""


async def test_a_hinted_claim_goes_by_key_without_statistics(
    container: CommonContainer, owner: Owner, stores: Stores
) -> None:
    new = [NewJob(new_id(), owner, "system.echo", "default", "{}", 3, timedelta(minutes=1)) for _ in range(2000)]
    async with container.sessions().begin() as db:
        await container.jobs().insert(db, new)
    sql, names = compiled_text(attempt._CLAIM_HINTED)
    values = {"worker": new_id(), "ids": [job.id for job in new[:200]]}
    connection = await asyncpg.connect(stores.database_url)
    try:
        async with connection.transaction():
            await connection.execute(_FORGET)
            rows = await connection.fetch(f"EXPLAIN {sql}", *(values[name] for name in names))
    finally:
        await connection.close()
    plan = "\n".join(row[0] for row in rows)
    assert "pk_jobs" in plan
    assert "ix_jobs" not in plan, plan
    assert "Seq Scan on jobs" not in plan, plan
