"""Passwords and addresses: which may be chosen, and who may change them."""

import asyncio
from collections.abc import AsyncIterator
from time import perf_counter

import httpx2
import pytest

from tests.api.conftest import Connect, MakeUser
from tests.security.conftest import AUTH, PASSWORD, QUICK, Mailbox, Person, Sql

EMAIL, NEW = "ada@example.com", "a horse of another colour"


async def reset(ada: Person, code: str) -> httpx2.Response:
    return await ada.post("password/reset", code=code, new_password=NEW)


@pytest.fixture
async def ada(connect: Connect, make_user: MakeUser) -> AsyncIterator[Person]:
    """Somebody who has just signed in."""
    await make_user()
    async with connect(**QUICK) as http:
        person = Person(http)
        await person.login()
        yield person


async def test_a20_answers_tell_nothing_but_the_mails_do(ada: Person, mailbox: Mailbox) -> None:
    answers = [
        await ada.post(path, **body)
        for path in ("register", "password/forgot", "verify-email/resend")
        for body in ({"email": EMAIL}, {"email": "new@example.com"})
        for body in ([body | {"password": PASSWORD}] if path == "register" else [body])
    ]

    assert {(answer.status_code, answer.text) for answer in answers} == {(202, answers[0].text)}
    kept = {"content-type", "content-length", "cache-control"}
    heads = [{name: value for name, value in answer.headers.items() if name in kept} for answer in answers]
    assert all(head == heads[0] for head in heads)
    known, unknown = await mailbox.mails(EMAIL), await mailbox.mails("new@example.com")
    assert [mail.get("template") or mail["subject"] for mail in known] == [
        "You already have an account", "reset_password",
    ]  # fmt: skip
    assert [mail["template"] for mail in unknown] == ["verify_email", "verify_email"]


async def test_a20_answers_take_equally_long(connect: Connect, make_user: MakeUser) -> None:
    await make_user()
    took: dict[str, list[float]] = {EMAIL: [], "nobody@example.com": []}
    async with connect(account_reply_time=2, account_mails_per_hour=100) as http:

        async def ask(email: str) -> None:
            started = perf_counter()
            await Person(http).post("password/forgot", email=email)
            took[email].append(perf_counter() - started)

        await asyncio.gather(*(ask(email) for email in [*took] * 5))

    known, unknown = map(min, took.values())  # the least disturbed ones
    assert abs(known - unknown) < 0.25 * unknown
    assert min(known, unknown) >= 2


async def test_a21_passwords_are_taken_as_they_are(ada: Person) -> None:
    for password in (
        "aB3$dE6&",
        "0123456789abcdef" * 4,
        "0123456789abcdef" * 8,
        "with\x00a NUL inside",
        " leading and trailing ",
        "한국어 비밀번호 사용",
        "de\u0301ja\u0300 vu encore",
    ):
        body = {"current_password": ada.password, "new_password": password}
        ada.tokens = (await ada.post_signed_in("password/change", **body)).json()
        ada.password = password
        for other in {password.strip(), password[:-1], password.upper(), password.replace("\x00", "")} - {password}:
            assert (await ada.try_login(other)).status_code == 401, password
        assert (await ada.try_login()).status_code == 200, password


async def test_a21_a22_passwords_that_may_not_be_chosen(ada: Person, mailbox: Mailbox) -> None:
    await ada.post("password/forgot", email=EMAIL)
    code = await mailbox.code(EMAIL)
    for password in (
        "x" * 7,
        "0123456789abcdef" * 8 + "x",
        "0123456789" * 100,
        "0123456789" * 100_000,
        "password1",
        "IloveYou",
        "aaaaaaaaaaaa",
        "Ada@Example.com",
    ):
        answer = await ada.post("password/reset", code=code, new_password=password)
        assert answer.status_code == 422, password[:20]
        assert len(password) < 12 or password not in answer.text
    assert (await reset(ada, code)).status_code == 204


async def test_a21_a_password_is_the_same_however_it_was_composed(ada: Person, mailbox: Mailbox) -> None:
    await ada.post("password/forgot", email=EMAIL)
    await ada.post("password/reset", code=await mailbox.code(EMAIL), new_password="de\u0301ja\u0300 vu encore")
    assert (await ada.try_login("d\u00e9j\u00e0 vu encore")).status_code == 200


async def test_a22_password_must_not_be_the_name(ada: Person) -> None:
    answer = await ada.post("register", email="new@example.com", password="Ada Lovelace", name="ada lovelace")
    assert (answer.status_code, answer.json()["code"]) == (422, "password_refused")


async def test_a23_stored_hash(ada: Person, sql: Sql, make_user: MakeUser) -> None:
    await make_user(email="eve@example.com")
    first, second = [row[0] for row in await sql("SELECT password_hash FROM users WHERE password_hash IS NOT NULL")]

    assert first.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert first != second


