"""Lets each caller make so many requests and no more, and tells everybody how many are left."""

from collections import OrderedDict
from datetime import timedelta
from functools import lru_cache
from hashlib import blake2b
from ipaddress import ip_address, ip_network

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.caller import Caller
from api.exception_handlers import answer_error
from api.rate_limit import RateLimiter, Verdict
from common.errors import AppError, RateLimitedError, UnavailableError

_NOT_COUNTED = frozenset({"/live", "/ready"})  # a probe that is refused would get the process killed
_MAX_TOKENS = 20_000


class RateLimitMiddleware:
    """Counts a request for the user or API key whose token was good before, else for the address that it comes from.

    So guessing tokens is bounded by the address, and the limit stands before any work is done to check one. In an
    open environment requests without a token are the local user's.
    """

    def __init__(self, app: ASGIApp, *, users: RateLimiter, addresses: RateLimiter, is_open: bool) -> None:
        self._app = app
        self._users = users
        self._addresses = addresses
        self._is_open = is_open
        self._known: OrderedDict[bytes, str] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in _NOT_COUNTED:
            await self._app(scope, receive, send)
            return
        proof = _proof(scope)
        user = self._known.get(proof) if proof else None
        limiter = self._users if user or (self._is_open and not proof) else self._addresses
        if not limiter.policy.quota:
            await self._app(scope, receive, send)
            return
        verdict = await limiter.take(user or _address(scope))
        telling = _telling(send, limiter.policy.header, verdict)
        if not verdict.is_allowed:
            await answer_error(HTTPConnection(scope), _error(limiter, verdict))(scope, receive, telling)
            return
        await self._app(scope, receive, telling)
        if proof and not user:
            self._remember(proof, scope)

    def _remember(self, proof: bytes, scope: Scope) -> None:
        caller: Caller | None = scope.get("state", {}).get("caller")
        if caller is not None:
            self._known[proof] = str(caller.key_id or caller.user_id)
            if len(self._known) > _MAX_TOKENS:
                self._known.popitem(last=False)


def _proof(scope: Scope) -> bytes | None:
    """A digest of what the request proves itself with: tokens are not kept."""
    given = [value for name, value in scope["headers"] if name in (b"authorization", b"x-api-key")]
    return blake2b(b"\0".join(given), digest_size=16).digest() if given else None


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return network_of(str(client[0])) if client else "unknown"


@lru_cache(maxsize=4096)
def network_of(address: str) -> str:
    """Whom an address stands for: of IPv6 the /64 network, for its owner has all of it."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address[:64]
    if parsed.version == 6 and parsed.ipv4_mapped is None:
        return str(ip_network((parsed, 64), strict=False))
    return address


def _telling(send: Send, policy: bytes, verdict: Verdict) -> Send:
    name = policy.partition(b";")[0]
    state = b"%b;r=%d;t=%d" % (name, verdict.remaining, verdict.reset)

    async def send_told(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [
                *message.get("headers", ()),
                (b"ratelimit-policy", policy),
                (b"ratelimit", state),
            ]
        await send(message)

    return send_told


def _error(limiter: RateLimiter, verdict: Verdict) -> AppError:
    policy, wait = limiter.policy, timedelta(seconds=verdict.retry_after)
    if not verdict.is_counted:
        return UnavailableError(
            "requests cannot be counted now, and RATE_LIMIT_WITHOUT_REDIS is closed", retry_after=wait
        )
    allowed = f"RATE_LIMIT_PER_{policy.name.upper()} allows {policy.quota} in {policy.window.total_seconds():g} s"
    return RateLimitedError(f"too many requests; {allowed}", retry_after=wait)
