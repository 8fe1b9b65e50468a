"""HTTP as the client uses it: safe repetition while the api is away, refusals as `ApiError`."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any

import httpx2

from common.client.errors import ApiError, UnreachableError

_BASE = "/api/v1"
_CONNECT_LIMIT, _ANSWER_LIMIT = 5.0, 15.0
_STREAM_SILENCE = 20.0
_FIRST_PAUSE, _LAST_PAUSE = 0.2, 3.0
_AGAIN = frozenset({429, 502, 503, 504})

type Token = str | Callable[[], str | None] | None


class Http:
    """One api. Repeats what may be repeated for `patience` seconds, with growing pauses or as Retry-After says."""

    def __init__(self, url: str, token: Token, patience: float) -> None:
        self.url = url.rstrip("/")
        self.patience = patience
        self._token = token
        # A proxy of the environment is not for an api on this machine.
        is_local = httpx2.URL(self.url).host in ("127.0.0.1", "localhost", "::1")
        self._client = httpx2.AsyncClient(base_url=self.url, trust_env=not is_local, follow_redirects=False)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    def token(self) -> str | None:
        """The token for the next connection."""
        return self._token() if callable(self._token) else self._token

    async def request(
        self, method: str, path: str, *, wait: float = 0, headers: Mapping[str, str] | None = None, **options: Any
    ) -> Any:
        """The JSON of the answer. Only calls that may come twice belong here: GET, cancel, submits with a key.

        Raises `ApiError`, or `UnreachableError` when patience ran out.
        """
        deadline, pause = monotonic() + self.patience, _FIRST_PAUSE
        timeout = httpx2.Timeout(_ANSWER_LIMIT + wait, connect=_CONNECT_LIMIT)
        asked = {**self._headers(), **(headers or {}), **({"Prefer": f"wait={max(1, int(wait))}"} if wait else {})}
        while True:
            try:
                answer = await self._client.request(method, f"{_BASE}{path}", headers=asked, timeout=timeout, **options)
            except httpx2.TransportError as error:
                failure: Exception = UnreachableError(f"{self.url}: {type(error).__name__}")
                after = 0.0
            else:
                if answer.is_success:
                    return answer.json() if answer.content else None
                failure, after = refusal_of(answer), _retry_after(answer)
                is_busy = answer.status_code == 409 and getattr(failure, "code", "") == "in_progress"
                if answer.status_code not in _AGAIN and not is_busy:
                    raise failure
            if monotonic() + max(pause, after) > deadline:
                raise failure
            await asyncio.sleep(max(pause, after))
            pause = min(pause * 2, _LAST_PAUSE)

    @asynccontextmanager
    async def stream(self, path: str, last_id: str | None) -> AsyncIterator[httpx2.Response]:
        """An open event stream. Raises httpx2's `TransportError`."""
        headers = {**self._headers(), "Accept": "text/event-stream"}
        headers |= {"Last-Event-ID": last_id} if last_id else {}
        timeout = httpx2.Timeout(_STREAM_SILENCE, connect=_CONNECT_LIMIT)
        async with self._client.stream("GET", f"{_BASE}{path}", headers=headers, timeout=timeout) as answer:
            yield answer

    def _headers(self) -> dict[str, str]:
        token = self.token()
        return {"Authorization": f"Bearer {token}"} if token else {}


def refusal_of(answer: httpx2.Response) -> ApiError:
    """The api's problem details, or what else answered."""
    try:
        problem = answer.json()
    except ValueError:
        problem = {}
    if not isinstance(problem, dict):
        problem = {}
    message = str(problem.get("detail") or f"HTTP {answer.status_code}")
    return ApiError(answer.status_code, str(problem.get("code", "http_error")), message, problem.get("errors") or ())


def _retry_after(answer: httpx2.Response) -> float:
    text = answer.headers.get("retry-after", "")
    return float(text) if text.isdigit() else 0.0
