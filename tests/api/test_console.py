"""How the console is served: its headers, its caching, and when it is not there."""

import re

import httpx2
import pytest

from tests.api.conftest import PRODUCTION, Connect

STRICT = ("default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "form-action 'none'")


async def test_page_may_load_nothing_from_elsewhere(connect: Connect) -> None:
    async with connect(**PRODUCTION) as client:
        page = await client.get("/console")
        script = re.findall(r'src="(/console/assets/[^"]+\.js)"', page.text)[0]
        answers = [page, await client.get(script), await client.get("/console/jobs/some-job")]

    for answer in answers:
        policy = answer.headers["Content-Security-Policy"]
        assert answer.status_code == 200
        assert all(rule in policy for rule in STRICT), policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "<script>" not in page.text
    assert "<style" not in page.text


async def test_assets_are_kept_and_the_page_is_asked_for_again(client: httpx2.AsyncClient) -> None:
    page = await client.get("/console/jobs")
    assert page.headers["Cache-Control"] == "no-cache"
    again = await client.get("/console/jobs", headers={"If-None-Match": page.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")

    paths = re.findall(r'"(/console/assets/[^"]+)"', page.text)
    for path in paths:
        packed = await client.get(path, headers={"Accept-Encoding": "gzip"})
        plain = await client.get(path, headers={"Accept-Encoding": "identity"})
        assert packed.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert packed.headers["Content-Encoding"] == "gzip"
        assert packed.content == plain.content
    assert len(paths) >= 3


@pytest.mark.parametrize(
    "path", ["assets/nothing.js", "nothing.js", "../main.py", "assets/../../pages.py", "%2e%2e/x.py"]
)
async def test_what_is_not_a_file_of_it_is_not_found(client: httpx2.AsyncClient, path: str) -> None:
    answer = await client.get(f"/console/{path}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_page_is_told_what_the_api_has(connect: Connect) -> None:
    async with connect(**PRODUCTION) as client:
        closed = (await client.get("/console")).text
    async with connect() as client:
        opened = (await client.get("/console")).text
    assert 'name="letuin-access" content="token"' in closed
    assert 'name="letuin-access" content="open"' in opened
    assert 'name="letuin-registration" content="closed"' in closed
    assert 'name="letuin-registration" content="open"' in opened
    assert {"jobs", "ops", "schedules"} <= set(re.findall(r'letuin-features" content="([^"]+)"', closed)[0].split())


async def test_it_can_be_left_out(connect: Connect) -> None:
    async with connect(**PRODUCTION, console_enabled=False) as client:
        for path in ("/console", "/console/jobs"):
            assert (await client.get(path)).status_code == 404
        assert (await client.post("/console")).status_code == 404


async def test_it_only_shows(client: httpx2.AsyncClient) -> None:
    assert (await client.head("/console")).status_code == 200
    assert (await client.post("/console")).status_code == 405
