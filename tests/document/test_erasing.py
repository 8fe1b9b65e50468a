"""With a user go their threads, with checkpoints and messages, and their collections, with vectors and files."""

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
from sqlalchemy import text

from common.config import CommonSettings
from common.container import CommonContainer
from tests.api.conftest import MakeUser, make_user  # noqa: F401  a fixture
from tests.document.conftest import open_library
from tests.fixtures.provider import Provider
from tests.fixtures.workers import running_worker

OWNED = ("collections", "documents", "document_versions", "thread_messages", "thread_checkpoints", "thread_runs")


async def test_nothing_of_a_deleted_user_stays(
    http: httpx2.AsyncClient,
    connect: Callable[..., Any],
    settings: CommonSettings,
    container: CommonContainer,
    worker_options: dict[str, Any],
    provider: Provider,
    make_user: MakeUser,  # noqa: F811
) -> None:
    account = await make_user("eraser@example.com")
    options = {**worker_options, "worker_queues": "documents,agent", "openai_base_url": provider.url}
    options |= {"document_cleanup_delay": 0, "document_cleanup_interval": 0.2, "embedding_model": "use-multilingual-v3"}
    async with connect() as mine, running_worker(settings, **options, default_model="m"):
        mine.headers.update(await account.sign_in(mine))
        library = await open_library(mine)
        await library.add("note.txt", b"The lighthouse was built in 1873.")
        thread = (await mine.post("/api/v1/threads", json={})).json()
        said = await mine.post(f"/api/v1/threads/{thread['id']}/messages", json={"content": "hello"})
        assert (await library.ended(said.json()["id"]))["status"] == "succeeded"
        assert checkpoints(options["data_dir"]) > 0
        assert len(list(files(options["data_dir"]))) == 1

        answer = await http.delete(f"/api/v1/users/{account.id}")
        assert answer.status_code == 204, answer.text
        async with asyncio.timeout(60):
            while checkpoints(options["data_dir"]) or await rows(container) or list(files(options["data_dir"])):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
    async with container.sessions()() as db:
        [thread_row] = (await db.execute(text("SELECT title, state, deleted_at IS NULL FROM threads"))).all()
    assert tuple(thread_row) == (None, None, False)


def checkpoints(folder: Path) -> int:
    connection = sqlite3.connect(folder / "sqlite-data" / "example" / "sqlite.db", timeout=30)
    try:
        [[count]] = connection.execute("SELECT (SELECT count(*) FROM checkpoints) + (SELECT count(*) FROM writes)")
        return int(count)
    finally:
        connection.close()


def files(folder: Path) -> Any:
    return (path for path in (folder / "files").rglob("*") if path.is_file())


async def rows(container: CommonContainer) -> int:
    counts = " + ".join(f"(SELECT count(*) FROM {table})" for table in OWNED)
    async with container.sessions()() as db:
        return int(await db.scalar(text(f"SELECT {counts}")) or 0)
