"""The host of the stores: `python -m tests.faults.store_host FOLDER ADDRESS`.

Runs PostgreSQL and Valkey on the files in FOLDER and passes connections to ADDRESS on to them. Prints their URLs as one
JSON line, and ends when its standard input closes.
"""

import asyncio
import json
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import urlsplit

from common.embedded.stack import EmbeddedStack
from tests.faults.proxy import TcpProxy


async def run(folder: Path, address: str) -> None:
    """Serve until standard input closes."""
    async with EmbeddedStack(folder, {}, only={"postgres", "redis"}) as stack, AsyncExitStack() as doors:
        urls = {}
        for name, url in stack.environment().items():
            port = urlsplit(url).port
            assert port is not None
            door = await doors.enter_async_context(TcpProxy(port, host=address))
            urls[name] = url.replace(f"127.0.0.1:{port}", f"{address}:{door.port}")
        sys.stdout.write(json.dumps(urls) + "\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1]), sys.argv[2]))