async def test_a29_changing_a_password_takes_the_old_one_and_ends_other_sessions(ada: Person, mailbox: Mailbox) -> None:
    phone = Person(ada.http)
    await phone.login()
    wrong = await ada.post_signed_in("password/change", current_password="wrong password", new_password=NEW)
    assert wrong.status_code == 403
    assert await phone.may_enter()

    answer = await ada.post_signed_in("password/change", current_password=PASSWORD, new_password=NEW)

    assert answer.status_code == 200
    assert await ada.may_enter(answer.json()["access_token"])
    for person in (ada, phone):
        assert not await person.may_enter()
        assert (await person.refresh()).status_code == 401
    assert (await ada.try_login()).status_code == 401
    assert (await ada.try_login(NEW)).status_code == 200
    assert (await mailbox.mails(EMAIL))[-1]["subject"] == "Your password was changed"


async def test_a29_changing_the_address(ada: Person, mailbox: Mailbox) -> None:
    phone = Person(ada.http)
    await phone.login()
    refused = await ada.post_signed_in("email/change", new_email="ada@new.example.com", password="wrong password")
    assert refused.status_code == 403
    asked = await ada.post_signed_in("email/change", new_email="Ada@new.example.com", password=PASSWORD, locale="ko")
    assert asked.status_code == 202
    code = await mailbox.code("ada@new.example.com")
    assert (await ada.post("password/reset", code=code, new_password=NEW)).status_code == 400

    answer = await ada.post("email/change/confirm", code=code)

    assert (answer.status_code, answer.json()["email"]) == (200, "ada@new.example.com")
    assert await ada.may_enter()
    assert not await phone.may_enter()
    assert (await phone.refresh()).status_code == 401
    assert (await mailbox.mails(EMAIL))[-1]["subject"] == "Your address was changed"
    assert (await ada.try_login()).status_code == 401
    ada.email = "ada@new.example.com"
    await ada.login()
    assert (await ada.post("email/change/confirm", code=code)).status_code == 400


async def test_address_of_another_cannot_be_taken(ada: Person, mailbox: Mailbox, make_user: MakeUser, sql: Sql) -> None:
    eve = "eve@example.com"
    asked = await ada.post_signed_in("email/change", new_email=eve, password=PASSWORD)
    code = await mailbox.code(eve)
    await make_user(email=eve)
    taken = await ada.post_signed_in("email/change", new_email=eve, password=PASSWORD)

    assert (asked.status_code, asked.text) == (taken.status_code, taken.text)
    assert (await mailbox.mails(eve))[-1]["subject"] == "You already have an account"
    assert (await ada.post("email/change/confirm", code=code)).status_code == 409
    assert (await sql("SELECT count(*) FROM users WHERE email = 'eve@example.com'")) == [(1,)]


async def test_a30_reset_code_works_once_soon_and_for_its_user(
    ada: Person, mailbox: Mailbox, sql: Sql, make_user: MakeUser
) -> None:
    await make_user(email="eve@example.com")
    await ada.post("password/forgot", email=EMAIL)
    assert await sql("SELECT date_part('minute', expires_at - created_at) FROM email_codes") == [(10,)]
    late = await mailbox.code(EMAIL)
    await sql("UPDATE email_codes SET expires_at = expires_at - interval '11 minutes'")
    assert (await reset(ada, late)).status_code == 400

    await ada.post("password/forgot", email=EMAIL)
    replaced = await mailbox.code(EMAIL)
    await ada.post("password/forgot", email=EMAIL)
    assert (await reset(ada, replaced)).status_code == 400
    code = await mailbox.code(EMAIL)
    for path in ("verify-email", "email/change/confirm"):
        assert (await ada.post(path, code=code)).status_code == 400
    assert (await reset(ada, code)).status_code == 204
    assert (await reset(ada, code)).status_code == 400

    assert not await ada.may_enter()
    assert (await ada.refresh()).status_code == 401
    assert (await ada.try_login(NEW)).status_code == 200
    assert (await Person(ada.http, "eve@example.com").try_login()).status_code == 200


async def test_a30_reset_code_ends_with_a_password_change_and_with_the_user(
    ada: Person, mailbox: Mailbox, sql: Sql
) -> None:
    await ada.post("password/forgot", email=EMAIL)
    code = await mailbox.code(EMAIL)
    await ada.post_signed_in("password/change", current_password=PASSWORD, new_password=NEW)
    assert (await reset(ada, code)).status_code == 400
    await ada.post("password/forgot", email=EMAIL)
    await sql("UPDATE users SET is_active = false")
    assert (await reset(ada, (await mailbox.mails(EMAIL))[-1]["variables"]["code"])).status_code == 400


async def test_codes_are_kept_as_hashes_and_wait_sealed(ada: Person, mailbox: Mailbox, sql: Sql) -> None:
    await ada.post("password/forgot", email=EMAIL)
    await ada.http.post(f"{AUTH}/register", json={"email": "new@example.com", "password": PASSWORD})
    rows = str(await sql("SELECT * FROM email_codes")) + str(await sql("SELECT * FROM jobs"))

    assert await mailbox.code(EMAIL) not in rows
    assert await mailbox.code("new@example.com") not in rows
    assert PASSWORD not in rows
