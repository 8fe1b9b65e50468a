"""The Idempotency-Key header: one effect for one key, however often and however fast it comes."""

import asyncio
from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from api.v1.job.idempotency import parse_key
from common.container import CommonContainer
from common.errors import HeaderError
from tests.api.conftest import ECHO, Connect, MakeUser

JOBS = "/api/v1/jobs"
BATCH = {"jobs": [ECHO, {"kind": "no.such"}, ECHO]}


async def post(client: httpx2.AsyncClient, key: str | None, body: Any = ECHO, path: str = JOBS) -> httpx2.Response:
    return await client.post(path, json=body, headers={"Idempotency-Key": key} if key is not None else {})


async def change(container: CommonContainer, statement: str) -> None:
    async with container.sessions().begin() as db:
        await db.execute(text(statement))


async def test_the_same_key_and_body_get_the_same_job(client: httpx2.AsyncClient) -> None:
    first = await post(client, "order-7")
    again = await post(client, '"order-7"', dict(reversed(ECHO.items())))

    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json() == first.json()
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.headers["Location"] == first.headers["Location"]
    assert len((await client.get(JOBS)).json()["items"]) == 1


async def test_a_hundred_at_once_make_one_job(client: httpx2.AsyncClient) -> None:
    async def post_until_taken() -> httpx2.Response:
        """A busy server may answer 503, or 409 while the first is still under way: come again."""
        answer = await post(client, "once")
        return answer if answer.status_code not in (409, 503) else await post_until_taken()

    answers = await asyncio.gather(*(post_until_taken() for _ in range(100)))

    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1
    assert len((await client.get(JOBS)).json()["items"]) == 1


async def test_another_body_is_refused(client: httpx2.AsyncClient) -> None:
    await post(client, "order-7")
    answer = await post(client, "order-7", {**ECHO, "priority": 1})

    assert answer.status_code == 422
    assert answer.json()["code"] == "idempotency_key_reused"
    assert len((await client.get(JOBS)).json()["items"]) == 1


async def test_a_refused_request_does_not_use_its_key(client: httpx2.AsyncClient) -> None:
    assert (await post(client, "order-7", {**ECHO, "kind": "no.such"})).status_code == 422
    missing = {**ECHO, "after": ["01a00000-0000-7000-8000-000000000000"]}
    assert (await post(client, "order-7", missing)).status_code == 422
    answer = await post(client, "order-7")
    assert answer.status_code == 202
    assert "Idempotency-Replayed" not in answer.headers


async def test_owners_and_routes_have_keys_of_their_own(client: httpx2.AsyncClient, make_user: MakeUser) -> None:
    theirs = await (await make_user()).sign_in(client)
    mine = await post(client, "k")
    other = await client.post(JOBS, json=ECHO, headers={**theirs, "Idempotency-Key": "k"})
    batch = await post(client, "k", BATCH, f"{JOBS}/batch")
    assert {answer.status_code for answer in (mine, other, batch)} == {202}
    assert not any("Idempotency-Replayed" in answer.headers for answer in (mine, other, batch))


async def test_while_the_first_request_is_under_way_others_wait_then_hear_409(
    connect: Connect, container: CommonContainer
) -> None:
    async with connect(idempotency_wait=0.3) as client:
        assert (await post(client, "slow")).status_code == 202
        async with container.sessions().begin() as db:
            await db.execute(text("UPDATE idempotency_keys SET expires_at = now()"))
            waiting = asyncio.create_task(post(client, "slow"))
            answer = await waiting
        assert answer.status_code == 409
        assert answer.json()["code"] == "in_progress"
        assert int(answer.headers["Retry-After"]) >= 1


async def test_a_key_ends(client: httpx2.AsyncClient, container: CommonContainer) -> None:
    first = await post(client, "order-7")
    await change(container, "UPDATE idempotency_keys SET expires_at = now()")
    second = await post(client, "order-7", {**ECHO, "priority": 1})
    assert second.status_code == 202
    assert second.json()["id"] != first.json()["id"]


_FAIL = 'UPDATE jobs SET status = \'failed\', finished_at = now(), error = \'{"code": "permanent", "message": ""}\''


@pytest.mark.parametrize("releases", [False, True])
async def test_a_failed_job_gives_its_key_back_if_wanted(
    connect: Connect, container: CommonContainer, releases: bool
) -> None:
    async with connect(idempotency_release_failed=releases) as client:
        first = await post(client, "order-7")
        await change(container, _FAIL)
        second = await post(client, "order-7")
        assert second.status_code == 202
        assert (second.json()["id"] != first.json()["id"]) == releases
        assert ("Idempotency-Replayed" not in second.headers) == releases


async def test_a_purged_job_answers_410(client: httpx2.AsyncClient, container: CommonContainer) -> None:
    await post(client, "order-7")
    await change(container, "DELETE FROM jobs")
    assert (await post(client, "order-7")).status_code == 410


async def test_the_key_may_be_required(connect: Connect) -> None:
    async with connect(idempotency_key_required=True) as client:
        answer = await post(client, None)
        assert answer.status_code == 400
        assert "IDEMPOTENCY_KEY_REQUIRED" in answer.json()["detail"]
        assert (await post(client, "k")).status_code == 202
        assert (await client.get(JOBS)).status_code == 200


@pytest.mark.parametrize("key", ["", '""', "x" * 256, "two words", '"open', "tab\there", "é", '"a\\b"'])
async def test_malformed_keys_are_refused(client: httpx2.AsyncClient, key: str) -> None:
    headers = {b"Idempotency-Key": key.encode("latin-1")}
    answer = await client.post(JOBS, json=ECHO, headers=headers)
    assert answer.status_code == 400, answer.text
    assert answer.json()["code"] == "invalid_header"


def test_keys_are_read_quoted_and_bare() -> None:
    assert parse_key('"a-b"') == parse_key("a-b") == parse_key(" a-b ") == "a-b"
    assert parse_key(r'"a\"b\\c"') == r'a"b\c'
    assert len(parse_key("~" * 255)) == 255
    with pytest.raises(HeaderError):
        parse_key('"a" "b"')


async def test_a_batch_is_replayed_item_by_item(client: httpx2.AsyncClient) -> None:
    first = await post(client, "night", BATCH, f"{JOBS}/batch")
    again = await post(client, "night", BATCH, f"{JOBS}/batch")
    assert again.headers["Idempotency-Replayed"] == "true"
    before, after = first.json(), again.json()
    assert after["id"] == before["id"]
    assert [item["status"] for item in after["items"]] == [202, 422, 202]
    assert [item["job"]["id"] for item in after["items"][::2]] == [item["job"]["id"] for item in before["items"][::2]]
    assert (await post(client, "night", {"jobs": [ECHO]}, f"{JOBS}/batch")).status_code == 422
