"""What a job was submitted with, read back."""

import httpx2

from tests.api.conftest import ECHO

JOBS = "/api/v1/jobs"


async def test_payload_is_read_back_also_after_a_retry_with_another(client: httpx2.AsyncClient) -> None:
    job = (await client.post(JOBS, json=ECHO)).json()
    path = f"{JOBS}/{job['id']}"

    assert (await client.get(f"{path}/payload")).json() == {"kind": "system.echo", "payload": {"message": "hello"}}

    await client.post(f"{path}/cancel")
    await client.post(f"{path}/retry", json={"payload": {"message": "again"}})
    assert (await client.get(f"{path}/payload")).json()["payload"] == {"message": "again"}


async def test_no_payload_without_a_job(client: httpx2.AsyncClient) -> None:
    answer = await client.get(f"{JOBS}/00000000-0000-7000-8000-00000000ffff/payload")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
