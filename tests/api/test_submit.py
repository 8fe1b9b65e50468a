"""POST /api/v1/jobs: what is accepted, and what is refused with which words."""

import httpx2


async def test_submit_answers_202_with_the_job(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/api/v1/jobs", json={"kind": "system.echo", "payload": {"message": "hello"}})

    assert answer.status_code == 202, answer.text
    job = answer.json()
    assert answer.headers["Location"] == f"/api/v1/jobs/{job['id']}"
    assert answer.headers["Retry-After"] == "1"
    assert (job["kind"], job["queue"], job["status"], job["attempt"]) == ("system.echo", "default", "queued", 0)
    assert job["waiting"] == {"reason": "worker", "until": None}
    assert (await client.get(answer.headers["Location"])).json() == job
