"""The answers that are written straight from a row say what the documented models say, field for field."""

from typing import Any
from uuid import UUID

import httpx2
import pytest
from pydantic import BaseModel

from api.v1.job.schema import JobRead, SubmittedJob
from common.container import CommonContainer
from common.database.model import Job
from common.queue.status import JobStatus
from common.queue.waiting import Lanes
from common.repository.job import JobRepository, Owner
from common.repository.user import DEFAULT_TENANT_ID, LOCAL_USER
from tests.api.conftest import ECHO

LOCAL = Owner(DEFAULT_TENANT_ID, LOCAL_USER.id)
OPTIONS = {
    "priority": -5,
    "delay": 90.5,
    "expires_in": 3600,
    "timeout": 0.25,
    "tags": ["red", "blau"],
    "metadata": {"order": {"id": 7, "name": "주문", "none": None, "share": 0.1}},
    "custom_id": "mine",
}
NOBODY_WORKS = Lanes(paused=frozenset(), served=frozenset())
UNIQUE = {"unique": {"mode": "while_active", "key": "one"}}


async def read_row(container: CommonContainer, job_id: str) -> Job:
    async with container.sessions()() as db:
        return await JobRepository().get(db, UUID(job_id), LOCAL)


def same(shown: BaseModel) -> str:
    return shown.model_dump_json(exclude_unset=True)


@pytest.mark.parametrize("options", [{}, OPTIONS, UNIQUE], ids=["plain", "options", "unique"])
async def test_answer_to_a_submit_is_what_the_model_makes_of_the_row(
    client: httpx2.AsyncClient, container: CommonContainer, options: dict[str, Any]
) -> None:
    answer = await client.post("/api/v1/jobs", json={**ECHO, **options})
    again = await client.post("/api/v1/jobs", json={**ECHO, **options})
    row = await read_row(container, answer.json()["id"])

    assert answer.text == same(SubmittedJob.of(row, NOBODY_WORKS))
    assert answer.headers["Content-Type"] == "application/json"
    if options is UNIQUE:
        assert again.text == same(SubmittedJob.of(row, NOBODY_WORKS).model_copy(update={"deduplicated": True}))
    else:
        assert again.text == same(SubmittedJob.of(await read_row(container, again.json()["id"]), NOBODY_WORKS))


@pytest.mark.parametrize("status", [JobStatus.QUEUED, JobStatus.SUCCEEDED, JobStatus.FAILED])
async def test_job_is_shown_as_the_model_shows_it(
    client: httpx2.AsyncClient, container: CommonContainer, status: JobStatus
) -> None:
    job_id = (await client.post("/api/v1/jobs", json={**ECHO, **OPTIONS})).json()["id"]
    if status is not JobStatus.QUEUED:
        await finish(container, job_id, status)
    answer = await client.get(f"/api/v1/jobs/{job_id}")
    assert answer.text == same(JobRead.of(await read_row(container, job_id), NOBODY_WORKS))
    assert answer.json()["status"] == status
    assert set(answer.json()) == set(JobRead.model_fields)


async def finish(container: CommonContainer, job_id: str, status: JobStatus) -> None:
    """End a job as a worker would, with a result or an error that has every kind of value."""
    facts = '{"text": "주문", "nested": [1, 2.5, null, {"a": true}]}'
    column = "result" if status is JobStatus.SUCCEEDED else "error"
    async with container.engine().begin() as db:
        await db.exec_driver_sql("SET LOCAL session_replication_role = replica")  # no worker, so no trigger
        await db.exec_driver_sql(
            f"UPDATE jobs SET status = '{status}', attempt = 1, started_at = now(), finished_at = now(), "
            f"{column} = '{facts}' WHERE id = '{job_id}'"
        )
