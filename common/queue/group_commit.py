"""Group commit: calls that arrive while one is under way share the next one; a lone call goes at once."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence


class GroupCommit[T, R]:
    """Turns many concurrent `submit(item)` calls into few `write(items)` calls.

    `write` returns one outcome per item, in order. When a shared write fails, its items are written one by one, so
    that an item never fails because of its neighbour.
    """

    def __init__(self, write: Callable[[Sequence[T]], Awaitable[Sequence[R]]], *, max_size: int = 500) -> None:
        self._write = write
        self._max_size = max_size
        self._pending: list[tuple[T, asyncio.Future[R]]] = []
        self._flusher: asyncio.Task[None] | None = None

    async def submit(self, item: T) -> R:
        """Write one item and return its outcome; raises what the write raised for it."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._pending.append((item, future))
        if self._flusher is None:
            self._flusher = asyncio.create_task(self._flush(), name="group-commit")
        return await future

    async def drain(self) -> None:
        """Wait until everything submitted so far was written."""
        if self._flusher is not None:
            await asyncio.wait([self._flusher])

    async def _flush(self) -> None:
        try:
            while self._pending:
                batch, self._pending = self._pending[: self._max_size], self._pending[self._max_size :]
                await self._write_batch(batch)
        finally:
            self._flusher = None

    async def _write_batch(self, batch: list[tuple[T, asyncio.Future[R]]]) -> None:
        try:
            outcomes = await self._write([item for item, _ in batch])
        except Exception as error:
            if len(batch) == 1:
                _fail(batch[0][1], error)
                return
            for entry in batch:
                await self._write_batch([entry])
            return
        for (_, future), outcome in zip(batch, outcomes, strict=True):
            if not future.done():
                future.set_result(outcome)


def _fail[R](future: asyncio.Future[R], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
