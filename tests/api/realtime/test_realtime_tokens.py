"""What API keys and job tokens may do over Socket.IO."""

from collections.abc import Collection
from datetime import timedelta

import pytest
import socketio  # type: ignore[import-untyped]

from api.caller import Caller
from api.container import ApiContainer
from common.api_keys import make_api_key
from common.database.model import Job, Role
from common.ids import new_id
from common.repository.api_key import NewApiKey
from common.scopes import JobAction, Scope
from tests.api.realtime.conftest import Person, Server, submit, succeeded
from tests.api.realtime.listener import Listener


async def make_key(container: ApiContainer, person: Person, scopes: Collection[Scope]) -> str:
    made = make_api_key()
    key = NewApiKey(
        id=new_id(),
        owner=person.owner,
        created_by=person.owner.user_id,
        name="k",
        prefix=made.prefix,
        secret_hash=made.secret_hash,
        scopes=[*scopes],
        expires_at=None,
    )
    async with container.sessions().begin() as db:
        await container.api_keys().insert(db, key)
    return made.text


def job_token(container: ApiContainer, person: Person, job: Job, *actions: JobAction) -> str:
    caller = Caller(person.owner.user_id, person.owner.tenant_id, Role.USER)
    return container.job_tokens().issue(caller, 0, job, actions, timedelta(minutes=1))


async def test_job_token_follows_its_job_and_no_other(
    server: Server, backstage: ApiContainer, person: Person, job: Job
) -> None:
    another = await submit(backstage, person.owner)
    async with Listener(server.url, job_token(backstage, person, job, JobAction.READ)) as listener:
        assert (await listener.subscribe(job.id))["ok"]
        assert (await listener.subscribe(another.id))["error"]["code"] == "not_found"
        assert (await listener.ask("job:cancel", {"job_id": str(job.id)}))["error"]["code"] == "forbidden"
        wanted = {"kind": "system.echo", "payload": {"message": "x"}}
        assert (await listener.ask("job:submit", wanted))["error"]["code"] == "forbidden"
        assert (await listener.ask("tenant:subscribe", {}))["error"]["code"] == "forbidden"
        await backstage.events().append([succeeded(another), succeeded(job)])
        await listener.until_type("job.succeeded")
    assert {event["job_id"] for _, event in listener.heard if "job_id" in event} == {str(job.id)}
    assert listener.named("job:update") == []


async def test_job_token_cancels_when_it_says_so(
    server: Server, backstage: ApiContainer, person: Person, job: Job
) -> None:
    async with Listener(server.url, job_token(backstage, person, job, JobAction.CANCEL)) as listener:
        assert (await listener.subscribe(job.id))["error"]["code"] == "forbidden"
        answer = await listener.ask("job:cancel", {"job_id": str(job.id)})
    assert (answer["ok"], answer["outcome"]) == (True, "cancelled")


async def test_key_may_what_its_scopes_say(server: Server, backstage: ApiContainer, person: Person, job: Job) -> None:
    reader = await make_key(backstage, person, [Scope.JOBS_READ])
    blind = await make_key(backstage, person, [Scope.USAGE_READ])
    cancel = {"job_id": str(job.id)}
    async with Listener(server.url, reader) as listener:
        assert (await listener.subscribe(job.id))["ok"]
        assert (await listener.ask("job:cancel", cancel))["error"]["code"] == "forbidden"
    async with Listener(server.url, blind) as listener:
        assert (await listener.subscribe(job.id))["error"]["code"] == "forbidden"
    with pytest.raises(socketio.exceptions.ConnectionError):
        await Listener(server.url, reader[:-1]).__aenter__()
