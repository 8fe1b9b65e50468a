"""Bounds on a stream: how long it may keep silent and how much it may say."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from datetime import timedelta

from langchain_core.messages import AIMessageChunk

from common.errors import PermanentError

_USAGE_GRACE = timedelta(seconds=5)


class StreamWatch:
    """Reads a model's stream piece by piece under the limits of one answer."""

    def __init__(self, *, first_piece: timedelta, idle: timedelta, max_bytes: int) -> None:
        self._first_piece, self._idle, self._max_bytes = first_piece, idle, max_bytes
        self._bytes = 0
        self.finished = False

    async def read(self, source: AsyncIterator[AIMessageChunk]) -> AsyncGenerator[AIMessageChunk, None]:
        """The pieces of `source`.

        Raises `TimeoutError` when it stays silent for too long and `PermanentError` when it grows too large.
        A stream that said it was finished only gets a short grace to tell its usage.
        """
        loop = asyncio.get_running_loop()
        first = loop.time() + self._first_piece.total_seconds()
        deadline = first
        while True:
            async with asyncio.timeout_at(deadline):
                piece = await anext(source, None)
            if piece is None:
                return
            self._count(piece)
            yield piece
            # Counted from here: a slow reader is not a slow model.
            wait = (_USAGE_GRACE if self.finished else self._idle).total_seconds()
            deadline = loop.time() + wait
            if not (self._bytes or self.finished):
                # Empty pieces come before the text; they must not shorten the time for its first piece.
                deadline = max(first, deadline)

    def _count(self, piece: AIMessageChunk) -> None:
        self.finished = self.finished or "finish_reason" in piece.response_metadata
        said = piece.text + "".join(part["args"] or "" for part in piece.tool_call_chunks)
        self._bytes += len(said.encode("utf-8", "replace"))
        if self._bytes > self._max_bytes:
            raise PermanentError(f"the answer is longer than LLM_MAX_ANSWER_BYTES ({self._max_bytes}) allows")
