"""`email.send` over a real connection with STARTTLS and a login: what arrives, and what the job and its row say."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import update

from common.config import CommonSettings
from common.container import CommonContainer
from common.database.model import Collection, Document, DocumentVersion, MailStatus, Visibility
from common.events import EventType
from common.ids import new_id
from common.jobs.system_echo import SystemEchoPayload, system_echo
from common.queue.status import JobStatus
from common.repository.job import Owner
from common.storage.base import FileKey
from tests.api.realtime.listener import eventually
from tests.fixtures.mail_server import DROP, MailServer
from tests.worker.mail.conftest import Post

LINK = "https://letuin.test/verify?token=a&b=<c>".replace("<c>", "%3Cc%3E")


async def test_a_plain_mail_arrives_once_with_the_headers_that_were_asked_for(
    post: Post, mail_server: MailServer
) -> None:
    async with post.worker(mail_server):
        job = await post.send(
            subject="안녕하세요 Ada",
            text="한글\n.line\n",
            html="<p>한글</p>",
            reply_to="grace@example.com",
            headers={"X-Case": "7", "List-Unsubscribe": "<https://letuin.test/u>"},
            attachments=[{"filename": "보고서.txt", "content_type": "text/plain", "content": "aGVsbG8="}],
        )
    assert job.status == JobStatus.SUCCEEDED, job.error
    message_id = f"<{job.id}@letuin.test>"
    assert job.result == {"message_id": message_id, "response": "250 2.0.0 queued as 42"}
    [taken] = mail_server.taken
    assert (taken.sender, taken.recipients) == ("hello@letuin.test", ["ada@example.com"])
    mail = taken.message
    assert sorted(mail.keys()) == sorted(
        [
            "From",
            "To",
            "Subject",
            "Date",
            "Message-ID",
            "Reply-To",
            "X-Case",
            "List-Unsubscribe",
            "MIME-Version",
            "Content-Type",
        ]
    )
    assert (mail["To"], mail["Subject"], mail["Message-ID"]) == ("ada@example.com", "안녕하세요 Ada", message_id)
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert html is not None
    assert text.get_content() == "한글\r\n.line\r\n"
    assert html.get_content().strip() == "<p>한글</p>"
    [file] = mail.iter_attachments()
    assert (file.get_filename(), file.get_content()) == ("보고서.txt", "hello")
    row = await post.mail(job)
    assert (row.status, row.recipient, row.subject) == (MailStatus.SENT, "ada@example.com", "안녕하세요 Ada")


async def test_mails_share_one_connection(post: Post, mail_server: MailServer) -> None:
    async with post.worker(mail_server, smtp_connections=1):
        for _ in range(5):
            assert (await post.send()).status == JobStatus.SUCCEEDED
    assert len(mail_server.taken) == 5
    assert mail_server.sessions == 1


@pytest.mark.parametrize(
    ("template", "variables", "words"),
    [
        ("verify_email", {"name": "<Ada>", "link": LINK, "expires_minutes": 30}, ("address is yours", "본인의 것임을")),
        ("reset_password", {"name": "<Ada>", "code": "83-11", "expires_minutes": 30}, ("new password", "새 비밀번호")),
        (
            "change_email",
            {"name": "<Ada>", "link": LINK, "code": "1", "expires_minutes": 5},
            ("new e-mail", "새 이메일"),
        ),
        (
            "job_finished",
            {"name": "<Ada>", "job_id": "0195d3a0-0000-7000-8000-000000000000", "kind": "a.b", "status": "failed"},
            ("has ended: failed", "상태: failed"),
        ),
        (
            "schedule_disabled",
            {"name": "<Ada>", "schedule": "x", "reason": "gone"},
            ("does not fire", "사유"),
        ),
    ],
)
async def test_templates_come_in_two_languages_and_escape_their_variables(
    post: Post, mail_server: MailServer, template: str, variables: dict[str, Any], words: tuple[str, str]
) -> None:
    async with post.worker(mail_server):
        for locale in ("en", "ko"):
            fields = {"to": "ada@example.com", "template": template, "variables": variables, "locale": locale}
            assert (await post.send(**fields)).status == JobStatus.SUCCEEDED
    for taken, word in zip(mail_server.taken, words, strict=True):
        text, html = taken.message.get_body(("plain",)), taken.message.get_body(("html",))
        assert text is not None
        assert html is not None
        whole = str(taken.message["Subject"]) + text.get_content()
        assert word in whole
        assert "<Ada>" in text.get_content()
        assert "&lt;Ada&gt;" in html.get_content()
        assert "<Ada>" not in html.get_content()
        assert taken.message["Auto-Submitted"] == "auto-generated"
        if "link" in variables:
            assert f"\r\n{LINK}\r\n" in text.get_content()
            assert f'<a href="{LINK.replace("&", "&amp;")}"' in html.get_content()


async def test_greylisting_is_tried_again_and_delivers_once(post: Post, mail_server: MailServer) -> None:
    mail_server.to_rcpt.append("451 4.7.1 greylisted, come back later")
    async with post.worker(mail_server):
        job = await post.submit()
        retrying = await post.watcher.until(job.id, EventType.RETRYING)
        row = await post.mail(job)
        await post.hurry(job)
        ended = await post.watcher.ended(job)
    assert "451: 4.7.1 greylisted, come back later" in str(retrying.data["error"])
    assert (row.status, row.response) == (
        MailStatus.DEFERRED,
        "the mail server refused the recipient (451: 4.7.1 greylisted, come back later)",
    )
    assert (ended.status, ended.attempt, len(mail_server.taken)) == (JobStatus.SUCCEEDED, 2, 1)


@pytest.mark.parametrize("step", ["rcpt", "data"])
async def test_a_refusal_for_good_is_not_repeated(post: Post, mail_server: MailServer, step: str) -> None:
    answers = {"rcpt": mail_server.to_rcpt, "data": mail_server.to_data}
    answers[step].append("550 5.1.1 no such user here")
    async with post.worker(mail_server, smtp_connections=1):
        job = await post.send()
        after = await post.send()
    assert (job.status, job.attempt) == (JobStatus.FAILED, 1)
    assert job.error is not None
    assert "(550: 5.1.1 no such user here)" in job.error["message"]
    assert (await post.mail(job)).status == MailStatus.FAILED
    assert (after.status, mail_server.sessions) == (JobStatus.SUCCEEDED, 1)


@pytest.mark.parametrize("answer", [DROP, "slow"])
async def test_without_an_answer_to_the_mail_nothing_is_sent_again(
    post: Post, mail_server: MailServer, answer: str
) -> None:
    if answer == DROP:
        mail_server.to_data.append(DROP)
    else:
        mail_server.may_answer.clear()
    async with post.worker(mail_server, smtp_timeout=30 if answer == DROP else 2):
        job = await post.send()
    mail_server.may_answer.set()
    assert (job.status, job.attempt) == (JobStatus.FAILED, 1)
    assert job.error is not None
    assert f"POST /api/v1/mails/{job.id}/resend" in job.error["message"]
    assert (await post.mail(job)).status == MailStatus.UNKNOWN
    assert len(mail_server.taken) <= 1


async def test_at_least_once_sends_again_under_the_same_id(post: Post, mail_server: MailServer) -> None:
    mail_server.to_data.append(DROP)
    async with post.worker(mail_server):
        job = await post.submit(delivery="at_least_once")
        await post.watcher.until(job.id, EventType.RETRYING)
        await post.hurry(job)
        ended = await post.watcher.ended(job)
    assert ended.status == JobStatus.SUCCEEDED
    assert [taken.message["Message-ID"] for taken in mail_server.taken] == [f"<{job.id}@letuin.test>"] * 2


async def test_a_connection_that_ended_while_it_lay_idle_is_replaced(post: Post, mail_server: MailServer) -> None:
    async with post.worker(mail_server, smtp_connections=1):
        await post.send()
        mail_server.to_rcpt.append("421 4.4.2 idle for too long")
        job = await post.send()
    assert (job.status, job.attempt) == (JobStatus.SUCCEEDED, 1)
    assert mail_server.sessions == 2


async def test_the_result_of_a_job_can_be_attached(
    post: Post, mail_server: MailServer, container: CommonContainer
) -> None:
    async with post.worker(mail_server):
        echo = await container.queue().submit(system_echo, SystemEchoPayload(message="hi"), owner=post.owner)
        await post.watcher.ended(echo)
        job = await post.send(
            attachments=[{"filename": "r.json", "content_type": "application/json", "job_id": str(echo.id)}]
        )
        other = await post.send(attachments=[{"filename": "r.json", "job_id": str(post.owner.user_id)}])
    assert job.status == JobStatus.SUCCEEDED
    [file] = mail_server.taken[0].message.iter_attachments()
    assert b'"message": "hi"' in file.get_content()
    assert other.error is not None
    assert "has no result to attach" in other.error["message"]


async def test_the_file_of_a_document_can_be_attached_by_those_who_may_read_it(
    post: Post, mail_server: MailServer, container: CommonContainer, settings: CommonSettings
) -> None:
    ids = {"tenant_id": post.owner.tenant_id, "owner_id": post.owner.user_id}
    collection = Collection(id=new_id(), name="papers", **ids)
    document = Document(id=new_id(), collection_id=collection.id, name="a.txt", latest_version=1, **ids)
    about = {"content_type": "text/plain", "size": 5, "sha256": "", "attributes": {}, "job_id": new_id()}
    version = DocumentVersion(
        id=new_id(), document_id=document.id, collection_id=collection.id, version=1, **about, **ids
    )
    async with container.sessions().begin() as db:
        for row in (collection, document, version):
            db.add(row)
            await db.flush()

    async def pieces() -> AsyncIterator[bytes]:
        yield b"he"
        yield b"llo"

    await container.storage().write(FileKey(post.owner.tenant_id, collection.id, version.id), pieces())
    attached = {"attachments": [{"filename": "a.txt", "content_type": "text/plain", "document_id": str(document.id)}]}
    shared = {"visibility": str(Visibility.TENANT)}
    peer, stranger = [
        Post(container, settings, Owner(tenant_id, new_id()), post.watcher)
        for tenant_id in (post.owner.tenant_id, new_id())
    ]
    async with post.worker(mail_server):
        sent, refused = [await post.send(**attached)], [await peer.send(**attached)]
        async with container.sessions().begin() as db:
            await db.execute(update(Collection).where(Collection.id == collection.id).values(shared))
        sent, refused = [*sent, await peer.send(**attached)], [*refused, await stranger.send(**attached)]
    assert [job.status for job in sent] == [JobStatus.SUCCEEDED] * 2
    for each in mail_server.taken:
        [file] = each.message.iter_attachments()
        assert file.get_content().strip() == "hello"
    assert all("does not exist" in str(job.error) for job in refused)


async def test_all_workers_together_keep_to_the_rate_of_the_provider(post: Post, mail_server: MailServer) -> None:
    rate = {"mail_max_per_minute": 3}
    async with post.worker(mail_server, **rate), post.worker(mail_server, **rate):
        jobs = [await post.submit() for _ in range(6)]

        async def are_settled() -> bool:
            return len(mail_server.taken) == 3 and await post.waiting() == ["mail_rate"] * 3

        await eventually(are_settled)
    assert len(mail_server.taken) == 3
    assert len(jobs) == 6


async def test_of_mails_in_line_a_worker_that_stops_loses_sight_of_none(post: Post, mail_server: MailServer) -> None:
    mail_server.may_answer.clear()
    async with post.worker(mail_server, smtp_connections=1, worker_drain_grace=0):
        jobs = [await post.submit() for _ in range(4)]
        await mail_server.got_data.wait()
    mail_server.may_answer.set()
    async with post.worker(mail_server):
        ended = [await post.watcher.ended(job) for job in jobs]
    assert sorted(job.status for job in ended) == ["failed", "succeeded", "succeeded", "succeeded"]
    assert sorted([(await post.mail(job)).status for job in jobs]) == ["sent", "sent", "sent", "unknown"]
