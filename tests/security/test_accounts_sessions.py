"""Sessions: how they are renewed, what ends them, and what is kept of their tokens."""

import asyncio
from collections.abc import AsyncIterator
from hashlib import sha256

import pytest

from common.ids import new_id
from tests.api.conftest import Connect, MakeUser
from tests.security.conftest import AUTH, QUICK, Person, Sql


@pytest.fixture
async def ada(connect: Connect, make_user: MakeUser) -> AsyncIterator[Person]:
    """Somebody who has just signed in."""
    await make_user()
    async with connect(**QUICK) as http:
        person = Person(http)
        await person.login()
        yield person


async def test_a14_logout_ends_this_session_and_no_other(ada: Person) -> None:
    phone = Person(ada.http)
    await phone.login()
    assert await ada.may_enter()

    assert (await ada.post_signed_in("logout")).status_code == 204

    assert not await ada.may_enter()
    assert (await ada.refresh()).status_code == 401
    assert await phone.may_enter()
    assert (await ada.post_signed_in("logout")).status_code == 401


async def test_a14_logout_all_ends_every_session(ada: Person) -> None:
    phone = Person(ada.http)
    await phone.login()

    assert (await ada.post_signed_in("logout-all")).status_code == 204

    for person in (ada, phone):
        assert not await person.may_enter()
        assert (await person.refresh()).status_code == 401
    await ada.login()


async def test_refresh_gives_another_pair_and_keeps_the_session(ada: Person) -> None:
    answer = await ada.refresh()

    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    pair = answer.json()
    assert pair["refresh_token"] != ada.tokens["refresh_token"]
    assert await ada.may_enter(pair["access_token"])
    assert await ada.may_enter()
    sessions = (await ada.http.get(f"{AUTH}/sessions", headers=ada.headers)).json()["items"]
    assert [session["is_current"] for session in sessions] == [True]


async def test_a15_token_that_was_used_long_ago_ends_the_session(ada: Person, sql: Sql) -> None:
    stolen = ada.tokens["refresh_token"]
    pair = (await ada.refresh()).json()
    await sql("UPDATE refresh_tokens SET used_at = used_at - interval '11 seconds'")

    assert (await ada.refresh(stolen)).status_code == 401

    assert (await ada.refresh(pair["refresh_token"])).status_code == 401
    assert not await ada.may_enter(pair["access_token"])
    assert await sql("SELECT end_reason FROM login_sessions") == [("reuse",)]


async def test_a16_refreshes_at_once_get_one_successor(ada: Person, sql: Sql) -> None:
    answers = await asyncio.gather(*(ada.refresh() for _ in range(10)))
    again = await ada.refresh()  # the answer was lost

    following = {answer.json()["refresh_token"] for answer in (*answers, again)}
    assert len(following) == 1
    assert await sql("SELECT count(*) FROM refresh_tokens") == [(2,)]
    last = (await ada.refresh(following.pop())).json()["refresh_token"]
    # Whoever comes late within the overlap gets the newest of the chain.
    assert (await ada.refresh()).json()["refresh_token"] == last
    assert await sql("SELECT ended_at FROM login_sessions") == [(None,)]


async def test_a17_only_hashes_are_kept(ada: Person, sql: Sql) -> None:
    pair = (await ada.refresh()).json()
    tokens = [ada.tokens["refresh_token"], pair["refresh_token"]]
    rows = await sql("SELECT * FROM refresh_tokens ORDER BY generation")

    assert [bytes(row.token_hash) for row in rows] == [sha256(token.encode()).digest() for token in tokens]
    assert all(len(token) >= 43 for token in tokens)
    assert not any(token in str(row) for row in rows for token in tokens)


@pytest.mark.parametrize("limit", ["expires_at", "idle_until"], ids=["A18 absolute", "A18 idle"])
async def test_a18_sessions_end_by_themselves(connect: Connect, make_user: MakeUser, sql: Sql, limit: str) -> None:
    await make_user()
    async with connect(access_cache_lifetime=0, session_lifetime=86400, session_idle_lifetime=3600) as http:
        ada = Person(http)
        await ada.login()
        assert 3590 <= ada.tokens["refresh_expires_in"] <= 3600
        await sql(f"UPDATE login_sessions SET {limit} = now()")
        assert not await ada.may_enter()
        assert (await ada.refresh()).status_code == 401


async def test_sessions_are_listed_and_ended_one_by_one(ada: Person, make_user: MakeUser) -> None:
    phone, eve = Person(ada.http), Person(ada.http, "eve@example.com")
    await make_user(email=eve.email)
    await phone.login()
    await eve.login()

    listed = (await ada.http.get(f"{AUTH}/sessions", headers=ada.headers)).json()["items"]
    assert [(item["is_current"], item["address"]) for item in listed] == [(False, "127.0.0.1"), (True, "127.0.0.1")]
    path = f"{AUTH}/sessions/{listed[0]['id']}"
    assert (await eve.http.delete(path, headers=eve.headers)).status_code == 404
    assert await phone.may_enter()
    assert (await ada.http.delete(path, headers=ada.headers)).status_code == 204
    assert (await ada.http.delete(path, headers=ada.headers)).status_code == 404
    assert (await ada.http.delete(f"{AUTH}/sessions/{new_id()}", headers=ada.headers)).status_code == 404
    assert not await phone.may_enter()
    assert await ada.may_enter()


async def test_a_login_too_many_ends_the_session_used_least_recently(connect: Connect, make_user: MakeUser) -> None:
    await make_user()
    async with connect(max_user_sessions=2) as http:
        people = [Person(http) for _ in range(3)]
        await people[0].login()
        await people[1].login()
        people[0].tokens = (await people[0].refresh()).json()
        await people[2].login()
        statuses = [(await person.refresh()).status_code for person in people]

    assert statuses == [200, 401, 200]


async def test_keys_and_the_local_user_have_no_session(ada: Person) -> None:
    for path, body in (("logout", None), ("password/change", {"current_password": "x", "new_password": "y" * 9})):
        answer = await ada.http.post(f"{AUTH}/{path}", json=body)
        assert (answer.status_code, "sign in" in answer.json()["detail"]) == (403, True)


async def test_malformed_refresh_is_422(ada: Person) -> None:
    for body in ({}, {"refresh_token": 1}, {"refresh_token": "x" * 201}, {"refresh_token": "x", "y": 1}):
        assert (await ada.http.post(f"{AUTH}/refresh", json=body)).status_code == 422
