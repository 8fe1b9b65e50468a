"""Logins of people who guess, of many at once, and what is written down about them."""

import asyncio
from collections.abc import Iterator
from time import process_time
from typing import Any

import pytest
from loguru import logger

from tests.api.conftest import ACCESS_TOKEN, PRODUCTION, Connect, MakeUser
from tests.security.conftest import AUTH, ME, PASSWORD, QUICK, Mailbox, Person, Sql

UNBOUND = {"login_account_failures": 1000, "login_address_failures": 1000}
# What a window or a wait that has passed looks like.
LATER = "UPDATE attempt_counts SET blocked_until = blocked_until - interval '1 hour'"


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """Every line of the log, whole."""
    written: list[str] = []
    sink = logger.add(lambda message: written.append(str(message)), level=0, serialize=True)
    yield written
    logger.remove(sink)


async def test_a19_unknown_users_cost_as_much_as_wrong_passwords(connect: Connect, make_user: MakeUser) -> None:
    await make_user()
    took: dict[str, list[float]] = {"ada@example.com": [], "nobody@example.com": []}
    answers = []
    async with connect(**UNBOUND) as http:
        for _ in range(12):
            for email, times in took.items():
                started = process_time()
                answers.append(await Person(http, email).try_login("wrong password"))
                times.append(process_time() - started)

    known, unknown = map(min, took.values())  # the least disturbed ones
    assert 0.5 < known / unknown < 2  # without a hash it were a tenth
    told = [{k: v for k, v in answer.json().items() if k != "request_id"} for answer in answers]
    assert all(each == told[0] for each in told)
    assert {frozenset(answer.headers) for answer in answers} == {frozenset(answers[0].headers)}


async def test_a25_failures_of_one_account_make_it_wait_longer_and_longer(
    connect: Connect, make_user: MakeUser, sql: Sql
) -> None:
    await make_user()
    async with connect() as http:
        ada = Person(http)
        statuses = []
        for spelling in (ada.email, ada.email.upper()) * 5:  # one account, however it is spelt
            statuses.append((await Person(http, spelling).try_login("wrong password")).status_code)
        waits = []
        for _ in range(3):
            refused = await ada.try_login()
            assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
            waits.append(int(refused.headers["Retry-After"]))
            await sql(LATER)
            assert (await ada.try_login("wrong password")).status_code == 401
        assert statuses == [401] * 10
        assert [round(wait / 30) for wait in waits] == [1, 2, 4]
        await sql(LATER)
        await ada.login()
        assert (await ada.try_login("wrong password")).status_code == 401


async def test_a25_waits_have_an_end_and_failures_are_forgotten(
    connect: Connect, make_user: MakeUser, sql: Sql
) -> None:
    await make_user()
    async with connect() as http:
        ada = Person(http)
        await ada.try_login("wrong password")
        await sql("UPDATE attempt_counts SET count = 500")
        await ada.try_login("wrong password")
        assert 890 <= int((await ada.try_login()).headers["Retry-After"]) <= 900
        await sql("UPDATE attempt_counts SET blocked_until = now(), expires_at = now()")
        assert (await ada.try_login("wrong password")).status_code == 401
        await ada.login()


async def test_a25_a_stranger_cannot_lock_an_account(connect: Connect, make_user: MakeUser, sql: Sql) -> None:
    await make_user()
    async with connect() as http:
        ada = Person(http)
        await ada.login()  # from here, so that this place is known
        await sql("UPDATE login_sessions SET address = '203.0.113.7'")
        for _ in range(10):
            await ada.try_login("wrong password")
        assert (await ada.try_login()).status_code == 429
        await sql("UPDATE login_sessions SET address = '127.0.0.1'")
        await ada.login()


async def test_a25_a26_failures_of_one_address_over_many_accounts(connect: Connect) -> None:
    async with connect(**PRODUCTION, login_address_failures=20) as http:
        statuses = []
        for number in range(22):
            body = {"email": f"user{number}@example.com", "password": "wrong password"}
            forged = {"X-Forwarded-For": f"203.0.113.{number}", "Forwarded": f"for=203.0.113.{number}"}
            statuses.append((await http.post(f"{AUTH}/login", json=body, headers=forged)).status_code)
        assert statuses == [401] * 20 + [429] * 2


