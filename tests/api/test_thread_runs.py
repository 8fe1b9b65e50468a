"""Runs of agents in threads: people who are asked, short windows, crashes."""

import asyncio
import os
import sys
from pathlib import Path
from uuid import UUID

import httpx2

from tests.api.threads import THREADS, Work, asked, create, ended, resume, say, worker_values
from tests.fixtures.provider import Provider, Reply
from tests.fixtures.stores import Stores
from tests.fixtures.workers import Watcher


async def test_an_interrupt_is_answered_by_a_person(
    client: httpx2.AsyncClient, work: Work, provider: Provider, watcher: Watcher
) -> None:
    provider.script(Reply(("Dear all",)), Reply(("Sent",)))
    async with work():
        thread_id = await create(client, flow="approval")
        url = f"{THREADS}/{thread_id}/resume"
        assert (await client.post(url, json={"approved": True})).json()["code"] == "conflict"
        paused = await say(client, thread_id, "invite everybody")
        shown = (await client.get(f"{THREADS}/{thread_id}")).json()
        refused = await client.post(url, json={"answer": "of course"})
        done = await resume(client, thread_id, approved=True, note="fine")
        after = (await client.get(f"{THREADS}/{thread_id}")).json()

    assert (paused["status"], paused["result"]["interrupt"]["expects"]) == ("succeeded", "approval")
    assert shown["status"] == "interrupted"
    assert shown["interrupt"]["question"] == "Send 'Dear all'?"
    assert refused.status_code == 422
    assert "'approved'" in refused.json()["detail"]
    assert done["result"]["answer"] == "Sent"
    assert asked(provider) == ["finish: yes"]
    assert (after["status"], after["interrupt"]) == ("idle", None)
    interrupt = await watcher.until(UUID(paused["id"]), "agent.interrupt")
    assert interrupt.data["node"] == "approve"


async def test_a_value_is_taken_once_and_every_mode_tells(
    client: httpx2.AsyncClient, work: Work, watcher: Watcher
) -> None:
    async with work():
        thread_id = await create(client, flow="form")
        silent = await say(client, thread_id, "a trip", stream_modes=[])
        told = await say(client, thread_id, "another trip", stream_modes=["values", "updates", "messages", "custom"])
        url = f"{THREADS}/{thread_id}/resume"
        wrong = [await client.post(url, json=reply) for reply in ({"approved": True}, {"answer": "Seoul"}, {})]
        replies = ({"value": {"city": "Seoul"}}, {"value": "Busan"})
        both = await asyncio.gather(*(client.post(url, json=reply) for reply in replies))
        [taken] = [answer for answer in both if answer.status_code == 202]
        done = await ended(client, taken.json())
        await watcher.until(UUID(done["id"]), "job.succeeded")

    jobs, interrupt = (silent, told, done), told["result"]["interrupt"]
    assert (interrupt["expects"], interrupt["question"]) == ("value", "Where to?")
    assert interrupt["details"] == {"cities": ["Seoul"]}
    assert [answer.status_code for answer in wrong] == [422] * 3
    assert sorted(answer.status_code for answer in both) == [202, 409]
    assert done["result"]["answer"] in ('{"city": "Seoul"}', '"Busan"')
    types = {job["id"]: {event.type for event in watcher.seen if str(event.job_id) == job["id"]} for job in jobs}
    assert {name for name in types[silent["id"]] if name.startswith(("agent.", "llm."))} == {"agent.interrupt"}
    assert types[told["id"]] >= {"agent.values", "agent.custom", "agent.interrupt"}
    assert "llm.delta" in types[done["id"]]


async def test_a_run_stops_before_a_node_and_goes_on(client: httpx2.AsyncClient, work: Work) -> None:
    async with work():
        thread_id = await create(client)
        paused = await say(client, thread_id, "hello", pause_before=["direct"])
        done = await resume(client, thread_id)

    assert (paused["result"]["interrupt"]["node"], paused["result"]["answer"]) == ("direct", None)
    assert done["result"]["answer"] == "Hello, world!"


async def test_a_flow_that_is_not_there_fails_with_the_names_of_those_that_are(
    client: httpx2.AsyncClient, work: Work
) -> None:
    async with work():
        job = await say(client, await create(client, flow="nowhere"), "hello")
    assert job["error"]["message"].startswith("there is no flow 'nowhere'; the flows are")
    assert "approval" in job["error"]["message"]


async def test_a_killed_run_goes_on_from_its_checkpoint_without_paying_again(
    client: httpx2.AsyncClient, stores: Stores, provider: Provider, watcher: Watcher, tmp_path: Path
) -> None:
    provider.script(Reply(("Dear all",)))
    hold = tmp_path / "hold"
    hold.touch()
    values = {**worker_values(provider, tmp_path), "lease_duration": "3", "heartbeat_interval": "0.5"}
    env = {**os.environ, **stores.environment, **{name.upper(): value for name, value in values.items()}}
    command = [sys.executable, "-m", "tests.api.agent_worker"]

    async def start() -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(*command, env={**env, "FLOW_HOLD": str(hold)})

    thread_id = await create(client, flow="approval")
    job = await say(client, thread_id, "invite everybody", wait=False)
    worker = await start()
    try:
        await asyncio.wait_for(provider.asked.wait(), 60)
        await watcher.until(UUID(job["id"]), "agent.update")
        worker.kill()
        await worker.wait()
        hold.unlink()
        worker = await start()
        await watcher.until(UUID(job["id"]), "agent.interrupt")
        job = await ended(client, job)
    finally:
        worker.terminate()
        await worker.wait()

    assert (job["status"], job["attempt"]) == ("succeeded", 2)
    assert job["result"]["interrupt"]["question"] == "Send 'Dear all'?"
    assert len(provider.seen) == 1


async def test_a_conversation_is_shortened_to_what_the_model_can_read(
    client: httpx2.AsyncClient, work: Work, provider: Provider
) -> None:
    # The flow answers with 1,024 tokens: 2,856 characters are what is left to read at most.
    async with work(llm_models=[{"name": "gpt-4o-mini", "context_window": 1500}]):
        thread_id = await create(client)
        for number in range(4):
            await say(client, thread_id, f"{number}" * 800)
        too_long = await say(client, thread_id, "x" * 4000)
    first = [asked(provider, call)[0][:5] for call in range(4)]
    assert first == ["00000", "00000", "00000", "Hello"]
    assert (too_long["error"]["cause"], len(provider.seen)) == ("prompt_too_long", 4)
