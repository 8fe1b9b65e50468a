"""One running app with callers of every kind, and fresh objects of one of them."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx2
from sqlalchemy import text

from common.container import CommonContainer
from common.ids import new_id
from common.repository.worker import Incarnation, WorkerRepository
from common.scopes import Scope
from tests.api.conftest import ACCESS_TOKEN
from tests.security.matrix import BUDGET, ECHO, HOOK, NIGHTLY, TALK
from tests.security.members import MakeMember, Member

API = "/api/v1"


def bearer(token: str) -> dict[str, str]:
    """The header for a token."""
    return {"Authorization": f"Bearer {token}"}


@dataclass
class World:
    """Objects belong to `owner`, whose tenant is the installation's; `other` and `other_admin` are of another one."""

    http: httpx2.AsyncClient
    make_member: MakeMember
    container: CommonContainer
    owner: Member
    elsewhere: UUID = field(default_factory=new_id)
    headers: dict[str, dict[str, str]] = field(default_factory=dict)

    @classmethod
    async def build(cls, http: httpx2.AsyncClient, make_member: MakeMember, container: CommonContainer) -> "World":
        """Callers of every kind. `http` speaks to an app in production."""
        world = cls(http, make_member, container, await make_member())
        people = {
            "owner": world.owner,
            "peer": await make_member(),
            "operator": await make_member("operator"),
            "admin": await make_member("admin"),
            "other": await make_member(tenant_id=world.elsewhere),
            "other_admin": await make_member("admin", tenant_id=world.elsewhere),
        }
        world.headers = {actor: member.headers for actor, member in people.items()}
        world.headers |= {"anonymous": {}, "service": bearer(ACCESS_TOKEN)}
        for actor, scopes in (("key", [str(scope) for scope in Scope]), ("key_without", ["usage:read"])):
            made = await world.create("owner", "/api-keys", {"name": actor, "scopes": scopes})
            world.headers[actor] = bearer(made["key"])
        await world.make_job()
        return world

    async def ask(self, actor: str, method: str, path: str, body: Any = None) -> httpx2.Response:
        """A request of this caller."""
        headers = {"Accept": "application/json", **self.headers[actor]}
        return await self.http.request(method, path, json=body or None, headers=headers)

    async def upload(self, actor: str, path: str) -> httpx2.Response:
        """A small document, sent by this caller."""
        files = {"file": ("note.txt", b"hello", "text/plain")}
        return await self.http.post(path, files=files, headers=self.headers[actor])

    async def create(self, actor: str, path: str, body: Any) -> Any:
        """What a POST that goes well answers."""
        answer = await self.ask(actor, "POST", API + path, body)
        assert answer.is_success, answer.text
        return answer.json()

    async def make(self, noun: str | None) -> dict[str, str]:
        """A fresh object of this kind, as the values of the path's parameters."""
        self.headers["owner"] = self.owner.headers
        return {} if noun is None else await getattr(self, f"make_{noun}")()

    async def make_job(self) -> dict[str, str]:
        """A job, with `token` for it and `other_token` for another one."""
        job, another = [await self.create("owner", "/jobs", ECHO) for _ in range(2)]
        for actor, of in (("token", job), ("other_token", another)):
            made = await self.create("owner", f"/jobs/{of['id']}/token", {"actions": ["read", "cancel"]})
            self.headers[actor] = bearer(made["token"])
        return {"job_id": job["id"]}

    async def make_batch(self) -> dict[str, str]:
        """A batch of one job."""
        return {"batch_id": (await self.create("owner", "/jobs/batch", {"jobs": [ECHO]}))["id"]}

    async def make_key(self) -> dict[str, str]:
        """One more key of the owner."""
        made = await self.create("owner", "/api-keys", {"name": "made", "scopes": ["jobs:read"]})
        return {"key_id": made["id"]}

    async def make_schedule(self) -> dict[str, str]:
        """A schedule that does not fire soon."""
        return {"schedule_id": (await self.create("owner", "/schedules", NIGHTLY))["id"]}

    async def make_thread(self) -> dict[str, str]:
        """A thread in which nothing was said."""
        return {"thread_id": (await self.create("owner", "/threads", TALK))["id"]}

    async def make_checkpoint(self) -> dict[str, str]:
        """A thread with a step."""
        place = await self.make_thread()
        sql = (
            "INSERT INTO thread_checkpoints (thread_id, checkpoint_id, tenant_id, owner_id, job_id, step, source, "
            "next, state, message_count) VALUES (:thread, :id, :tenant, :owner, :id, 1, 'loop', '{}', '{}', 0)"
        )
        values = {"thread": UUID(place["thread_id"]), "id": new_id(), "tenant": self.owner.tenant_id}
        async with self.container.engine().begin() as db:
            await db.execute(text(sql), {**values, "owner": self.owner.id})
        return place

    async def make_interrupt(self) -> dict[str, str]:
        """A thread that waits for a text."""
        place = await self.make_thread()
        waiting = '{"id": "1", "node": "wait", "expects": "text"}'
        sql = "UPDATE threads SET interrupt = CAST(:waiting AS jsonb) WHERE id = :id AND tenant_id = :tenant"
        values = {"waiting": waiting, "id": UUID(place["thread_id"]), "tenant": self.owner.tenant_id}
        async with self.container.engine().begin() as db:
            await db.execute(text(sql), values)
        return place

    async def make_collection(self) -> dict[str, str]:
        """A collection without documents."""
        return {"collection_id": (await self.create("owner", "/collections", {"name": str(new_id())}))["id"]}

    async def make_document(self, place: dict[str, str] | None = None) -> dict[str, str]:
        """A document in a collection of its own, or in the one of `place`."""
        place = place or await self.make_collection()
        made = await self.upload("owner", f"{API}/collections/{place['collection_id']}/documents")
        assert made.status_code == 202, made.text
        return {**place, "document_id": made.json()["document"]["id"]}

    async def make_shared_collection(self) -> dict[str, str]:
        """A collection that everybody of the owner's tenant may read."""
        wanted = {"name": str(new_id()), "visibility": "tenant"}
        return {"collection_id": (await self.create("owner", "/collections", wanted))["id"]}

    async def make_shared_document(self) -> dict[str, str]:
        """A document in a shared collection of its own."""
        return await self.make_document(await self.make_shared_collection())

    async def make_webhook(self) -> dict[str, str]:
        """An endpoint."""
        return {"webhook_id": (await self.create("owner", "/webhooks", HOOK))["id"]}

    async def make_delivery(self) -> dict[str, str]:
        """What an endpoint is to be told."""
        endpoint = await self.make_webhook()
        made = await self.create("owner", f"/webhooks/{endpoint['webhook_id']}/ping", None)
        return {**endpoint, "delivery_id": made["id"]}

    async def make_mail(self) -> dict[str, str]:
        """A mail that was sent."""
        mail = {"id": new_id(), "tenant": self.owner.tenant_id, "owner": self.owner.id}
        sql = (
            "INSERT INTO mails (id, tenant_id, owner_id, attempt, status, message_id, recipient, subject) "
            "VALUES (:id, :tenant, :owner, 1, 'sent', '<1@x>', 'a@example.com', 'hello')"
        )
        async with self.container.engine().begin() as db:
            await db.execute(text(sql), mail)
        return {"mail_id": str(mail["id"])}

    async def make_budget(self) -> dict[str, str]:
        """A budget of the owner's tenant, for a model of its own."""
        made = await self.create("admin", "/budgets", {**BUDGET, "model": str(new_id())})
        return {"budget_id": made["id"]}

    async def make_user(self) -> dict[str, str]:
        """A user, whose token the `owner` uses until the next one."""
        member = await self.make_member()
        self.headers["owner"] = member.headers
        return {"user_id": str(member.id)}

    async def make_tenant(self) -> dict[str, str]:
        """The owner's tenant."""
        return {"tenant_id": str(self.owner.tenant_id)}

    async def make_member_elsewhere(self) -> dict[str, str]:
        """A member of the other tenant."""
        member = await self.make_member(tenant_id=self.elsewhere)
        return {"tenant_id": str(self.elsewhere), "user_id": str(member.id)}

    async def make_session(self) -> dict[str, str]:
        """The session of a new owner."""
        await self.make_user()
        listed = (await self.ask("owner", "GET", f"{API}/auth/sessions")).json()["items"]
        return {"session_id": listed[0]["id"]}

    async def make_queue(self) -> dict[str, str]:
        """A queue that everybody uses."""
        return {"name": "default"}

    async def make_worker(self) -> dict[str, str]:
        """A worker that has registered."""
        worker = Incarnation(new_id(), "host-a", "boot-1", 4711, ("default",), 20)
        async with self.container.engine().begin() as db:
            await WorkerRepository().register(db, worker, timedelta(seconds=60))
        return {"worker_id": str(worker.id)}
