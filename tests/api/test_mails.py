"""Mails over HTTP: what is refused before any mail library sees it, crashes, and sending again."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest

from common.config import CommonSettings
from common.container import CommonContainer
from common.ids import new_id
from common.repository.worker import WorkerRepository
from tests.api.conftest import Connect, MakeUser
from tests.fixtures.letuin import environment
from tests.fixtures.mail_server import MailServer
from tests.fixtures.stores import Stores
from tests.fixtures.workers import running_worker

MAIL = {"to": "ada@example.com", "subject": "Hello", "text": "Hi"}
PROOF = {"name": "Ada", "code": "1234", "expires_minutes": 10}


def values(server: MailServer) -> dict[str, Any]:
    """Where a worker sends to."""
    return {"smtp_url": server.url, "smtp_security": "starttls", "smtp_ca_file": server.ca_file}


async def submit(client: httpx2.AsyncClient, payload: dict[str, Any], **headers: str) -> httpx2.Response:
    return await client.post("/api/v1/jobs", json={"kind": "email.send", "payload": payload}, headers=headers)


async def test_an_unsafe_mail_is_refused_by_its_field(client: httpx2.AsyncClient) -> None:
    for changes, field, said in (
        ({"to": "ada@example.com, eve@example.com"}, "to", "exactly one address"),
        ({"subject": "=?utf-8?q?a=0ABcc:_eve@example.com?="}, "subject", "encoded word"),
        ({"headers": {"X-A": "1\r\nBcc: eve@example.com"}}, "headers", "control characters"),
        ({"subject": None, "text": None, "template": "verify_email"}, "payload", "variables.name"),
    ):
        answer = await submit(client, {**MAIL, **changes})
        assert answer.status_code == 422, answer.text
        [error] = answer.json()["errors"]
        assert field in error["path"]
        assert said in error["message"]


async def test_template_syntax_in_texts_and_variables_is_only_text(
    client: httpx2.AsyncClient, settings: CommonSettings, mail_server: MailServer
) -> None:
    words = "{{ 7*7 }} {% raw %} ${x}"
    async with running_worker(settings, **values(mail_server)):
        plain = await submit(client, {**MAIL, "subject": words, "text": words}, Prefer="wait=10")
        fields = {"to": "ada@example.com", "template": "verify_email", "variables": {**PROOF, "name": words}}
        worded = await submit(client, fields, Prefer="wait=10")
    assert [plain.json()["status"], worded.json()["status"]] == ["succeeded", "succeeded"]
    first, second = (taken.message for taken in mail_server.taken)
    assert (first["Subject"], first.get_content().strip()) == (words, words)
    assert words.encode() in mail_server.taken[1].content
    assert second["To"] == "ada@example.com"


@asynccontextmanager
async def worker_process(folder: Path, stores: Stores, server: MailServer) -> AsyncIterator[tuple[int, UUID]]:
    """A worker as a process of its own; its pid and the id of its lease."""
    worker_id = new_id()
    smtp = {name.upper(): str(value) for name, value in values(server).items()}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "worker.main", "--queues", "email"),
        cwd=folder,
        env=environment(folder, {**stores.environment, **smtp, "LETUIN_WORKER_ID": str(worker_id)}),
    )
    try:
        yield process.pid, worker_id
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.e2e
async def test_after_a_crash_nothing_is_sent_again_until_somebody_says_so(
    connect: Connect,
    settings: CommonSettings,
    container: CommonContainer,
    stores: Stores,
    mail_server: MailServer,
    make_user: MakeUser,
    tmp_path: Path,
) -> None:
    mail_server.may_answer.clear()
    async with connect() as client:
        async with worker_process(tmp_path, stores, mail_server) as (pid, worker_id):
            job = (await submit(client, MAIL)).json()
            await mail_server.got_data.wait()
            url = f"/api/v1/mails/{job['id']}"
            assert (await client.get(url)).json()["status"] == "sending"
            assert (await client.post(f"{url}/resend")).status_code == 409
            os.kill(pid, signal.SIGKILL)
        async with container.sessions().begin() as db:
            await WorkerRepository().release(db, worker_id)
        mail_server.may_answer.set()
        async with running_worker(settings, **values(mail_server)):
            ended = await client.get(f"/api/v1/jobs/{job['id']}", headers={"Prefer": "wait=20"})
            assert (ended.json()["status"], ended.json()["attempt"]) == ("failed", 2)
            assert "nobody knows whether the mail was sent" in ended.json()["error"]["message"]
            listed = (await client.get("/api/v1/mails", params={"status": "unknown"})).json()["items"]
            assert [mail["id"] for mail in listed] == [job["id"]]
            before = len(mail_server.taken)
            assert before <= 1

            stranger = await (await make_user()).sign_in(client)
            assert (await client.post(f"{url}/resend", headers=stranger)).status_code == 404
            assert (await client.get(url, headers=stranger)).status_code == 404
            assert (await client.get("/api/v1/mails", headers=stranger)).json()["items"] == []

            again = await client.post(f"{url}/resend")
            assert (again.status_code, again.json()["status"]) == (202, "deferred")
            ended = await client.get(f"/api/v1/jobs/{job['id']}", headers={"Prefer": "wait=20"})
            assert ended.json()["status"] == "succeeded", ended.text
            assert (await client.post(f"{url}/resend")).status_code == 409
    assert len(mail_server.taken) == before + 1
    assert {taken.message["Message-ID"] for taken in mail_server.taken} == {f"<{job['id']}@localhost>"}
    assert all(taken.recipients == ["ada@example.com"] for taken in mail_server.taken)


async def test_mails_are_listed_page_by_page(
    client: httpx2.AsyncClient, settings: CommonSettings, mail_server: MailServer
) -> None:
    mail_server.to_rcpt.append("550 5.1.1 unknown")
    async with running_worker(settings, **values(mail_server)):
        ids = [(await submit(client, MAIL, Prefer="wait=10")).json()["id"] for _ in range(3)]
    first = await client.get("/api/v1/mails", params={"limit": 2})
    second = await client.get("/api/v1/mails", params={"limit": 2, "cursor": first.json()["next_cursor"]})
    assert [mail["id"] for page in (first, second) for mail in page.json()["items"]] == ids[::-1]
    assert second.json()["next_cursor"] is None
    [failed] = (await client.get("/api/v1/mails", params={"status": "failed"})).json()["items"]
    assert (failed["id"], "550: 5.1.1 unknown" in failed["response"]) == (ids[0], True)
    for path in ("/api/v1/mails/x", f"/api/v1/mails/{new_id()}"):
        assert (await client.get(path)).status_code == 404
        assert (await client.post(f"{path}/resend")).status_code == 404
