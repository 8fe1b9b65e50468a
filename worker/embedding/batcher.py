"""Texts of concurrent calls travel to the model together; each caller gets its own vectors or its own error."""

import asyncio
import copy
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from worker.embedding.backend import EmbeddingBackend, RefusedTextError, Vectors
from worker.llm.tokens import estimate_tokens


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """What one request may carry, how long a text waits for company (seconds), and how many requests run at once.

    `at_once_per_call` keeps a call with many texts from filling every request before the others get a turn.
    """

    items: int
    tokens: int
    wait: float
    at_once: int = 64
    at_once_per_call: int = 4


@dataclass(eq=False, slots=True)
class _Share:
    """The texts of one call that travel in one request."""

    texts: Sequence[str]
    tokens: int
    done: "asyncio.Future[Vectors]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class MicroBatcher:
    """Gathers shares for one model. The first goes out at once; those that come meanwhile wait for each other."""

    def __init__(self, backend: EmbeddingBackend, limits: BatchLimits) -> None:
        self._backend = backend
        self._limits = limits
        self._waiting: deque[_Share] = deque()
        self._items = self._tokens = 0
        self._sending: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """The vectors of `texts`, in order. Raises as `EmbeddingBackend.embed` does; what was not sent yet is dropped.

        Tokens of a shared request are divided by the length of the texts.
        """
        parts = list(self._split(texts))
        if len(parts) == 1:
            return await self._put(_Share(*parts[0]))
        turn = asyncio.Semaphore(self._limits.at_once_per_call)

        async def travel(part: Sequence[str], tokens: int) -> Vectors:
            async with turn:
                return await self._put(_Share(part, tokens))

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(travel(*part)) for part in parts]
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        return _join([task.result() for task in tasks])

    @property
    def is_idle(self) -> bool:
        """Whether nobody waits for vectors."""
        return not self._waiting and not self._sending

    async def aclose(self) -> None:
        """Stop what is under way; callers that still wait are cancelled."""
        for share in self._waiting:
            share.done.cancel()
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)
        await self._backend.aclose()

    def _split(self, texts: Sequence[str]) -> Iterator[tuple[Sequence[str], int]]:
        part: list[str] = []
        total = 0
        for text in texts:
            tokens = estimate_tokens(text)
            if part and not self._fits(len(part) + 1, total + tokens):
                yield part, total
                part, total = [], 0
            part.append(text)
            total += tokens
        if part:
            yield part, total

    def _fits(self, items: int, tokens: int) -> bool:
        return items <= self._limits.items and tokens <= self._limits.tokens

    async def _put(self, share: _Share) -> Vectors:
        self._waiting.append(share)
        self._items += len(share.texts)
        self._tokens += share.tokens
        if not self._fits(self._items + 1, self._tokens + 1):
            self._flush()
        elif self._timer is None:
            # Alone it does not wait: calls of this turn of the loop still come along.
            wait = self._limits.wait if self._sending else 0
            self._timer = asyncio.get_running_loop().call_later(wait, self._flush)
        return await share.done

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._waiting and len(self._sending) < self._limits.at_once:
            if shares := self._take():
                self._start(shares)

    def _take(self) -> list[_Share]:
        taken: list[_Share] = []
        items = tokens = 0
        while self._waiting:
            share = self._waiting[0]
            if taken and not self._fits(items + len(share.texts), tokens + share.tokens):
                break
            self._waiting.popleft()
            self._items -= len(share.texts)
            self._tokens -= share.tokens
            if not share.done.done():
                taken.append(share)
                items, tokens = items + len(share.texts), tokens + share.tokens
        return taken

    def _start(self, shares: list[_Share]) -> None:
        task = asyncio.create_task(self._send(shares))
        self._sending.add(task)
        task.add_done_callback(self._on_sent)

        def stop_if_nobody_waits(_done: object) -> None:
            if all(share.done.done() for share in shares):
                task.cancel()

        for share in shares:
            share.done.add_done_callback(stop_if_nobody_waits)

    def _on_sent(self, task: asyncio.Task[None]) -> None:
        self._sending.discard(task)
        self._flush()

    async def _send(self, shares: list[_Share]) -> None:
        try:
            await self._ask(shares)
        except asyncio.CancelledError:
            for share in shares:
                share.done.cancel()
            raise

    async def _ask(self, shares: list[_Share]) -> None:
        try:
            answer = await self._backend.embed([text for share in shares for text in share.texts])
        except RefusedTextError as error:
            if len(shares) == 1:
                _fail(shares, error)
                return
            # One caller's text spoils the request: look for it by halves, so that the others get their vectors.
            middle = len(shares) // 2
            await self._ask(shares[:middle])
            await self._ask(shares[middle:])
        except Exception as error:
            _fail(shares, error)
        else:
            _deliver(shares, answer)


def _deliver(shares: Sequence[_Share], answer: Vectors) -> None:
    first = spent = weight = 0
    total = sum(share.tokens for share in shares)
    for share in shares:
        vectors = answer.vectors[first : first + len(share.texts)]
        first += len(share.texts)
        weight += share.tokens
        upto = None if answer.tokens is None else answer.tokens * weight // total
        if not share.done.done():
            share.done.set_result(Vectors(vectors, None if upto is None else upto - spent))
        spent = upto or 0


def _fail(shares: Sequence[_Share], error: Exception) -> None:
    for share in shares:
        if not share.done.done():
            own = copy.copy(error)
            own.args = error.args
            share.done.set_exception(own)


def _join(parts: Sequence[Vectors]) -> Vectors:
    counts = [part.tokens for part in parts if part.tokens is not None]
    vectors = [vector for part in parts for vector in part.vectors]
    return Vectors(vectors, sum(counts) if len(counts) == len(parts) else None)
