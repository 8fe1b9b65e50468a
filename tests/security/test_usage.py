"""Usage and budgets over HTTP: who sees and sets what, sums, windows, and waiting jobs that go on."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx2
from sqlalchemy import text

from common.config import CommonSettings
from common.container import CommonContainer
from common.ids import new_id
from tests.api.conftest import PRODUCTION, Connect
from tests.fixtures.provider import Provider
from tests.fixtures.workers import Watcher, running_worker
from tests.security.members import MakeMember, Member

_INSERT = """
    INSERT INTO usage_records (id, tenant_id, owner_id, job_id, attempt, kind, model, input_tokens, output_tokens,
                               cached_tokens, cost, is_cached, is_estimated, started_at)
    VALUES (:id, :tenant, :owner, :id, 1, :kind, :model, 10, 2, 0, 0.5, :cached, false, :at)
"""


async def note(container: CommonContainer, member: Member, at: datetime, **values: Any) -> None:
    row = {"id": new_id(), "tenant": member.tenant_id, "owner": member.id, "kind": "llm.chat", "model": "gpt-4o"}
    async with container.engine().begin() as db:
        await db.execute(text(_INSERT), {**row, "cached": False, "at": at, **values})


async def test_usage_is_summed_up_for_those_who_may_see_it(
    connect: Connect, make_member: MakeMember, container: CommonContainer
) -> None:
    now = datetime.now(UTC)
    one, two, operator = await make_member(), await make_member(), await make_member("operator")
    other = await make_member("admin", tenant_id=new_id())
    await note(container, one, now)
    await note(container, one, now, model="gpt-5", kind="agent.run")
    await note(container, one, now - timedelta(days=2), cached=True)
    await note(container, one, now - timedelta(days=40))
    await note(container, two, now)
    async with connect(**PRODUCTION) as http:

        async def ask(member: Member, query: str = "") -> Any:
            answer = await http.get(f"/api/v1/usage{query}", headers=member.headers)
            assert answer.status_code == 200, answer.text
            return answer.json()

        mine = await ask(one)
        assert [(item["day"], item["calls"]) for item in mine["items"]] == [
            (str(now.date()), 2),
            (str((now - timedelta(days=2)).date()), 1),
        ]
        assert mine["total"] == {
            "calls": 3,
            "cached_calls": 1,
            "input_tokens": 30,
            "output_tokens": 6,
            "cached_tokens": 0,
            "cost": "1.5000000000",
        }
        whole = await ask(operator, "?group_by=model&group_by=kind")
        found = [(item["model"], item["kind"], item["calls"], item["day"]) for item in whole["items"]]
        assert found == [("gpt-4o", "llm.chat", 3, None), ("gpt-5", "agent.run", 1, None)]
        assert (await ask(operator, f"?owner_id={two.id}"))["total"]["calls"] == 1
        assert (await ask(other))["total"]["calls"] == 0
        for query, said in (
            ("?since=2026-02-02&until=2026-02-01", "before since"),
            ("?since=2020-01-01&until=2026-02-01", "366 days"),
        ):
            refused = await http.get(f"/api/v1/usage{query}", headers=one.headers)
            assert (refused.status_code, said in refused.text) == (422, True)
        assert (await http.get(f"/api/v1/usage?owner_id={two.id}", headers=one.headers)).status_code == 403


async def test_budgets_are_set_by_those_who_may(
    connect: Connect, make_member: MakeMember, container: CommonContainer
) -> None:
    operator = await make_member("operator")
    other = await make_member("admin", tenant_id=new_id())
    await note(container, other, datetime.now(UTC), model="gpt-5")
    async with connect(**PRODUCTION) as http:

        async def send(member: Member, method: str, path: str, body: Any = None) -> httpx2.Response:
            return await http.request(method, f"/api/v1/budgets{path}", json=body, headers=member.headers)

        made = await send(other, "POST", "", {"period": "month", "model": "gpt-5", "max_cost": "2.5"})
        assert made.status_code == 201, made.text
        budget = made.json()
        assert (budget["spent_cost"], budget["spent_tokens"]) == ("0.5000000000", 12)
        assert datetime.fromisoformat(budget["window_end"]).day == 1
        again = await send(other, "POST", "", {"period": "month", "model": "gpt-5", "max_tokens": 1})
        assert again.status_code == 409
        imposed = (
            await send(operator, "POST", "", {"period": "day", "max_tokens": 5, "tenant_id": str(other.tenant_id)})
        ).json()
        assert imposed["is_imposed"]
        theirs = f"/{imposed['id']}?tenant_id={other.tenant_id}"
        assert (await send(other, "PATCH", f"/{imposed['id']}", {"max_tokens": 9})).status_code == 403
        assert (await send(other, "DELETE", f"/{imposed['id']}")).status_code == 403
        assert (await send(operator, "PATCH", theirs, {"max_tokens": 9})).json()["max_tokens"] == 9
        listed = (await send(other, "GET", "")).json()["items"]
        assert [item["id"] for item in listed] == [budget["id"], imposed["id"]]
        assert (await send(other, "PATCH", f"/{budget['id']}", {"max_cost": None})).status_code == 422
        elsewhere = {"period": "day", "max_tokens": 5, "tenant_id": str(operator.tenant_id)}
        assert (await send(other, "POST", "", elsewhere)).status_code == 403
        assert (await send(other, "DELETE", f"/{budget['id']}")).status_code == 204
        assert (await send(other, "GET", f"/{budget['id']}")).status_code == 404


async def test_a_raised_budget_lets_waiting_jobs_go_on(
    connect: Connect, settings: CommonSettings, watcher: Watcher, provider: Provider
) -> None:
    found = {"openai_base_url": provider.url, "openai_api_key": "a-key", "default_model": "gpt-4o-mini"}
    asked = {"kind": "llm.chat", "payload": {"prompt": "Hi", "max_tokens": 20}}
    async with connect() as http, running_worker(settings, **found):
        made = (await http.post("/api/v1/budgets", json={"period": "day", "max_tokens": 40})).json()
        first = (await http.post("/api/v1/jobs", json=asked)).json()
        await watcher.until(UUID(first["id"]), "job.succeeded")
        second = (await http.post("/api/v1/jobs", json=asked)).json()
        told = await watcher.until(UUID(second["id"]), "job.retrying")
        assert told.data["reason"] == "snoozed"
        waiting = (await http.get(f"/api/v1/jobs/{second['id']}")).json()
        change = await http.patch(f"/api/v1/budgets/{made['id']}", json={"max_tokens": 1000})
        assert change.json()["spent_tokens"] == 11
        await watcher.until(UUID(second["id"]), "job.succeeded")
    assert "budget" in str(waiting["waiting"])
