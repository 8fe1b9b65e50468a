"""Threads over HTTP, with a real worker, a real provider and checkpoints in a real file."""

import asyncio
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest

from tests.api.conftest import PRODUCTION, Connect, MakeUser
from tests.api.threads import THREADS, TWENTY, Work, asked, create, ended, say, spoken
from tests.fixtures.provider import Provider, Reply
from tests.fixtures.workers import Watcher


async def test_a_thread_remembers_after_everything_was_restarted(
    connect: Connect, work: Work, provider: Provider
) -> None:
    provider.script(Reply(("Hello ", "Ada")), Reply(("You are ", "Ada")))
    async with connect() as client, work():
        thread_id = await create(client, title="names")
        first = await say(client, thread_id, "I am Ada")
    async with connect() as client, work():
        second = await say(client, thread_id, "Who am I?")
        said = await spoken(client, thread_id)
        state = (await client.get(f"{THREADS}/{thread_id}/state")).json()

    assert (first["status"], first["result"]["answer"]) == ("succeeded", "Hello Ada")
    assert second["result"]["answer"] == "You are Ada"
    assert asked(provider) == ["I am Ada", "Hello Ada", "Who am I?"]
    assert said == ["I am Ada", "Hello Ada", "Who am I?", "You are Ada"]
    assert state["checkpoint"]["values"]["answer"] == "You are Ada"
    assert set(state["checkpoint"]["values"]["prompts"].items()) >= {("direct", 1), ("answer", 2)}
    assert [each["content"] for each in state["messages"]] == said


@pytest.mark.parametrize("strategy", ["reject", "enqueue", "interrupt", "rollback"])
async def test_twenty_messages_at_once_are_one_conversation(
    client: httpx2.AsyncClient, work: Work, provider: Provider, strategy: str
) -> None:
    thread_id = await create(client)
    url = f"{THREADS}/{thread_id}/messages"
    bodies = [{"content": f"message {number}", "strategy": strategy} for number in range(TWENTY)]
    answers = await asyncio.gather(*(client.post(url, json=body) for body in bodies))
    codes = Counter(answer.status_code for answer in answers)
    jobs = [answer.json() for answer in answers if answer.status_code == 202]
    async with work():
        ends = Counter([(await ended(client, job))["status"] for job in jobs])
        said = await spoken(client, thread_id)

    if strategy == "reject":
        assert codes == {202: 1, 409: TWENTY - 1}
        assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"thread_busy"}
    else:
        assert codes == {202: TWENTY}
    assert ends == ({"succeeded": TWENTY} if strategy == "enqueue" else _one_of(len(jobs)))
    assert len(provider.seen) == ends["succeeded"]
    assert len(said) == 2 * ends["succeeded"]
    assert said[1::2] == ["Hello, world!"] * ends["succeeded"]
    assert len(set(said[::2])) == ends["succeeded"]


def _one_of(count: int) -> dict[str, int]:
    return {"succeeded": 1, "cancelled": count - 1} if count > 1 else {"succeeded": 1}


@pytest.mark.parametrize(
    ("strategy", "kept", "store"),
    [("interrupt", ["first"], "sqlite"), ("rollback", [], "sqlite"), ("rollback", [], "postgres")],
)
async def test_a_second_message_stops_the_first(
    client: httpx2.AsyncClient, work: Work, provider: Provider, strategy: str, kept: list[str], store: str
) -> None:
    provider.script(Reply(("Before",)), Reply(("Never ", "heard"), ending="held"), Reply(("Now",)), Reply(("Again",)))
    async with work(agent_checkpoints=store):
        thread_id = await create(client)
        await say(client, thread_id, "hello")
        provider.asked.clear()
        first = await say(client, thread_id, "first", wait=False)
        await asyncio.wait_for(provider.asked.wait(), 60)
        second = await say(client, thread_id, "second", strategy=strategy)
        first = await ended(client, first)
        said, heard = await spoken(client, thread_id), asked(provider)
        again = await ended(client, (await client.post(f"/api/v1/jobs/{first['id']}/retry")).json())
        after = await spoken(client, thread_id)

    assert (first["status"], second["status"]) == ("cancelled", "succeeded")
    assert heard == ["hello", "Before", *kept, "second"]
    assert said == ["hello", "Before", *kept, "second", "Now"]
    # Whoever has it done again says it again, after what was said meanwhile.
    assert (again["status"], asked(provider)) == ("succeeded", [*said, "first"])
    assert after == [*said, "first", "Again"]


