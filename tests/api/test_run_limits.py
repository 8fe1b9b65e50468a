"""Limits of an agent's run hold over all its attempts, and begin anew only when its owner has it done again."""

from typing import Any

import httpx2
import pytest

from tests.api.threads import Work, create, ended, say
from tests.fixtures.provider import Provider, Reply

JOBS = "/api/v1/jobs"
# Each call comes to 7 tokens in and 4 out; the second fails, and a second attempt goes on.
LEASE = {"lease_duration": 30, "heartbeat_interval": 2}
FAILURE = Reply(status=503, headers={"Retry-After": "0"})
CASES = (
    ({"max_tokens": 30}, "the run used 33 tokens; limits.max_tokens is 30"),
    ({"max_cost": 1e-5}, "the run cost 1.035e-05 US dollars; limits.max_cost is 1e-05"),
    ({"max_tool_calls": 2}, "the run wanted more than 2 tool calls; limits.max_tool_calls is 2"),
    ({"max_steps": 3}, "the run wanted more than 3 steps; limits.max_steps is 3"),
)


async def run(client: httpx2.AsyncClient, limits: dict[str, Any]) -> Any:
    payload = {"input": "go", "flow": "laps", "limits": limits}
    return await ended(client, (await client.post(JOBS, json={"kind": "agent.run", "payload": payload})).json())


async def test_every_limit_is_reached_over_all_attempts_and_named(
    client: httpx2.AsyncClient, work: Work, provider: Provider
) -> None:
    async with work(llm_cooldown_after=1000, **LEASE):
        for limits, said in CASES:
            provider.reset()
            provider.script(Reply(), FAILURE)
            job = await run(client, limits)
            [(limit, allowed)] = limits.items()
            told = {"code": "permanent", "cause": "limit_reached", "limit": limit, "allowed": allowed, "message": said}
            assert (job["error"], len(provider.seen)) == (told, 4), limit
        provider.reset()
        provider.script(Reply(), FAILURE, Reply(ending="held"))
        late = await run(client, {"max_seconds": 2})
        provider.reset()
        provider.script(Reply(), FAILURE, Reply(), Reply(("stop",)))
        done = (await run(client, {"max_tool_calls": 3, "max_steps": 3}))["result"]
    assert (late["error"]["limit"], late["attempt"] > 1) == ("max_seconds", True)
    assert late["error"]["message"] == "the run took more than 2 s; limits.max_seconds is 2"
    assert (done["steps"], done["tool_calls"], done["usage"]["total_tokens"]) == (3, 3, 30)
    assert done["cost"] == pytest.approx(8.55e-6)


async def test_a_run_that_is_done_again_has_its_limits_anew(
    client: httpx2.AsyncClient, work: Work, provider: Provider
) -> None:
    async with work(**LEASE):
        thread_id = await create(client, flow="laps")
        job = await say(client, thread_id, "go", limits={"max_steps": 2})
        calls = len(provider.seen)
        provider.script(Reply(), Reply(("stop",)))
        again = await ended(client, (await client.post(f"{JOBS}/{job['id']}/retry")).json())
    assert (job["status"], calls) == ("failed", 2)
    assert (again["status"], again["result"]["steps"], again["result"]["answer"]) == ("succeeded", 2, "stop")
    assert [each.body["messages"][0]["content"] for each in provider.seen] == [
        f"lap {number}" for number in (1, 2, 3, 4)
    ]