async def test_a25_guesses_at_once_do_not_slip_through(connect: Connect, make_user: MakeUser) -> None:
    await make_user()
    async with connect() as http:
        answers = await asyncio.gather(*(Person(http).try_login("wrong password") for _ in range(30)))
    statuses = [answer.status_code for answer in answers]
    assert (statuses.count(401), statuses.count(429)) == (10, 20)


async def test_a27_two_hundred_logins_at_once(connect: Connect, make_user: MakeUser) -> None:
    await make_user()
    async with connect(**UNBOUND, max_waiting_logins=6, database_pool_size=20) as http:
        flood = asyncio.gather(*(Person(http).try_login() for _ in range(200)))
        health = []
        while not flood.done():
            health.append((await http.get("/live")).status_code)
            await asyncio.sleep(0)
        answers = await flood

    statuses = [answer.status_code for answer in answers]
    assert set(statuses) == {200, 503}
    assert statuses.count(200) >= 8
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in answers if answer.status_code == 503)
    assert len(health) > 10
    assert set(health) == {200}


async def test_a28_static_token_is_compared_whole(connect: Connect) -> None:
    async with connect(**PRODUCTION) as http:
        for token in (ACCESS_TOKEN[:-1], ACCESS_TOKEN + "x", ACCESS_TOKEN.upper(), ACCESS_TOKEN[::-1], "x"):
            answer = await http.get(ME, headers={"Authorization": f"Bearer {token}"})
            assert (answer.status_code, answer.json()["detail"]) == (401, "Invalid access token")
        assert (await http.get("/api/v1/jobs", headers={"Authorization": f"Bearer {ACCESS_TOKEN}"})).status_code == 200


async def test_a32_every_event_is_a_row_and_a_line_without_secrets(
    connect: Connect, mailbox: Mailbox, sql: Sql, lines: list[str]
) -> None:
    secrets = [PASSWORD, "another password of mine", "a wrong password 4711"]
    async with connect(**QUICK) as http:
        ada = Person(http)
        secrets += await live_through_everything(ada, mailbox, secrets)
    events = [(row.event, row.outcome) for row in await sql("SELECT event, outcome FROM audit_events ORDER BY id")]

    assert events.count(("access.denied", "denied")) == 1  # beside the wrong password; which row comes first is open
    assert [event for event in events if event[0] != "access.denied"] == [
        ("auth.register", "success"),
        ("auth.verify_email", "failure"),
        ("auth.verify_email", "success"),
        ("auth.login", "failure"),
        ("auth.login", "success"),
        ("auth.refresh", "success"),
        ("auth.refresh", "failure"),
        ("auth.password_check", "failure"),
        ("auth.password_change", "success"),
        ("auth.password_forgot", "success"),
        ("auth.password_reset", "success"),
        ("auth.login", "success"),
        ("auth.logout", "success"),
    ]
    assert sum("Audit event" in line for line in lines) == len(events)
    rows = str(await sql("SELECT * FROM audit_events"))
    everything = "\n".join(lines) + rows
    assert [secret for secret in secrets if secret in everything] == []


async def live_through_everything(ada: Person, mailbox: Mailbox, passwords: list[str]) -> list[str]:
    """One life of an account; returns every token and code that was in it."""
    first, second, wrong = passwords
    seen: list[str] = []

    async def note(tokens: dict[str, Any]) -> None:
        ada.tokens = tokens
        seen.extend([tokens["access_token"], tokens["refresh_token"]])

    await ada.post("register", email=ada.email, password=first)
    await ada.post("verify-email", code="a code that is none, surely")
    seen.append(await mailbox.code(ada.email))
    await ada.post("verify-email", code=seen[-1])
    await ada.try_login(wrong)
    await note((await ada.try_login(first)).json())
    await note((await ada.refresh()).json())
    await ada.refresh("ltr_a token that is none")
    await ada.post_signed_in("password/change", current_password=wrong, new_password=second)
    await note((await ada.post_signed_in("password/change", current_password=first, new_password=second)).json())
    await ada.post("password/forgot", email=ada.email)
    seen.append((await mailbox.mails(ada.email))[-1]["variables"]["code"])
    await ada.post("password/reset", code=seen[-1], new_password=first)
    await note((await ada.try_login(first)).json())
    await ada.post_signed_in("logout")
    return [*seen, "a code that is none, surely", "ltr_a token that is none"]
