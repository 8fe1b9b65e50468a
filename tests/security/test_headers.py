"""What every answer carries (T01, T02), who may call from where (T03, T04), and what is not shown (T06, T07, T13)."""

import httpx2
import pytest
from starlette.types import Message, Receive, Scope, Send

from api.middleware.host import TrustedHostMiddleware
from tests.api.conftest import ACCESS_TOKEN, ECHO, PRODUCTION, Connect

JOBS = "/api/v1/jobs"
STATIC = {"Authorization": f"Bearer {ACCESS_TOKEN}"}
ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}


async def test_every_answer_is_guarded(connect: Connect) -> None:
    """T01, T02: 2xx, 4xx, 5xx, the documentation, Socket.IO"""
    async with connect(database_url="postgresql://x@127.0.0.1:1/x", allowed_hosts="127.0.0.1") as client:
        answers = {
            200: await client.get("/live"),
            404: await client.get("/nothing"),
            405: await client.delete("/live"),
            415: await client.post(JOBS, content=b"x"),
            422: await client.get(f"{JOBS}?limit=0"),
            503: await client.get(JOBS),
        }
        pages = [await client.get(path) for path in ("/docs", "/redoc")]
        description = await client.get("/openapi.json")
        socket = await client.get("/socket.io/?EIO=4&transport=polling")
        refused = await client.get("/live", headers={"Host": "evil.example"})

    assert {status: answer.status_code for status, answer in answers.items()} == {status: status for status in answers}
    for answer in [*answers.values(), description, socket, refused, *pages]:
        for name, value in ALWAYS.items():
            assert answer.headers.get_list(name) == [value], answer.url
        assert answer.headers["Cache-Control"] == "no-store"
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert "Server" not in answer.headers
        assert "Strict-Transport-Security" not in answer.headers
    for answer in [*answers.values(), description, socket]:
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none';")
    for page in pages:
        assert "https://cdn.jsdelivr.net" in page.headers["Content-Security-Policy"]


async def test_tls_is_remembered(connect: Connect) -> None:
    """T01: behind a proxy that ends TLS, and only if it is trusted."""
    encrypted = {"X-Forwarded-Proto": "https"}
    async with connect() as client:
        assert "Strict-Transport-Security" not in (await client.get("/live", headers=encrypted)).headers
    async with connect(trusted_proxies="127.0.0.1") as client:
        answer = await client.get("/live", headers=encrypted)
    assert answer.headers["Strict-Transport-Security"] == "max-age=63072000"


ORIGINS = {
    "https://app.example": True,
    "https://b.example:8443": True,
    "https://app.example.evil.example": False,
    "https://evil-app.example": False,
    "https://appxexample": False,
    "http://app.example": False,
    "https://app.example:444": False,
    "https://APP.EXAMPLE": False,
    "https://sub.app.example": False,
    "null": False,
    "": False,
}


async def test_only_named_origins_may_read(connect: Connect) -> None:
    """T03"""
    async with connect(**PRODUCTION, cors_origins="https://app.example,https://b.example:8443") as client:
        for origin, is_named in ORIGINS.items():
            asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
            preflight = await client.options(JOBS, headers={**asked, "Access-Control-Request-Headers": "authorization"})
            answers = [
                preflight,
                await client.get(JOBS, headers={**STATIC, "Origin": origin}),
                await client.get(JOBS, headers={"Origin": origin}),
                await client.post(JOBS, headers={**STATIC, "Origin": origin}, content=b"x"),
            ]
            assert [answer.status_code for answer in answers[1:]] == [200, 401, 415]
            for answer in answers:
                allowed = answer.headers.get("Access-Control-Allow-Origin")
                assert allowed == (origin if is_named else None), origin
                assert "Access-Control-Allow-Credentials" not in answer.headers
                assert not is_named or "Origin" in answer.headers["Vary"]
            if is_named:
                assert "RateLimit" in answers[1].headers["Access-Control-Expose-Headers"]


HOSTS = {
    "api.example": True,
    "API.example:8000": True,
    "api.example.": True,
    "x.apps.example": True,
    "x.y.apps.example:1": True,
    "apps.example": False,
    "evil.example": False,
    "api.example.evil.example": False,
    "evil-apps.example": False,
    "api.example@evil.example": False,
    "api.example/x": False,
    "127.0.0.1": False,
    "": False,
}


