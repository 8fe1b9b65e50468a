"""The same client for programs without an event loop: one runs in a thread of its own."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Iterator, Mapping, Sequence
from threading import Thread
from types import TracebackType
from typing import Any, Self, overload

from pydantic import BaseModel

from common.client.async_client import AsyncJob, AsyncLetuinClient
from common.client.following import DOORS
from common.client.http import Token
from common.client.models import Item, Job, Place, ThreadEvent
from common.queue.definition import JobKind


class SyncJob[R]:
    """A submitted job; the methods are those of `AsyncJob`, and wait."""

    def __init__(self, client: "LetuinClient", job: AsyncJob[R]) -> None:
        self.id = job.id
        self.submitted = job.submitted
        self._client = client
        self._job = job

    def events(self, place: Place | None = None) -> Iterator[Item]:
        """See `AsyncLetuinClient.events`."""
        return self._client.events(self.id, place)

    def wait(self, limit: float | None = None) -> Job:
        """See `AsyncLetuinClient.wait`."""
        return self._client.wait(self.id, limit)

    def result(self, limit: float | None = None) -> R:
        """See `AsyncJob.result`."""
        return self._client.call(self._job.result(limit))

    def cancel(self) -> Job:
        """See `AsyncJob.cancel`."""
        return self._client.cancel(self.id)


class LetuinClient:
    """`with LetuinClient("http://127.0.0.1:8000", token=…) as client:`; arguments as for `AsyncLetuinClient`."""

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        *,
        token: Token = None,
        patience: float = 60.0,
        doors: Sequence[str] = DOORS,
    ) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="letuin-client", daemon=True)
        self._thread.start()
        self._client = self.call(_make(url, token, patience, doors))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection and end the thread. May be called twice."""
        if self._loop.is_closed():
            return
        self.call(self._client.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def call[T](self, work: Coroutine[Any, Any, T]) -> T:
        """Run something in the client's own loop and wait for it; Ctrl-C gives it up."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    @overload
    def submit[P: BaseModel, R: BaseModel](
        self, kind: JobKind[P, R], payload: P, *, idempotency_key: str | None = None, **options: Any
    ) -> SyncJob[R]: ...

    @overload
    def submit(
        self, kind: str, payload: Mapping[str, Any], *, idempotency_key: str | None = None, **options: Any
    ) -> SyncJob[dict[str, Any]]: ...

    def submit(self, kind: Any, payload: Any, **options: Any) -> SyncJob[Any]:
        """See `AsyncLetuinClient.submit`."""
        return SyncJob(self, self.call(self._client.submit(kind, payload, **options)))

    def job(self, job_id: str) -> Job:
        """See `AsyncLetuinClient.job`."""
        return self.call(self._client.job(job_id))

    def wait(self, job_id: str, limit: float | None = None) -> Job:
        """See `AsyncLetuinClient.wait`."""
        return self.call(self._client.wait(job_id, limit))

    def events(self, job_id: str, place: Place | None = None) -> Iterator[Item]:
        """See `AsyncLetuinClient.events`."""
        yield from self._iterate(self._client.events(job_id, place))

    def thread_events(self, thread_id: str, place: str | None = None) -> Iterator[ThreadEvent]:
        """See `AsyncLetuinClient.thread_events`."""
        yield from self._iterate(self._client.thread_events(thread_id, place))

    def cancel(self, job_id: str) -> Job:
        """See `AsyncLetuinClient.cancel`."""
        return self.call(self._client.cancel(job_id))

    def _iterate[T](self, events: AsyncGenerator[T]) -> Iterator[T]:
        try:
            while (item := self.call(_next(events))) is not None:
                yield item
        finally:
            self.call(events.aclose())


async def _next[T](events: AsyncGenerator[T]) -> T | None:
    return await anext(events, None)


async def _make(url: str, token: Token, patience: float, doors: Sequence[str]) -> AsyncLetuinClient:
    return AsyncLetuinClient(url, token=token, patience=patience, doors=doors)
