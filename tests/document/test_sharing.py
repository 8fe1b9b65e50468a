"""A team's collection as its members use it: searches, answers, threads, schedules, and the end of all that."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import text

from common.config import CommonSettings
from common.container import CommonContainer
from common.ids import new_id
from tests.api.realtime.listener import eventually
from tests.document.conftest import Library
from tests.fixtures.provider import Provider
from tests.fixtures.workers import running_worker
from tests.security.members import MakeMember, make_member  # noqa: F401  a fixture

API = "/api/v1"
NOTE = b"The lighthouse of the harbour was built in 1873."
QUESTION = "When was the lighthouse built?"
# One slot earlier: the one that was the first is due.
DUE = text(
    "UPDATE schedules SET anchor = anchor - every, next_slot = anchor, due_at = anchor WHERE tenant_id = :tenant"
)


async def test_a_member_uses_what_the_tenant_shares_until_it_is_private_again(
    connect: Callable[..., Any],
    settings: CommonSettings,
    container: CommonContainer,
    worker_options: dict[str, Any],
    provider: Provider,
    make_member: MakeMember,  # noqa: F811
) -> None:
    tenant_id = new_id()
    owner, member = [await make_member(tenant_id=tenant_id) for _ in range(2)]
    options = {**worker_options, "worker_queues": "documents,llm,default,agent", "openai_base_url": provider.url}
    options |= {"default_model": "m", "embedding_model": "use-multilingual-v3", "agent_judge": "score"}
    async with connect() as owners, connect() as members, running_worker(settings, **options):
        owners.headers.update(owner.headers)
        members.headers.update(member.headers)
        made = await owners.post(f"{API}/collections", json={"name": "team", "visibility": "tenant"})
        ours = Library(owners, made.json()["id"])
        await ours.add("note.txt", NOTE)
        theirs = Library(members, ours.collection_id)

        async def make(path: str, **body: Any) -> dict[str, Any]:
            answer = await members.post(f"{API}/{path}", json=body)
            assert answer.is_success, answer.text
            found: dict[str, Any] = answer.json()
            return found

        async def say(thread: dict[str, Any]) -> dict[str, Any]:
            return await theirs.ended((await make(f"threads/{thread['id']}/messages", content=QUESTION))["id"])

        assert await theirs.names(QUESTION) == ["note.txt"]
        searching = {"kind": "collection.search", "payload": {"collection_id": ours.collection_id, "query": QUESTION}}
        found = await theirs.submit("collection.search", query=QUESTION)
        assert [each["text"] for each in found["result"]["passages"]] == [NOTE.decode()]
        answered = await theirs.submit("rag.answer", question=QUESTION)
        assert answered["result"]["sources"][0]["document_name"] == "note.txt"
        ran = await theirs.submit("agent.run", input=QUESTION)
        thread = await make("threads", collection_id=ours.collection_id)
        for turn in (ran, await say(thread)):
            assert [each["document_name"] for each in turn["result"]["citations"]] == ["note.txt"]
        schedule = await make("schedules", name="hourly", interval=3600, **searching)
        path = f"schedules/{schedule['id']}"
        fired = await theirs.ended((await make(f"{path}/run-now"))["job_id"])
        assert fired["status"] == "succeeded", fired

        before = await make("jobs", kind="system.echo", payload={"message": "first"}, delay=3600)
        queued = await make("jobs", **searching, after=[before["id"]], on_failure="run")
        changed = await owners.patch(ours.path, json={"visibility": "private"})
        assert changed.json()["visibility"] == "private"

        assert (await members.post(f"{theirs.path}/search", json={"query": QUESTION})).status_code == 404
        refused = await members.post(f"{API}/jobs", json=searching)
        assert refused.status_code == 422
        await make(f"jobs/{before['id']}/cancel")
        async with container.sessions().begin() as db:
            await db.execute(DUE, {"tenant": tenant_id})
        firings: list[dict[str, Any]] = []

        async def has_fired() -> bool:
            firings[:] = (await members.get(f"{API}/{path}/firings")).json()["items"]
            return len(firings) == 2

        await eventually(has_fired)
        by_plan = next(each for each in firings if each["cause"] != "manual")
        for late in (await theirs.ended(queued["id"]), await theirs.ended(by_plan["job_id"]), await say(thread)):
            assert (late["status"], late["error"]["code"]) == ("failed", "permanent"), late
            assert late["error"]["message"] == f"collection {ours.collection_id} does not exist"
        assert (await members.get(f"{API}/{path}")).json()["status"] == "active"
        assert await ours.names(QUESTION) == ["note.txt"]
