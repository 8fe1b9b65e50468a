"""Makes a data folder with a migrated database, then stops its servers: `python -m tests.faults.prepare FOLDER`.

Copying such a folder is ten times quicker than making one.
"""

import asyncio
import os
import sys
from pathlib import Path

import asyncpg

from common.embedded.stack import EmbeddedStack

# Every move of every job is written down by the database itself, so that no process can leave one out.
HISTORY = """
CREATE TABLE job_history (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, job_id uuid NOT NULL, before text, after text NOT NULL,
    attempt_before integer, attempt integer NOT NULL, lease_before uuid, failures integer NOT NULL,
    crashes integer NOT NULL, is_cancelling boolean NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE FUNCTION keep_history() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO job_history (job_id, before, after, attempt_before, attempt, lease_before, failures, crashes,
                             is_cancelling)
    VALUES (NEW.id, OLD.status, NEW.status, OLD.attempt, NEW.attempt, OLD.lease_owner, NEW.failures, NEW.crashes,
            NEW.cancel_requested_at IS NOT NULL);
    RETURN NULL;
END $$;
CREATE TRIGGER keep_insert AFTER INSERT ON jobs FOR EACH ROW EXECUTE FUNCTION keep_history();
CREATE TRIGGER keep_update AFTER UPDATE ON jobs FOR EACH ROW
WHEN (OLD.status <> NEW.status OR OLD.attempt <> NEW.attempt OR OLD.result IS DISTINCT FROM NEW.result
      OR (OLD.cancel_requested_at IS NULL) <> (NEW.cancel_requested_at IS NULL))
EXECUTE FUNCTION keep_history();
"""


async def prepare(folder: Path) -> None:
    async with EmbeddedStack(folder, {}, only={"postgres", "redis"}) as stack:
        url = stack.environment()["DATABASE_URL"]
        environment = {**os.environ, "ENVIRONMENT": "test", "DATABASE_URL": url}
        alembic = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "alembic", "upgrade", "head", env=environment
        )
        if await alembic.wait() != 0:
            raise SystemExit("the migrations failed")
        connection = await asyncpg.connect(url)
        await connection.execute(HISTORY)
        await connection.close()
    (folder / "ports.json").unlink()


if __name__ == "__main__":
    asyncio.run(prepare(Path(sys.argv[1])))
