"""Runs of agents in threads: people who are asked, short windows, crashes."""

import asyncio
import os
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest

from tests.api.threads import THREADS, Work, asked, create, ended, resume, say, spoken, worker_values
from tests.fixtures.provider import Provider, Reply
from tests.fixtures.stores import Stores
from tests.fixtures.workers import Watcher

type Start = Callable[..., Awaitable[asyncio.subprocess.Process]]


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


@pytest.fixture
async def start(stores: Stores, provider: Provider, tmp_path: Path) -> AsyncIterator[Start]:
    """`await start()` a worker process; with `holds`, the flow rests as long as the file `hold` is there."""
    values = {**worker_values(provider, tmp_path), "lease_duration": "3", "heartbeat_interval": "0.5"}
    env = {**os.environ, **stores.environment, **{name.upper(): value for name, value in values.items()}}
    started: list[asyncio.subprocess.Process] = []

    async def launch(*, holds: bool = False) -> asyncio.subprocess.Process:
        own = {**env, "FLOW_HOLD": str(tmp_path / "hold")} if holds else env
        command = [sys.executable, "-m", "tests.api.agent_worker"]
        started.append(await asyncio.create_subprocess_exec(*command, env=own))
        return started[-1]

    yield launch
    for process in started:
        if process.returncode is None:
            process.terminate()
            await process.wait()


async def test_killed_runs_go_on_from_their_checkpoints_without_paying_again(
    client: httpx2.AsyncClient, start: Start, provider: Provider, watcher: Watcher, tmp_path: Path
) -> None:
    (tmp_path / "hold").touch()
    drafting, speaking = await create(client, flow="approval"), await create(client)
    provider.script(Reply(("Dear all",)), Reply(("Half ", "of"), ending="held"), Reply(("All",)))
    worker = await start(holds=True)
    draft = await say(client, drafting, "invite everybody", wait=False)
    await watcher.until(UUID(draft["id"]), "agent.update")
    speech = await say(client, speaking, "hello", wait=False)
    await watcher.until(UUID(speech["id"]), "llm.delta")
    worker.kill()
    await worker.wait()
    await start()
    draft, speech = await ended(client, draft), await ended(client, speech)
    await watcher.until(UUID(speech["id"]), "job.succeeded")

    assert (draft["status"], draft["attempt"]) == ("succeeded", 2)
    assert draft["result"]["interrupt"]["question"] == "Send 'Dear all'?"
    assert (speech["attempt"], speech["result"]["answer"]) == (2, "All")
    # One draft; of the speech one that broke off, and one that was heard to its end.
    assert len(provider.seen) == 3
    told = [event for event in watcher.seen if str(event.job_id) == speech["id"]]
    again = next(place for place, event in enumerate(told) if event.type == "llm.reset")
    deltas = [[each.data["text"] for each in part if each.type == "llm.delta"] for part in (told[:again], told[again:])]
    assert (deltas[0][0].startswith("Half"), "".join(deltas[1])) == (True, "All")
    assert await spoken(client, speaking) == ["hello", "All"]


async def test_a_worker_that_sleeps_past_its_lease_writes_no_checkpoint(
    client: httpx2.AsyncClient, start: Start, watcher: Watcher, tmp_path: Path
) -> None:
    hold = tmp_path / "hold"
    hold.touch()
    thread_id = await create(client, flow="approval")
    sleeper = await start(holds=True)
    job = await say(client, thread_id, "invite everybody", wait=False)
    # Not while it writes: whoever sleeps then keeps the file to itself.
    while (await history(client, thread_id))[:1] != [["rest"]]:  # noqa: ASYNC110  nothing tells of it later
        await asyncio.sleep(0.05)
    sleeper.send_signal(signal.SIGSTOP)
    try:
        await start()
        job = await ended(client, job)
        before = [await remembered(client, thread_id), stored(tmp_path)]
    finally:
        sleeper.send_signal(signal.SIGCONT)
    hold.unlink()
    # It ends its work, or what is left of it, before it goes.
    sleeper.terminate()
    await sleeper.wait()

    assert (job["status"], job["attempt"], job["error"]) == ("succeeded", 2, None)
    assert [await remembered(client, thread_id), stored(tmp_path)] == before
    done = await resume(client, thread_id, approved=True)
    assert done["status"] == "succeeded"


async def test_a_run_waits_while_another_process_keeps_the_checkpoints(
    client: httpx2.AsyncClient, work: Work, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.agent.checkpoint.sqlite._BUSY_SECONDS", 0.1)
    async with work():
        thread_id = await create(client)
        await say(client, thread_id, "hello")
        with closing(sqlite3.connect(tmp_path / "data" / "sqlite-data" / "example" / "sqlite.db")) as db:
            db.execute("BEGIN IMMEDIATE")
            job = await say(client, thread_id, "are you there?", wait=False)
            async with asyncio.timeout(60):
                while not await outcomes(client, job):  # noqa: ASYNC110  no event tells of it
                    await asyncio.sleep(0.05)
            db.rollback()
        done = await ended(client, job)

        ends = set(await outcomes(client, job))

    assert (done["status"], done["failures"], ends) == ("succeeded", 0, {"snoozed", "succeeded"})


async def outcomes(client: httpx2.AsyncClient, job: Any) -> list[str]:
    """How its attempts ended."""
    return [each["outcome"] for each in (await client.get(f"/api/v1/jobs/{job['id']}/attempts")).json()["items"]]


async def history(client: httpx2.AsyncClient, thread_id: str) -> list[list[str]]:
    """What came next at each checkpoint, the newest first."""
    return [each["next"] for each in (await client.get(f"{THREADS}/{thread_id}/history")).json()["items"]]


async def remembered(client: httpx2.AsyncClient, thread_id: str) -> Any:
    """What the api knows of a thread."""
    return [(await client.get(f"{THREADS}/{thread_id}/{part}")).json() for part in ("state", "history", "messages")]


def stored(folder: Path) -> list[Any]:
    """What the file of checkpoints holds."""
    with closing(sqlite3.connect(folder / "data" / "sqlite-data" / "approval" / "sqlite.db", timeout=30)) as db:
        return [
            db.execute(f"SELECT thread_id, checkpoint_id FROM {table} ORDER BY 1, 2").fetchall()
            for table in ("checkpoints", "writes")
        ]


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