async def test_other_hosts_are_refused(connect: Connect) -> None:
    """T04"""
    async with connect(environment="staging", allowed_hosts="api.example, *.apps.example") as client:
        for host, is_ours in HOSTS.items():
            answer = await client.get("/live", headers={"Host": host, "X-Forwarded-Host": "api.example"})
            assert answer.status_code == (200 if is_ours else 400), host
            if not is_ours:
                assert answer.json()["code"] == "invalid_header", host
                assert answer.json()["request_id"] == answer.headers["X-Request-ID"], host
        twice = await client.get("/live", headers=[("Host", "api.example"), ("Host", "evil.example")])
        socket = await client.get("/socket.io/?EIO=4&transport=polling", headers={"Host": "evil.example"})
    assert (twice.status_code, socket.status_code) == (400, 400)


@pytest.mark.parametrize(
    ("version", "allowed", "hosts", "passes"),
    [
        ("1.0", [], [], True),
        ("1.1", [], [], False),
        ("1.0", ["api.example"], [], False),
        ("1.0", [], [b"a.example", b"b.example"], False),
        ("1.1", [], [b"a.example"], True),
    ],
)
async def test_who_may_name_no_host(version: str, allowed: list[str], hosts: list[bytes], passes: bool) -> None:
    """T04: HTTP/1.0 knows requests without the header, and the probes of some proxies are such."""
    reached: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        reached.append(scope["path"])

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        reached.extend([str(message["status"])] if "status" in message else [])

    headers = [(b"host", host) for host in hosts]
    scope = {"type": "http", "http_version": version, "method": "GET", "path": "/live", "headers": headers}
    await TrustedHostMiddleware(app, allowed=allowed)({**scope, "query_string": b""}, receive, send)
    assert reached == (["/live"] if passes else ["400"])


async def test_links_name_no_host(connect: Connect) -> None:
    """T04: what a client claims about the host comes back in no link."""
    async with connect(environment="test", allow_open_access_from_network=True) as client:
        headers = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}
        jobs = [await client.post(JOBS, json=ECHO, headers=headers) for _ in range(2)]
        page = await client.get(JOBS, params={"limit": 1}, headers=headers)
    assert jobs[0].headers["Location"] == f"{JOBS}/{jobs[0].json()['id']}"
    assert page.headers["Link"].startswith(f"<{JOBS}?")
    assert "evil" not in str([*jobs[0].headers.items(), *page.headers.items()])


DOCS = ("/docs", "/redoc", "/openapi.json")


@pytest.mark.parametrize(
    ("access", "without", "with_token"),
    [
        (None, [404, 404, 404], [404, 404, 404]),
        ("off", [404, 404, 404], [404, 404, 404]),
        ("token", [404, 404, 401], [404, 404, 200]),
        ("public", [200, 200, 200], [200, 200, 200]),
    ],
)
async def test_documentation_in_production(
    connect: Connect, access: str | None, without: list[int], with_token: list[int]
) -> None:
    """T06"""
    async with connect(**PRODUCTION, docs_access=access) as client:
        assert [(await client.get(path)).status_code for path in DOCS] == without
        assert [(await client.get(path, headers=STATIC)).status_code for path in DOCS] == with_token


async def test_nothing_for_developers_is_there(connect: Connect) -> None:
    """T07"""
    async with connect(**PRODUCTION) as client:
        for path in ("/debug", "/admin", "/.env", "/api/v1/debug", "/docs/oauth2-redirect"):
            answer = await client.get(path, headers=STATIC)
            assert (answer.status_code, answer.json()["detail"]) == (404, "Not Found"), path


async def test_nothing_is_done_for_a_token_in_the_url(connect: Connect) -> None:
    """A31"""
    async with connect(**PRODUCTION) as client:
        for name in ("access_token", "token", "api_key", "authorization"):
            answer = await client.get(JOBS, params={name: ACCESS_TOKEN}, headers={"Cookie": f"{name}={ACCESS_TOKEN}"})
            assert answer.status_code == 401, name


REQUEST_IDS = {
    "10 KB": b"a" * 10_000,
    "CR LF": b"a\r\nX-Evil: 1",
    "NUL": b"a\0b",
    "escape": b"\x1b[31m",
    "spaces": b"a b",
}


async def test_request_ids_that_are_not_clean_are_replaced(client: httpx2.AsyncClient) -> None:
    """T13"""
    for name, given in REQUEST_IDS.items():
        answer = await client.get("/live", headers={b"X-Request-ID": given})
        assert (answer.status_code, len(answer.headers["X-Request-ID"])) == (200, 36), name
        assert "X-Evil" not in answer.headers, name
