"""The client itself, for asyncio."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from time import monotonic
from types import TracebackType
from typing import Any, Self, overload
from uuid import uuid4

from pydantic import BaseModel, TypeAdapter

from common.client.errors import JobFailedError
from common.client.following import DOORS, Follower
from common.client.http import Http, Token
from common.client.models import Item, Job, Place, ThreadEvent
from common.client.threads import follow_thread
from common.queue.definition import JobKind

_LONGEST_WAIT = 20.0
_ANYTHING: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])


class AsyncJob[R]:
    """A submitted job: wait for it, follow it, stop it. `R` is what its kind gives back."""

    def __init__(self, client: "AsyncLetuinClient", job: Job, result: TypeAdapter[R]) -> None:
        self.id = job.id
        self.submitted = job
        self._client = client
        self._result = result

    def events(self, place: Place | None = None) -> AsyncGenerator[Item]:
        """See `AsyncLetuinClient.events`."""
        return self._client.events(self.id, place)

    async def wait(self, limit: float | None = None) -> Job:
        """See `AsyncLetuinClient.wait`."""
        return await self._client.wait(self.id, limit)

    async def result(self, limit: float | None = None) -> R:
        """The result, as soon as there is one. Raises `JobFailedError`, `TimeoutError`."""
        job = await self.wait(limit)
        if job.status != "succeeded":
            raise JobFailedError(job.id, job.status, job.error)
        return self._result.validate_python(job.result)

    async def cancel(self) -> Job:
        """Stop the job. Raises `ApiError` with code `conflict` when it ended before."""
        return await self._client.cancel(self.id)


class AsyncLetuinClient:
    """One api: `async with AsyncLetuinClient("http://127.0.0.1:8000", token=…) as client:`.

    `token` may be a function, asked at every request. `patience` is how many seconds an api that is away is waited
    for. `doors` are the ways to events, best first: `socketio`, `sse`, `poll`.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        *,
        token: Token = None,
        patience: float = 60.0,
        doors: Sequence[str] = DOORS,
    ) -> None:
        self._http = Http(url, token, patience)
        self._follower = Follower(self._http, doors)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection."""
        await self._follower.aclose()
        await self._http.aclose()

    @overload
    async def submit[P: BaseModel, R: BaseModel](
        self, kind: JobKind[P, R], payload: P, *, idempotency_key: str | None = None, **options: Any
    ) -> AsyncJob[R]: ...

    @overload
    async def submit(
        self, kind: str, payload: Mapping[str, Any], *, idempotency_key: str | None = None, **options: Any
    ) -> AsyncJob[dict[str, Any]]: ...

    async def submit(
        self,
        kind: str | JobKind[Any, Any],
        payload: BaseModel | Mapping[str, Any],
        *,
        idempotency_key: str | None = None,
        **options: Any,
    ) -> AsyncJob[Any]:
        """Submit a job once, however often the request has to be repeated; `options` are fields of `POST /jobs`.

        A kind's declaration gives typed results, its name gives dicts. Raises `ApiError`, `UnreachableError`.
        """
        name, result = (kind, _ANYTHING) if isinstance(kind, str) else (kind.name, TypeAdapter(kind.result))
        fields = payload.model_dump(mode="json", exclude_none=True) if isinstance(payload, BaseModel) else dict(payload)
        key = idempotency_key or str(uuid4())
        body = {"kind": name, "payload": fields, **options}
        answer = await self._http.request("POST", "/jobs", json=body, headers={"Idempotency-Key": f'"{key}"'})
        return AsyncJob(self, Job.model_validate(answer), result)

    async def job(self, job_id: str) -> Job:
        """The job as it is. Raises `ApiError` with status 404 when it is not yours."""
        return Job.model_validate(await self._http.request("GET", f"/jobs/{job_id}"))

    async def wait(self, job_id: str, limit: float | None = None) -> Job:
        """The job once it has ended. Raises `TimeoutError` after `limit` seconds."""
        deadline = None if limit is None else monotonic() + limit
        while True:
            left = _LONGEST_WAIT if deadline is None else min(_LONGEST_WAIT, deadline - monotonic())
            if left <= 0:
                raise TimeoutError(f"job {job_id} has not ended within {limit:g} s")
            answer = await self._http.request("GET", f"/jobs/{job_id}", wait=left)
            if (job := Job.model_validate(answer)).has_ended:
                return job

    def events(self, job_id: str, place: Place | None = None) -> AsyncGenerator[Item]:
        """Every event of the job behind `place`, in order and once, to its last one, whatever breaks meanwhile.

        A `JobReset` stands where earlier events are not to be had any more. Raises `ApiError`, `UnreachableError`.
        """
        return self._follower.follow(job_id, place or Place())

    def thread_events(self, thread_id: str, place: str | None = None) -> AsyncGenerator[ThreadEvent]:
        """Every event of every job of a thread behind `place`, or of those that wait or run now, and of all later ones.

        Ends when the thread is deleted. Raises `ApiError`, `UnreachableError`.
        """
        return follow_thread(self._http, thread_id, place)

    async def cancel(self, job_id: str) -> Job:
        """Stop a job. Raises `ApiError` with code `conflict` when it ended in another way before."""
        return Job.model_validate(await self._http.request("POST", f"/jobs/{job_id}/cancel"))
