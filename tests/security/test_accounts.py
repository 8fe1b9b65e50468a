"""Making an account, and the mails that prove who reads them."""

from tests.api.conftest import PRODUCTION, Connect, MakeUser
from tests.security.conftest import AUTH, ME, PASSWORD, QUICK, Mailbox, Person, Sql

EMAIL = "ada@example.com"


async def test_register_verify_log_in(connect: Connect, mailbox: Mailbox) -> None:
    async with connect(**QUICK) as http:
        ada = Person(http)
        answer = await ada.post("register", email="Ada@Example.com", password=PASSWORD, name="Ada")
        assert (answer.status_code, answer.headers["Cache-Control"]) == (202, "no-store")
        assert (await ada.try_login()).status_code == 401

        (mail,) = await mailbox.mails(EMAIL)
        assert (mail["template"], mail["variables"]["name"], mail["locale"]) == ("verify_email", "Ada", "en")
        verified = await ada.post("verify-email", code=await mailbox.code(EMAIL))

        assert (verified.status_code, verified.json()["email"]) == (200, EMAIL)
        await ada.login()
        assert (await http.get(ME, headers=ada.headers)).json()["id"] == verified.json()["id"]


async def test_names_bring_no_links_into_mails(connect: Connect, mailbox: Mailbox) -> None:
    names = {
        "Dr. Ada O’Neil": "Dr. Ada O’Neil",
        "김에이다": "김에이다",
        "visit evil.example": "ada",
        "http://evil": "ada",
    }
    async with connect(**QUICK, account_mails_per_hour=10) as http:
        for name in names:
            await Person(http).post("register", email=EMAIL, password=PASSWORD, name=name)
    assert [mail["variables"]["name"] for mail in await mailbox.mails(EMAIL)] == list(names.values())


async def test_code_of_a_registration_works_once_and_not_after_its_time(
    connect: Connect, mailbox: Mailbox, sql: Sql
) -> None:
    async with connect(**QUICK) as http:
        ada = Person(http)
        await ada.post("register", email=EMAIL, password=PASSWORD)
        await sql("UPDATE email_codes SET expires_at = now()")
        assert (await ada.post("verify-email", code=await mailbox.code(EMAIL))).status_code == 400
        await ada.post("register", email=EMAIL, password=PASSWORD)
        code = await mailbox.code(EMAIL)
        assert (await ada.post("verify-email", code=code)).status_code == 200
        again = await ada.post("verify-email", code=code)

    assert (again.status_code, again.json()["code"]) == (400, "invalid_code")


async def test_password_belongs_to_the_code_that_came_with_it(connect: Connect, mailbox: Mailbox) -> None:
    async with connect(**QUICK) as http:
        ada, mallory = Person(http), Person(http, password="chosen by somebody else")
        await ada.post("register", email=EMAIL, password=ada.password)
        code = await mailbox.code(EMAIL)
        await mallory.post("register", email=EMAIL, password=mallory.password)

        await ada.post("verify-email", code=code)

        assert (await mallory.try_login()).status_code == 401
        assert (await mallory.post("verify-email", code=await mailbox.code(EMAIL))).status_code == 400
        await ada.login()


async def test_resend_brings_another_code(connect: Connect, mailbox: Mailbox) -> None:
    async with connect(**QUICK) as http:
        ada = Person(http)
        await ada.post("register", email=EMAIL, password=PASSWORD, locale="ko")
        first = await mailbox.code(EMAIL)
        assert (await ada.post("verify-email/resend", email=EMAIL)).status_code == 202
        second = await mailbox.code(EMAIL)

        assert first != second
        assert [mail["locale"] for mail in await mailbox.mails(EMAIL)] == ["ko", "ko"]
        assert (await ada.post("verify-email", code=second)).status_code == 200
        assert (await ada.post("verify-email", code=first)).status_code == 400


async def test_mails_link_to_the_page_of_the_account(connect: Connect, mailbox: Mailbox) -> None:
    async with connect(**QUICK, account_url="https://app.example/account/") as http:
        await Person(http).post("register", email=EMAIL, password=PASSWORD)
        (mail,) = await mailbox.mails(EMAIL)

    assert mail["variables"]["link"].startswith("https://app.example/account/verify-email#code=")
    assert "code" not in mail["variables"]


async def test_nobody_can_be_flooded_with_mails(connect: Connect, mailbox: Mailbox) -> None:
    async with connect(**QUICK, account_mails_per_hour=3) as http:
        ada = Person(http)
        for _ in range(5):
            assert (await ada.post("register", email=EMAIL, password=PASSWORD)).status_code == 202

    assert len(await mailbox.mails(EMAIL)) == 3


async def test_registration_can_be_closed_and_is_in_production(connect: Connect) -> None:
    async with connect(registration_enabled=False) as http:
        answer = await Person(http).post("register", email=EMAIL, password=PASSWORD)
    assert (answer.status_code, "REGISTRATION_ENABLED" in answer.json()["detail"]) == (403, True)
    async with connect(**PRODUCTION) as http:
        assert (await Person(http).post("register", email=EMAIL, password=PASSWORD)).status_code == 403
    async with connect(**PRODUCTION, **QUICK, registration_enabled=True) as http:
        assert (await Person(http).post("register", email=EMAIL, password=PASSWORD)).status_code == 202


async def test_address_that_is_none_is_refused(connect: Connect) -> None:
    wrong = ["", "ada", "ada@", "@example.com", "ada@exa mple.com", "a@b@c", "ada@example.com\r\nBcc: eve@example.com",
             "Ada <ada@example.com>", "ada@example.com,eve@example.com", "ada\u2028@example.com", "아다@example.com", 7,
             None]  # fmt: skip
    async with connect(**QUICK) as http:
        for email in wrong:
            answer = await http.post(f"{AUTH}/register", json={"email": email, "password": PASSWORD})
            assert answer.status_code == 422, email
            assert PASSWORD not in answer.text


async def test_builtin_users_get_no_codes(connect: Connect, mailbox: Mailbox, make_user: MakeUser, sql: Sql) -> None:
    await make_user(email="robot@example.com")
    await sql("UPDATE users SET is_service = true, password_hash = NULL WHERE email = 'robot@example.com'")
    async with connect(**QUICK) as http:
        for email in ("local@letuin.invalid", "robot@example.com", "nobody@example.com"):
            assert (await Person(http).post("password/forgot", email=email)).status_code == 202
    assert await mailbox.mails() == []
