"""Group commit: calls that arrive while one is under way share the next one; a lone call goes at once."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

_LONGEST_GATHERING = 0.002
_QUIET_TURNS = 3


class GroupCommit[T, R]:
    """Turns many concurrent `submit(item)` calls into few `write(items)` calls.

    `write` returns one outcome per item, in order. When a shared write fails, its items are written one by one, so
    that an item never fails because of its neighbour. With `gather`, a write that follows upon another waits for so
    many items while more keep coming, 2 ms at most: where the loop is busy, few large writes cost less than many. With
    `spacing` as well, a write waits until so many seconds after the one before: for items that come one by one.
    Without `is_eager` the first item waits, too, for those whose turn in the loop has come already.
    """

    def __init__(
        self,
        write: Callable[[Sequence[T]], Awaitable[Sequence[R]]],
        *,
        max_size: int = 500,
        gather: int = 0,
        spacing: float = 0.0,
        is_eager: bool = True,
    ) -> None:
        self._write = write
        self._is_eager = is_eager
        self._max_size = max_size
        self._enough = gather
        self._spacing = spacing
        self._next_at = 0.0
        self._is_enough = asyncio.Event()
        self._pending: list[tuple[T, asyncio.Future[R]]] = []
        self._is_flushing = False
        self._flusher: asyncio.Task[None] | None = None

    async def submit(self, item: T) -> R:
        """Write one item and return its outcome; raises what the write raised for it."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[R] = loop.create_future()
        self._pending.append((item, future))
        if len(self._pending) >= self._enough:
            self._is_enough.set()
        if not self._is_flushing:
            self._is_flushing = True
            # Eager, it begins inside this call, so that a lone item is on its way before anything else is done.
            self._flusher = asyncio.Task(self._flush(), loop=loop, name="group-commit", eager_start=self._is_eager)
        return await future

    async def drain(self) -> None:
        """Wait until everything submitted so far was written."""
        if self._is_flushing and self._flusher is not None:
            await asyncio.wait([self._flusher])

    async def _flush(self) -> None:
        try:
            while self._pending:
                if self._spacing:
                    await self._keep_distance()
                batch, self._pending = self._pending[: self._max_size], self._pending[self._max_size :]
                await self._write_batch(batch)
                if self._pending and not self._spacing:
                    await self._gather()
        finally:
            self._is_flushing = False

    async def _keep_distance(self) -> None:
        """Wait for enough items, or for the time of the next write."""
        loop = asyncio.get_running_loop()
        if len(self._pending) < self._enough and loop.time() < self._next_at:
            self._is_enough.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self._next_at):
                    await self._is_enough.wait()
        self._next_at = loop.time() + self._spacing

    async def _gather(self) -> None:
        """Let the loop turn while that brings more items."""
        deadline = asyncio.get_running_loop().time() + _LONGEST_GATHERING
        quiet, before = 0, len(self._pending)
        while before < self._enough and quiet < _QUIET_TURNS and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0)
            quiet = quiet + 1 if len(self._pending) == before else 0
            before = len(self._pending)

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
