"""Webhooks of what happens to a job before its end."""

import httpx2
from sqlalchemy import text

from api.config import ApiSettings
from api.container import ApiContainer
from tests.fixtures.workers import running_worker
from tests.webhook.receiver import Receiver
from tests.webhook.test_webhooks import deliveries, make, submit

STEPS = ["job.started", "job.progress", "job.retrying", "job.cancelling"]
_MOVES = (
    "status = 'running', attempt = attempt + 1, started_at = now(), lease_owner = gen_random_uuid()",
    """progress = '{"fraction": 0.1, "message": null}'""",
    """progress = '{"fraction": 0.2, "message": "two"}'""",
    "status = 'queued', lease_owner = NULL, failures = failures + 1, run_at = now() + interval '1 hour'",
    "status = 'running', attempt = attempt + 1, lease_owner = gen_random_uuid()",
    "cancel_requested_at = now()",
    """progress = '{"fraction": 0.3, "message": null}'""",
    "updated_at = now()",
)


async def test_every_step_is_written_with_its_change(http: httpx2.AsyncClient, backstage: ApiContainer) -> None:
    """No worker sends anything: progress stands alone until something else happens, and the newest wins."""
    hook = await make(http, "http://127.0.0.1:9/", events=STEPS)
    ends = await make(http, "http://127.0.0.1:9/ends")
    job = await submit(http)
    for move in _MOVES:
        async with backstage.sessions().begin() as db:
            await db.execute(text(f"UPDATE jobs SET {move} WHERE id = :id"), {"id": job["id"]})
            if "two" in move:
                progress = [each for each in await deliveries(http, hook) if each["type"] == "job.progress"]
                assert [each["data"]["progress"]["fraction"] for each in progress] == [0.1]
    told = (await deliveries(http, hook))[::-1]
    assert sorted((each["type"], each["data"]["attempt"]) for each in told) == [
        ("job.cancelling", 2),
        ("job.progress", 2),
        ("job.retrying", 1),
        ("job.started", 1),
        ("job.started", 2),
    ]
    assert {each["data"]["progress"]["fraction"] for each in told if each["type"] == "job.progress"} == {0.3}
    assert await deliveries(http, ends) == []


async def test_steps_arrive_in_order_and_progress_not_too_often(
    http: httpx2.AsyncClient, api_settings: ApiSettings, receiver: Receiver
) -> None:
    """The first progress goes out at once, the next ones give way to the end, which waits for what was before it."""
    hook = await make(http, receiver.url, events=["job.started", "job.progress", "job.cancelled"])
    changes = {"webhook_private_networks": "127.0.0.0/8,::1/128", "webhook_interval": 0.05}
    async with running_worker(api_settings, **changes, webhook_progress_interval=60):
        job = await submit(http, kind="system.sleep", payload={"seconds": 60})
        await receiver.until(2)
        assert (await http.post(f"/jobs/{job['id']}/cancel")).is_success
        calls = await receiver.until(3)
    said = [call.verify(hook["secret"]) for call in calls]
    assert [each["type"] for each in said] == ["job.started", "job.progress", "job.cancelled"]
    assert 0 < said[1]["data"]["progress"]["fraction"] < 1
    assert [each["timestamp"] for each in said] == sorted(each["timestamp"] for each in said)
