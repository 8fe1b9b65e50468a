"""Which mail servers a worker speaks to, and how."""

from email.utils import parseaddr
from pathlib import Path
from typing import Any

import pytest

from common.config import CommonSettings
from common.events import EventType
from common.queue.status import JobStatus
from tests.fixtures.mail_server import MailServer, serving
from tests.fixtures.workers import running_worker, worker_settings
from tests.worker.mail.conftest import Post


async def test_limits_are_settings(post: Post, mail_server: MailServer) -> None:
    async with post.worker(mail_server, mail_max_per_hour=2, mail_max_bytes=2000, mail_recipient_domains="example.com"):
        large = await post.send(text="x" * 2000)
        foreign = await post.send(to="ada@elsewhere.test")
        for _ in range(2):
            assert (await post.send()).status == JobStatus.SUCCEEDED
        third = await post.submit()
        await post.watcher.until(third.id, EventType.RETRYING)
    assert large.error is not None
    assert "MAIL_MAX_BYTES allows 2000" in large.error["message"]
    assert foreign.error is not None
    assert "MAIL_RECIPIENT_DOMAINS" in foreign.error["message"]
    assert len(mail_server.taken) == 2


async def test_without_a_mail_server_the_setting_is_named(post: Post, settings: CommonSettings) -> None:
    async with running_worker(settings):
        job = await post.send()
    assert job.error is not None
    assert "SMTP_URL" in job.error["message"]


@pytest.mark.parametrize(
    ("tls", "identity", "changes", "said"),
    [
        ("starttls", "elsewhere.test", {}, "certificate is not trusted"),
        ("starttls", "localhost", {"smtp_ca_file": None}, "certificate is not trusted"),
        ("none", "localhost", {}, "STARTTLS extension not supported"),
        ("tls", "elsewhere.test", {"smtp_security": "tls"}, "certificate is not trusted"),
        ("starttls", "localhost", {"smtp_url": "smtp://letuin:wrong@localhost:{port}"}, "refused the login (535"),
        ("starttls", "localhost", {"smtp_url": "smtp://localhost:{port}"}, "(530"),
        ("starttls", "localhost", {"smtp_url": "smtp://localhost:1"}, "cannot be reached"),
    ],
)
async def test_a_server_that_is_not_the_one_meant_gets_nothing(
    post: Post, tmp_path: Path, tls: str, identity: str, changes: dict[str, Any], said: str
) -> None:
    async with serving(tmp_path, tls=tls, identity=identity) as server:
        chosen = {name: str(value).format(port=server.port) if value else value for name, value in changes.items()}
        async with post.worker(server, **chosen):
            job = await post.submit()
            event = await post.watcher.until(job.id, EventType.RETRYING)
    assert said in str(event.data["error"])
    assert "sesame" not in str(event.data)
    assert server.taken == []


async def test_tls_from_the_first_byte(post: Post, tmp_path: Path) -> None:
    async with serving(tmp_path, tls="tls") as server:
        url = server.url.replace("smtp://", "smtps://")
        async with post.worker(server, smtp_url=url, smtp_security="auto"):
            job = await post.send()
    assert job.status == JobStatus.SUCCEEDED
    assert parseaddr(server.taken[0].message["From"]) == ("Letuin", "hello@letuin.test")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"smtp_url": "http://localhost"}, "SMTP_URL must read smtp://"),
        ({"smtp_url": "smtp://a:b@mail.test", "smtp_security": "none"}, "would send it unprotected"),
        ({"smtp_url": "smtps://mail.test", "smtp_security": "starttls"}, "SMTP_SECURITY is starttls"),
        ({"mail_from": "Letuin"}, "must be an address"),
        ({"mail_from": "A <a@b.c>, D <d@e.f>"}, "address"),
        ({"mail_from": "A\r\nBcc: x@y.z <a@b.c>"}, "control characters"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: CommonSettings, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        worker_settings(settings, **changes)
