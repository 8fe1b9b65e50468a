"""Tokens that are not ours, not for this purpose, or not of this time."""

import asyncio
import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from api.key_ring import SigningKey
from common.ids import new_id
from tests.api.conftest import JWT_SECRET, PRODUCTION, BuildSettings, Connect, MakeUser
from tests.security.conftest import ME, Person, Sql

KEY = JWT_SECRET.encode()
OTHER = b"another-secret-that-is-just-as-long-as-ours"
KID = SigningKey(KEY).kid


def encoded(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


class Forger:
    """Signs what it likes, from the claims of a token that is good."""

    def __init__(self, access_token: str) -> None:
        self.good = access_token
        self.claims: dict[str, Any] = jwt.decode(access_token, options={"verify_signature": False})

    def forge(
        self, *, key: Any = KEY, algorithm: str = "HS256", header: dict[str, Any] | None = None, **claims: Any
    ) -> str:
        """A token with other claims; a claim that is None is left out."""
        payload = {name: value for name, value in {**self.claims, **claims}.items() if value is not None}
        head = {"alg": algorithm, "typ": "at+jwt", "kid": KID, **(header or {})}
        head = {name: value for name, value in head.items() if value is not None}
        signed = f"{encoded(head)}.{encoded(payload)}"
        signature = jwt.get_algorithm_by_name(algorithm)
        seal = signature.sign(signed.encode(), signature.prepare_key(key))
        return f"{signed}.{base64.urlsafe_b64encode(seal).decode().rstrip('=')}"

    def unsigned(self, algorithm: str) -> str:
        return f"{encoded({'alg': algorithm, 'typ': 'at+jwt', 'kid': KID})}.{encoded(self.claims)}."

    def flipped(self) -> Iterator[str]:
        """The good token with one bit changed: every bit of the signature, one of each letter before it."""
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        for place, char in enumerate(self.good):
            if char != ".":
                for bit in range(6) if place > self.good.rindex(".") else [place % 6]:
                    yield self.good[:place] + alphabet[alphabet.index(char) ^ 1 << bit] + self.good[place + 1 :]


def wrong_tokens(forger: Forger) -> dict[str, str]:
    """What attackers send, by case."""
    now = int(datetime.now(UTC).timestamp())
    public = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return {
        **{f"A03 alg {name}": forger.unsigned(name) for name in ("none", "None", "nOnE", "")},
        "A03 signature left out": forger.good.rpartition(".")[0] + ".",
        "A04 HS384": forger.forge(algorithm="HS384"),
        "A04 HS512": forger.forge(algorithm="HS512"),
        "A04 RS256": forger.forge(key=public, algorithm="RS256"),
        "A04 says HS256, signed with another": forger.forge(algorithm="HS384", header={"alg": "HS256"}),
        "A05 foreign secret": forger.forge(key=OTHER),
        "A05 signature of another token": forger.good.rpartition(".")[0]
        + "."
        + forger.forge(jti="x").rpartition(".")[2],
        "A05 cut": forger.good[:-3],
        "A05 padded": forger.good + "=",
        "A05 four parts": forger.good + ".e30",
        "A06 critical extension": forger.forge(header={"crit": ["x"], "x": 1}),
        "A06 critical, known name": forger.forge(header={"crit": ["b64"], "b64": True}),
        "A07 kid path": forger.forge(header={"kid": "../../etc/passwd"}),
        "A07 kid sql": forger.forge(header={"kid": "' OR 1=1 --"}),
        "A07 kid left out": forger.forge(header={"kid": None}),
        "A07 kid number": forger.forge(header={"kid": 7}),
        "A07 own key in jwk": forger.forge(
            key=OTHER, header={"jwk": {"kty": "oct", "k": base64.urlsafe_b64encode(OTHER).decode()}}
        ),
        "A07 keys elsewhere": forger.forge(header={"jku": "https://evil.example/keys", "x5u": "file:///etc/passwd"}),
        "A08 expired": forger.forge(iat=now - 100, nbf=now - 100, exp=now - 31),
        "A08 nbf in the future": forger.forge(nbf=now + 31),
        "A08 iat in the future": forger.forge(iat=now + 31),
        "A08 exp left out": forger.forge(exp=None),
        "A08 exp text": forger.forge(exp=str(now + 60)),
        "A08 exp float": forger.forge(exp=now + 60.5),
        "A08 exp far": forger.forge(exp=10**18),
        "A08 exp true": forger.forge(exp=True),
        "A08 exp before iat": forger.forge(iat=now + 3, exp=now + 2),
        "A09 issuer": forger.forge(iss="somebody"),
        "A09 issuer left out": forger.forge(iss=None),
        "A09 audience": forger.forge(aud="something"),
        "A09 audience left out": forger.forge(aud=None),
        "A09 audience of several": forger.forge(aud=["letuin-api", "something"]),
        "A10 typ JWT": forger.forge(header={"typ": "JWT"}),
        "A10 typ left out": forger.forge(header={"typ": None}),
        "A10 typ of a job token": forger.forge(header={"typ": "job+jwt"}),
        "unknown user": forger.forge(sub=str(new_id())),
        "subject is no id": forger.forge(sub="ada"),
        "unknown session": forger.forge(sid=str(new_id())),
        "session left out": forger.forge(sid=None),
        "another version": forger.forge(ver=1),
        "version is no number": forger.forge(ver=[0]),
        "id left out": forger.forge(jti=None),
        "nonsense": "nonsense",
        "two dots": "..",
        "endless": "a" * 5000,
        "not ASCII": "ünïcode",
    }


async def test_a03_to_a10_tokens_that_are_not_ours(connect: Connect, make_user: MakeUser) -> None:
    await make_user()
    async with connect() as http:
        ada = Person(http)
        await ada.login()
        forger = Forger(ada.tokens["access_token"])
        assert await ada.may_enter(forger.forge())
        for case, token in wrong_tokens(forger).items():
            answer = await http.get(ME, headers={b"Authorization": f"Bearer {token}".encode()})
            assert (answer.status_code, answer.json()["detail"]) == (401, "Invalid access token"), case
            assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_a05_single_bits_count(connect: Connect, make_user: MakeUser) -> None:
    await make_user()
    async with connect() as http:
        ada = Person(http)
        await ada.login()
        tokens = list(Forger(ada.tokens["access_token"]).flipped())
        for start in range(0, len(tokens), 200):
            entered = await asyncio.gather(*(ada.may_enter(token) for token in tokens[start : start + 200]))
            assert not any(entered)


async def test_a10_tokens_of_one_kind_are_no_other(connect: Connect, make_user: MakeUser) -> None:
    await make_user()
    async with connect() as http:
        ada = Person(http)
        await ada.login()
        refresh, access = ada.tokens["refresh_token"], ada.tokens["access_token"]
        assert not await ada.may_enter(refresh)
        assert (await ada.post("refresh", refresh_token=access[:200])).status_code == 401
        for path in ("verify-email", "email/change/confirm"):
            assert (await ada.post(path, code=refresh)).status_code == 400
        assert (await ada.post("password/reset", code=refresh, new_password="another password")).status_code == 400


async def test_a11_key_rotation(connect: Connect, make_user: MakeUser) -> None:
    await make_user()
    soon, past = datetime.now(UTC) + timedelta(hours=1), datetime.now(UTC) - timedelta(seconds=1)
    async with connect() as http:
        ada = Person(http)
        await ada.login()
    previous = {"jwt_secret": OTHER.decode(), "jwt_previous_secret": JWT_SECRET}
    async with connect(**previous, jwt_previous_until=soon) as http:
        later = Person(http, tokens=ada.tokens)
        assert await later.may_enter()
        renewed = (await later.refresh()).json()
        assert jwt.get_unverified_header(renewed["access_token"])["kid"] == SigningKey(OTHER).kid
        assert await later.may_enter(renewed["access_token"])
    async with connect(**previous, jwt_previous_until=past) as http:
        assert not await Person(http, tokens=ada.tokens).may_enter()
        assert await Person(http, tokens=renewed).may_enter()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"jwt_secret": None, **PRODUCTION}, "JWT_SECRET must be set"),
        ({"jwt_secret": "short", **PRODUCTION}, "JWT_SECRET must be at least 32 bytes long"),
        ({"jwt_secret": "short", "environment": "staging"}, "JWT_SECRET must be at least 32 bytes long"),
        ({"jwt_secret": "please-change-this-to-something-else", "environment": "staging"}, "JWT_SECRET still holds"),
        ({"jwt_previous_secret": "p" * 32}, "JWT_PREVIOUS_SECRET and JWT_PREVIOUS_UNTIL must be set together"),
        ({"jwt_previous_secret": "p", "jwt_previous_until": "2026-12-01T00:00:00Z"}, "JWT_PREVIOUS_SECRET must be at"),
        ({"jwt_previous_until": "2026-12-01T00:00:00"}, "timezone"),
    ],
    ids=lambda value: None if isinstance(value, dict) else f"A12 {value}",
)
def test_a12_secrets_that_start_nothing(build_settings: BuildSettings, values: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        build_settings(**values)


async def test_a13_token_of_somebody_who_may_not_any_more(connect: Connect, make_user: MakeUser, sql: Sql) -> None:
    await make_user()
    async with connect(access_cache_lifetime=0) as http:
        for change in ("is_active = false", "token_version = token_version + 1"):
            ada = Person(http)
            await ada.login()
            await sql(f"UPDATE users SET {change}")
            assert not await ada.may_enter()
            assert (await ada.refresh()).status_code == 401
            await sql("UPDATE users SET is_active = true")
        await ada.login()
        await sql("DELETE FROM users WHERE email = 'ada@example.com'")
        assert not await ada.may_enter()
        assert (await ada.refresh()).status_code == 401


async def test_a31_tokens_count_in_the_header_only(connect: Connect, make_user: MakeUser) -> None:
    await make_user()
    async with connect(environment="staging") as http:
        ada = Person(http)
        await ada.login()
        token = ada.tokens["access_token"]
        for options in (
            {"params": {"access_token": token, "token": token}},
            {"headers": {"Cookie": f"access_token={token}"}},
        ):
            answer: httpx2.Response = await http.get(ME, **options)
            assert answer.status_code == 401
