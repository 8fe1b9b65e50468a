"""How much one request may bring (R01, R02, A02), and how many requests one caller may make (A26, R03, R15)."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from time import monotonic, process_time
from typing import Any

import httpx2
import pytest
from redis.asyncio import Redis

from api.rate_limit import Policy, RateLimiter, WithoutRedis
from common.redis import create_redis
from tests.api.conftest import ACCESS_TOKEN, ECHO, PRODUCTION, BuildSettings, Connect, MakeUser

JOBS = "/api/v1/jobs"
STATIC = {"Authorization": f"Bearer {ACCESS_TOKEN}"}
PATIENCE = timedelta(seconds=30)
WINDOW = timedelta(minutes=10)
NOWHERE = "redis://127.0.0.1:1/0"
_POLICY = re.compile(r'"(user|address)";q=(\d+);w=(\d+)')
_STATE = re.compile(r'"(user|address)";r=(\d+);t=(\d+)')


def told(answer: httpx2.Response) -> tuple[str, int, int]:
    """The policy that was applied, its quota, and what is left of it."""
    policy, state = _POLICY.fullmatch(answer.headers["RateLimit-Policy"]), _STATE.fullmatch(answer.headers["RateLimit"])
    assert policy is not None
    assert state is not None
    assert policy[1] == state[1]
    assert int(state[3]) <= int(policy[3])
    return policy[1], int(policy[2]), int(state[2])


HEADS: dict[str, tuple[str, dict[str, str], int, str]] = {
    "URL to the limit": (f"{JOBS}?x={'a' * 200}", {}, 200, ""),
    "long query": (f"{JOBS}?x={'a' * 600}", {}, 414, "MAX_URL_BYTES allows 512"),
    "long path": (f"/{'a' * 600}", {}, 414, "MAX_URL_BYTES allows 512"),
    "a large header": (JOBS, {"X-Large": "a" * 5000}, 431, "MAX_HEADER_BYTES allows 4096"),
    "A02 a large token": (JOBS, {"Authorization": f"Bearer {'a' * 5000}"}, 431, "MAX_HEADER_BYTES allows 4096"),
    "many headers": (JOBS, {f"X-{n}": "a" for n in range(30)}, 431, "MAX_HEADERS allows 20"),
}


async def test_heads_are_bounded(connect: Connect) -> None:
    async with connect(max_url_bytes=512, max_headers=20, max_header_bytes=4096) as client:
        for name, (path, headers, status, words) in HEADS.items():
            answer = await client.get(path, headers=headers)
            assert answer.status_code == status, (name, answer.text)
            if words:
                assert words in answer.json()["detail"], name
                assert answer.headers["Content-Type"] == "application/problem+json", name


async def test_a_slow_body_is_given_up(connect: Connect) -> None:
    """R02"""

    async def body() -> AsyncIterator[bytes]:
        yield b'{"kind":'
        await asyncio.Event().wait()

    async with connect(request_timeout=0.2) as client:
        answer = await client.post(JOBS, content=body(), headers={"Content-Type": "application/json"})

    assert (answer.status_code, answer.json()["code"]) == (408, "request_timeout")
    assert "REQUEST_TIMEOUT, 0.2 s" in answer.json()["detail"]
    assert answer.headers["Connection"] == "close"


async def test_every_answer_tells_what_is_left(connect: Connect) -> None:
    """R03"""
    async with connect(rate_limit_per_user=3, rate_limit_window=60) as client:
        answers = [await client.get(path) for path in (JOBS, "/no/such/path", f"{JOBS}?limit=0", JOBS, JOBS)]
        probe = await client.get("/live")

    assert [answer.status_code for answer in answers] == [200, 404, 422, 429, 429]
    assert [told(answer) for answer in answers] == [("user", 3, left) for left in (2, 1, 0, 0, 0)]
    for refused in answers[3:]:
        assert refused.headers["Content-Type"] == "application/problem+json"
        assert (refused.json()["code"], refused.json()["status"]) == ("rate_limited", 429)
        assert refused.json()["detail"] == "too many requests; RATE_LIMIT_PER_USER allows 3 in 60 s"
        assert 1 <= int(refused.headers["Retry-After"]) <= 20
    assert probe.status_code == 200
    assert "RateLimit" not in probe.headers


async def test_it_goes_on_after_the_wait_that_was_named(connect: Connect) -> None:
    async with connect(rate_limit_per_user=2, rate_limit_window=4) as client:
        answers = await asyncio.gather(*(client.get(JOBS) for _ in range(20)))
        refused = [answer for answer in answers if answer.status_code == 429]
        assert {200, 429} == {answer.status_code for answer in answers}
        await asyncio.sleep(max(int(answer.headers["Retry-After"]) for answer in refused))
        again = await client.get(JOBS)

    assert again.status_code == 200


async def test_users_have_quotas_of_their_own(connect: Connect, make_user: MakeUser) -> None:
    ada, bob = await make_user(), await make_user("bob@example.com")
    async with connect(**PRODUCTION, rate_limit_per_user=4) as client:
        theirs = [await ada.sign_in(client), await bob.sign_in(client), STATIC]
        first = [await client.get(JOBS, headers=each) for each in theirs]
        counted = [[(await client.get(JOBS, headers=each)).status_code for _ in range(5)] for each in theirs]

    assert {told(answer)[0] for answer in first} == {"address"}  # nobody knew these tokens yet
    assert counted == [[200, 200, 200, 200, 429]] * 3


async def test_guessing_tokens_uses_up_the_address_alone(connect: Connect) -> None:
    """A25, A26: the header of a proxy that nobody trusts changes nothing."""
    async with connect(**PRODUCTION, rate_limit_per_address=5) as client:
        assert (await client.get(JOBS, headers=STATIC)).status_code == 200
        answers = [
            await client.get(JOBS, headers={"Authorization": f"Bearer guess-{n}", "X-Forwarded-For": f"192.0.2.{n}"})
            for n in range(6)
        ]
        known = await client.get(JOBS, headers=STATIC)

    assert [answer.status_code for answer in answers] == [401, 401, 401, 401, 429, 429]
    assert told(answers[-1]) == ("address", 5, 0)
    assert (known.status_code, told(known)[0]) == (200, "user")


async def test_clients_behind_a_trusted_proxy_are_told_apart(connect: Connect) -> None:
    """A26: read from the right, so what the client put there itself does not count."""
    async with connect(**PRODUCTION, rate_limit_per_address=1, trusted_proxies="127.0.0.0/8") as client:

        async def ask(forwarded: str) -> int:
            return (await client.get(JOBS, headers={"X-Forwarded-For": forwarded})).status_code

        assert [await ask("192.0.2.1"), await ask("192.0.2.1")] == [401, 429]
        assert [await ask("192.0.2.2"), await ask("10.9.9.9, 192.0.2.2")] == [401, 429]
        assert [await ask("2001:db8::1"), await ask("2001:db8::2"), await ask("2001:db8:0:1::")] == [401, 429, 401]


async def test_no_limit_no_header(connect: Connect) -> None:
    async with connect(rate_limit_per_user=0) as client:
        assert "RateLimit" not in (await client.get(JOBS)).headers


async def test_open_counts_alone_while_redis_is_away(connect: Connect) -> None:
    async with connect(rate_limit_per_user=2, redis_url=NOWHERE) as client:
        statuses = [(await client.get(JOBS)).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]


async def test_closed_refuses_while_redis_is_away(connect: Connect) -> None:
    async with connect(rate_limit_without_redis="closed", redis_url=NOWHERE) as client:
        answer, probe = await client.get(JOBS), await client.get("/live")

    assert (answer.status_code, answer.json()["code"], probe.status_code) == (503, "unavailable", 200)
    assert "RATE_LIMIT_WITHOUT_REDIS is closed" in answer.json()["detail"]
    assert answer.headers["Retry-After"] == "1"


@asynccontextmanager
async def limiters(settings: Any, quota: int, count: int, without: WithoutRedis = "open") -> AsyncIterator[Any]:
    """Limiters of as many processes, and the Redis that they share."""
    redis = create_redis(settings.model_copy(update={"redis_timeout": PATIENCE, "redis_connect_timeout": PATIENCE}))
    policy = Policy("user", quota, WINDOW)
    yield (
        [RateLimiter(policy, redis, prefix="test", without_redis=without, patience=PATIENCE) for _ in range(count)],
        redis,
    )
    await redis.aclose()


@pytest.mark.parametrize("quota", [1, 7, 100, 1000])
async def test_processes_together_let_no_more_pass(build_settings: BuildSettings, quota: int) -> None:
    """R04: at once, over four processes, exactly the quota, but for what lots that others hold may cost."""
    async with limiters(build_settings(), quota, 4) as (all_of_them, _):
        started = monotonic()
        verdicts = await asyncio.gather(
            *(each.take("ada") for _ in range(quota) for each in all_of_them),
        )
        allowed = sum(verdict.is_allowed for verdict in verdicts)
        slack = 4 * max(1, quota // 100)
        earned = quota * (monotonic() - started) / WINDOW.total_seconds()
    assert quota - slack <= allowed <= quota + 1 + earned


async def test_most_requests_ask_redis_nothing(build_settings: BuildSettings) -> None:
    async with limiters(build_settings(), 100_000, 1) as ((limiter,), redis):
        await limiter.take("ada")
        before = await _commands(redis)
        started = process_time()
        for _ in range(10_000):
            assert (await limiter.take("ada")).is_allowed
        seconds = process_time() - started
        asked = await _commands(redis) - before

    assert asked <= 4 * 60  # a script, and the three commands in it
    assert seconds / 10_000 < 100e-6


async def test_many_keys_leave_nothing_behind(build_settings: BuildSettings) -> None:
    """R15: every key in Redis ends by itself."""
    async with limiters(build_settings(), 5, 1) as ((limiter,), redis):
        await asyncio.gather(*(limiter.take(f"192.0.2.{n}") for n in range(200)))
        keys = [key async for key in redis.scan_iter("test:rate:*")]
        lives = [await redis.ttl(key) for key in keys]

    assert len(keys) == 200
    assert all(0 < life <= 600 for life in lives)


async def _commands(redis: Redis) -> int:
    """How many this connection has sent."""
    return int((await redis.client_info())["tot-cmds"])


async def test_submits_and_reads_count_alike(connect: Connect) -> None:
    async with connect(rate_limit_per_user=2) as client:
        assert (await client.post(JOBS, json=ECHO)).status_code == 202
        assert told(await client.get(JOBS)) == ("user", 2, 0)
        assert (await client.post(JOBS, json=ECHO)).status_code == 429
