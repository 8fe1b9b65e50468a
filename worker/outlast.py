"""Writes that outlast an outage of PostgreSQL."""

import asyncio
from collections.abc import Awaitable, Callable

from loguru import logger

from common.database.outage import DATABASE_ERRORS, is_refused_value
from common.errors import PermanentError

_PAUSE = 0.5


async def outlast[R](write: Callable[[], Awaitable[R]], *, what: str) -> R:
    """Repeat a write while PostgreSQL is away; the job's timeout and the worker's lease end it.

    `what` is written, as words of people: a mail, a call. Raises `PermanentError` for a value that cannot be stored.
    """
    while True:
        try:
            return await write()
        except DATABASE_ERRORS as error:
            if is_refused_value(error):
                raise PermanentError(f"the {what} holds text that cannot be stored") from error
            logger.warning("PostgreSQL is away; a {} waits: {}", what, type(error).__name__)
            await asyncio.sleep(_PAUSE)