@pytest.mark.parametrize("store", ["sqlite", "postgres"])
async def test_a_fork_goes_on_from_its_checkpoint_and_both_live_apart(
    client: httpx2.AsyncClient, work: Work, provider: Provider, store: str
) -> None:
    provider.script(Reply(("one",)), Reply(("two",)), Reply(("three",)), Reply(("four",)))
    async with work(agent_checkpoints=store):
        thread_id = await create(client, title="origin")
        await say(client, thread_id, "a")
        at = (await client.get(f"{THREADS}/{thread_id}/state")).json()["checkpoint"]["checkpoint_id"]
        await say(client, thread_id, "b")
        made = await client.post(f"{THREADS}/{thread_id}/fork", json={"checkpoint_id": at})
        fork = made.json()["thread"]
        await say(client, fork["id"], "c")
        heard = asked(provider)
        assert (await client.delete(f"{THREADS}/{thread_id}")).status_code == 204
        await say(client, fork["id"], "d")
        said = await spoken(client, fork["id"])

    assert made.status_code == 202
    assert (fork["forked_from"], fork["title"]) == (thread_id, "origin")
    assert heard == ["a", "one", "c"]
    assert said == ["a", "one", "c", "three", "d", "four"]
    other = await create(client)
    for thread, place in ((fork["id"], fork["id"]), (other, at)):
        assert (await client.post(f"{THREADS}/{thread}/fork", json={"checkpoint_id": place})).status_code == 404


async def test_history_comes_in_pages_and_each_step_has_a_state(client: httpx2.AsyncClient, work: Work) -> None:
    async with work():
        thread_id = await create(client)
        await say(client, thread_id, "hello")
    steps: list[Any] = []
    params: dict[str, Any] = {"limit": 2}
    while True:
        page = (await client.get(f"{THREADS}/{thread_id}/history", params=params)).json()
        steps += page["items"]
        if page["next_cursor"] is None:
            break
        params["cursor"] = page["next_cursor"]
    counts = [step["message_count"] for step in reversed(steps)]
    at = {"checkpoint_id": steps[-2]["checkpoint_id"]}
    state = (await client.get(f"{THREADS}/{thread_id}/state", params=at)).json()

    assert [step["next"] for step in reversed(steps)] == [["__start__"], ["route"], ["direct"], []]
    assert counts == [0, 1, 1, 2]
    assert [step["parent_id"] for step in steps[:-1]] == [step["checkpoint_id"] for step in steps[1:]]
    assert [each["content"] for each in state["messages"]] == ["hello"]


async def test_a_deleted_thread_leaves_nothing(
    client: httpx2.AsyncClient, work: Work, provider: Provider, watcher: Watcher, tmp_path: Path
) -> None:
    provider.script(Reply(("Hi",)), Reply(ending="held"))
    async with work():
        thread_id = await create(client)
        await say(client, thread_id, "hello")
        provider.asked.clear()
        running = await say(client, thread_id, "more", wait=False)
        await asyncio.wait_for(provider.asked.wait(), 60)
        for _ in range(2):
            assert (await client.delete(f"{THREADS}/{thread_id}")).status_code == 204
        assert (await ended(client, running))["status"] == "cancelled"
        jobs = (await client.get("/api/v1/jobs", params={"kind": "thread.delete"})).json()["items"]
        await watcher.until(UUID(jobs[0]["id"]), "job.succeeded")

    for path in ("", "/messages", "/history", "/state"):
        assert (await client.get(f"{THREADS}/{thread_id}{path}")).status_code == 404
    assert (await client.post(f"{THREADS}/{thread_id}/messages", json={"content": "x"})).status_code == 404
    assert (await client.get(THREADS)).json()["items"] == []
    with closing(sqlite3.connect(tmp_path / "data" / "sqlite-data" / "example" / "sqlite.db")) as db:
        rows = [db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("checkpoints", "writes")]
        assert rows == [0, 0]


async def test_threads_of_others_do_not_exist(connect: Connect, make_user: MakeUser) -> None:
    ada, bob = await make_user(), await make_user("bob@example.com")
    async with connect(**PRODUCTION) as client:
        mine, theirs = await ada.sign_in(client), await bob.sign_in(client)
        made = await client.post(THREADS, json={}, headers=mine)
        job = {"kind": "agent.run", "payload": {"input": "hello", "thread_id": made.json()["id"]}}
        assert (await client.get(THREADS, headers=theirs)).json()["items"] == []
        posted = await client.post("/api/v1/jobs", json=job, headers=theirs)
        assert posted.status_code == 422


async def test_many_threads_share_one_file(client: httpx2.AsyncClient, work: Work) -> None:
    async with work(worker_concurrency=TWENTY):
        threads = [await create(client) for _ in range(TWENTY)]
        jobs = await asyncio.gather(*(say(client, thread_id, f"I am {thread_id}") for thread_id in threads))
        said = [await spoken(client, thread_id) for thread_id in threads]

    assert {job["status"] for job in jobs} == {"succeeded"}
    assert said == [[f"I am {thread_id}", "Hello, world!"] for thread_id in threads]
