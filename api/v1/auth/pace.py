"""Answers that take equally long, whatever was found."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from time import monotonic


@asynccontextmanager
async def steady(duration: timedelta) -> AsyncIterator[None]:
    """Make the block last `duration`, unless its work takes longer; also when it raises."""
    end = monotonic() + duration.total_seconds()
    try:
        yield
    finally:
        await asyncio.sleep(max(0.0, end - monotonic()))
