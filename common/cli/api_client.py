"""The api over HTTP, as commands use it: every failure is one sentence."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from types import TracebackType
from typing import Any, BinaryIO, Self
from urllib.parse import quote

import httpx2

from common.cli.exits import CommandError, ExitCode, UnreachableError
from common.cli.target import Target

_TIMEOUT = httpx2.Timeout(15, connect=5)
_BASE = "/api/v1"
Job = dict[str, Any]


class ApiClient:
    """Speaks to one api. Methods raise UnreachableError, or CommandError with what the api said."""

    def __init__(self, target: Target) -> None:
        self.target = target
        headers = {"Authorization": f"Bearer {target.token}"} if target.token else {}
        # A proxy of the environment is not for an api on this machine.
        is_local = httpx2.URL(target.url).host in ("127.0.0.1", "localhost", "::1")
        self._http = httpx2.AsyncClient(
            base_url=target.url, headers=headers, timeout=_TIMEOUT, trust_env=not is_local, follow_redirects=False
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def kinds(self) -> list[dict[str, Any]]:
        """Every kind that can be submitted, with the JSON schema of its payload."""
        return list((await self._object("items", "GET", "/jobs/kinds"))["items"])

    async def submit(self, body: Mapping[str, Any], *, idempotency_key: str | None = None) -> Job:
        """Submit a job and return it; the one that was made before when the key is known."""
        headers = {"Idempotency-Key": f'"{idempotency_key}"'} if idempotency_key else {}
        return await self._object("status", "POST", "/jobs", json=body, headers=headers)

    async def job(self, job_id: str, *, wait: float = 0) -> Job:
        """The job; with `wait`, as soon as it has ended, or as it is after that many seconds."""
        headers = {"Prefer": f"wait={max(1, int(wait))}"} if wait else {}
        timeout = httpx2.Timeout(15 + wait, connect=5)
        return await self._object("status", "GET", f"/jobs/{job_id}", headers=headers, timeout=timeout)

    async def jobs(self, filters: Mapping[str, Any]) -> dict[str, Any]:
        """One page of the caller's jobs, newest first."""
        return await self._object("items", "GET", "/jobs", params={k: v for k, v in filters.items() if v is not None})

    async def cancel(self, job_id: str) -> Job:
        """Ask for the end of a job."""
        return await self._object("status", "POST", f"/jobs/{job_id}/cancel")

    async def retry(self, job_id: str) -> Job:
        """Queue a job that ended badly again."""
        return await self._object("status", "POST", f"/jobs/{job_id}/retry")

    async def get(self, *path: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The object at a path under /api/v1, given in parts."""
        return await self._object("", "GET", _join(path), params=params)

    async def delete(self, *path: str, params: Mapping[str, Any] | None = None) -> None:
        """Remove what is at a path."""
        await self._call("DELETE", _join(path), params=params)

    async def post(
        self, *path: str, body: Mapping[str, Any] | None = None, params: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """What the api answers to a POST."""
        return await self._object("", "POST", _join(path), json=body, params=params)

    async def upload(self, *path: str, file: tuple[str, BinaryIO], fields: Mapping[str, str]) -> dict[str, Any]:
        """Send a file under its name, with fields beside it."""
        timeout = httpx2.Timeout(60, connect=5)
        options = {"files": {"file": file}, "data": dict(fields), "timeout": timeout}
        return await self._object("", "POST", _join(path), **options)

    async def tell(self, *path: str) -> None:
        """A POST whose answer is empty."""
        await self._call("POST", _join(path))

    async def patch(
        self, *path: str, body: Mapping[str, Any], params: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """The object as it is after a change."""
        return await self._object("", "PATCH", _join(path), json=body, params=params)

    async def login(self, email: str, password: str) -> dict[str, Any]:
        """Exchange a password for a token."""
        return await self._object("access_token", "POST", "/auth/login", json={"email": email, "password": password})

    async def _object(self, key: str, method: str, path: str, **options: Any) -> dict[str, Any]:
        """The answer, which is an object with `key`, if one is named."""
        answer = await self._call(method, path, **options)
        if isinstance(answer, dict) and (not key or key in answer):
            return answer
        raise UnreachableError(f"What answers at {self.target.url} is not a Letuin api.")

    async def _call(self, method: str, path: str, **options: Any) -> Any:
        try:
            response = await self._http.request(method, f"{_BASE}{path}", **options)
        except httpx2.ConnectError:
            raise UnreachableError(f"No Letuin api answers at {self.target.url}. Start one with `letuin up`.") from None
        except httpx2.TransportError as error:
            raise UnreachableError(f"The api at {self.target.url} broke off: {type(error).__name__}.") from error
        except httpx2.InvalidURL as error:
            raise CommandError(f"{self.target.url} is no usable address: {error}.") from error
        if response.status_code == HTTPStatus.NO_CONTENT:
            return None
        if response.is_success:
            return _json(response, self.target.url)
        raise _refusal(response, self.target.url)


def _join(parts: Iterable[str]) -> str:
    """The first part is a path of ours, the others are single segments, whatever they hold."""
    first, *rest = parts
    return "/".join((first, *(quote(part, safe="") for part in rest)))


def _json(response: httpx2.Response, url: str) -> Any:
    try:
        return response.json()
    except ValueError:
        raise UnreachableError(f"What answers at {url} is not a Letuin api.") from None


def _refusal(response: httpx2.Response, url: str) -> CommandError:
    """The api's problem+json as an error with a line for each field."""
    problem = _json(response, url)
    if not isinstance(problem, dict):
        return UnreachableError(f"What answers at {url} is not a Letuin api.")
    message = str(problem.get("detail") or problem.get("title") or f"HTTP {response.status_code}")
    if response.status_code == HTTPStatus.UNAUTHORIZED:
        message += ". Sign in with `letuin login`, or set LETUIN_TOKEN"
    lines = [_field_line(item) for item in problem.get("errors") or [] if isinstance(item, dict)]
    is_their_fault = response.is_server_error or response.status_code == HTTPStatus.TOO_MANY_REQUESTS
    exit_code = ExitCode.UNREACHABLE if is_their_fault else ExitCode.USAGE
    # A single field's problem is the message already.
    return CommandError(f"{message.rstrip('.')}.", exit_code, details=[] if lines == [message] else lines)


def _field_line(item: Mapping[str, Any]) -> str:
    path = item.get("path") or item.get("loc") or item.get("pointer") or ""
    place = ".".join(str(part) for part in path) if isinstance(path, list) else str(path)
    message = item.get("message") or item.get("msg") or item.get("detail") or ""
    return f"{place}: {message}" if place else str(message)
