"""One question to the api, from a command that is not asynchronous itself."""

import asyncio
from collections.abc import Awaitable, Callable

from common.cli.api_client import ApiClient
from common.cli.target import find_target


def ask[T](url: str | None, question: Callable[[ApiClient], Awaitable[T]], *, as_nobody: bool = False) -> T:
    """The answer of the api at `url` (or where `find_target` says), without a token `as_nobody`.

    Raises what `ApiClient` raises.
    """
    target = find_target(url, as_nobody=as_nobody)

    async def run() -> T:
        async with ApiClient(target) as client:
            return await question(client)

    return asyncio.run(run())
