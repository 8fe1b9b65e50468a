"""The api of `tests/api`, and people who use their accounts."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from common.container import CommonContainer
from common.mail.sealing import open_variables
from common.mail.templates import MailTemplate
from common.vault import Vault
from tests.api.conftest import BuildSettings, build_settings, client, connect, make_user  # noqa: F401  fixtures
from tests.security.members import make_member  # noqa: F401  a fixture

AUTH = "/api/v1/auth"
ME = "/api/v1/users/me"
PASSWORD = "correct horse battery"
QUICK = {"account_reply_time": 0}


@dataclass
class Person:
    """Somebody with an account, at one client."""

    http: httpx2.AsyncClient
    email: str = "ada@example.com"
    password: str = PASSWORD
    tokens: dict[str, Any] = field(default_factory=dict)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens['access_token']}"}

    async def post(self, path: str, **body: Any) -> httpx2.Response:
        """A request without a token."""
        return await self.http.post(f"{AUTH}/{path}", json=body)

    async def post_signed_in(self, path: str, **body: Any) -> httpx2.Response:
        """A request with the access token; without a body when there is none."""
        return await self.http.post(f"{AUTH}/{path}", json=body or None, headers=self.headers)

    async def try_login(self, password: str | None = None) -> httpx2.Response:
        return await self.post("login", email=self.email, password=password or self.password)

    async def login(self) -> None:
        answer = await self.try_login()
        assert answer.status_code == 200, answer.text
        self.tokens = answer.json()

    async def refresh(self, token: str | None = None) -> httpx2.Response:
        return await self.post("refresh", refresh_token=token or self.tokens["refresh_token"])

    async def may_enter(self, access_token: str | None = None) -> bool:
        """Whether the access token opens the door."""
        token = access_token or self.tokens["access_token"]
        status = (await self.http.get(ME, headers={"Authorization": f"Bearer {token}"})).status_code
        assert status in (200, 401)
        return status == 200


@dataclass(frozen=True)
class Mailbox:
    """Mails on their way, as the worker will find them."""

    container: CommonContainer
    vault: Vault

    async def mails(self, to: str | None = None) -> list[dict[str, Any]]:
        """The payloads of all mails, oldest first, with their variables opened."""
        query = "SELECT payload FROM jobs WHERE kind = 'email.send' ORDER BY id"
        async with self.container.sessions()() as db:
            found = [dict(row.payload) for row in await db.execute(text(query))]
        return [self._open(mail) for mail in found if to is None or mail["to"] == to]

    async def code(self, to: str) -> str:
        """The code of the newest mail to this address."""
        variables = (await self.mails(to))[-1]["variables"]
        return str(variables.get("code") or re.split(r"#code=", variables["link"])[1])

    def _open(self, mail: dict[str, Any]) -> dict[str, Any]:
        if sealed := mail.get("sealed"):
            opened = open_variables(self.vault, sealed, MailTemplate(mail["template"]), mail["to"])
            mail["variables"] = {**mail["variables"], **opened}
        return mail


type Sql = Callable[..., Awaitable[list[Any]]]


@pytest.fixture
def mailbox(container: CommonContainer, build_settings: BuildSettings) -> Mailbox:  # noqa: F811  a fixture
    """Everything that is to be sent."""
    return Mailbox(container, Vault(build_settings()))


@pytest.fixture
def sql(container: CommonContainer) -> Sql:
    """`await sql("UPDATE …", name=value)`: what time, or an operator, would do."""

    async def execute(statement: str, **values: Any) -> list[Any]:
        async with container.sessions().begin() as db:
            result = await db.execute(text(statement), values)
            return list(result.all()) if result.returns_rows else []  # type: ignore[attr-defined]

    return execute
