"""`letuin doctor` asks the processes that run: the api, its losses, and a worker's probe."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import asyncpg
import httpx2

from common.database.revision import known_revisions
from tests.api.realtime.conftest import Serve, api_settings, serve  # noqa: F401  fixtures
from tests.fixtures.letuin import letuin
from tests.fixtures.stores import Stores
from tests.metrics.conftest import WatchedWorker


async def ask_doctor(folder: Path, url: str, env: dict[str, str]) -> dict[str, dict[str, Any]]:
    answer = await asyncio.to_thread(letuin, "doctor", "--json", "--url", url, folder=folder, env=env)
    assert "Traceback" not in answer.stderr
    return {item["check"]: item for item in json.loads(answer.stdout)}


async def test_it_asks_the_processes_that_run(
    serve: Serve,  # noqa: F811
    worker: WatchedWorker,
    stores: Stores,
    tmp_path: Path,
) -> None:
    """MongoDB is away and only one request may wait for it, so further ones are lost."""
    away = {"mongodb_url": "mongodb://127.0.0.1:1/logs?serverSelectionTimeoutMS=100", "request_log_max_queued": 1}
    server = await serve(environment="test", **away)
    async with httpx2.AsyncClient(base_url=server.url, trust_env=False) as http:
        for _ in range(4):
            await http.get("/nowhere")
    await worker.until("/ready", 200)
    database = await asyncpg.connect(stores.database_url)
    try:
        await database.execute("UPDATE alembic_version SET version_num = $1", known_revisions()[-2])
        env = {**stores.environment, "WORKER_HTTP_PORT": worker.url.rpartition(":")[2]}
        found = await ask_doctor(tmp_path, server.url, env)
    finally:
        await database.execute("UPDATE alembic_version SET version_num = $1", known_revisions()[-1])
        await database.close()

    assert found["api logs"]["verdict"] == "warn"
    assert re.fullmatch(r"[34] requests of the request log were lost", found["api logs"]["detail"])  # 503 counts, too
    assert found["api ready"]["verdict"] == "fail"
    assert found["api ready"]["detail"] == "the database's tables are older for the release that runs"
    assert found["DATABASE_URL"]["verdict"] == "fail"
    assert found["WORKER_HTTP_PORT"]["verdict"] in ("ok", "fail")  # a busy machine makes its loop late
    assert "for default,email" in found["WORKER_HTTP_PORT"]["detail"].replace(", ", ",")
