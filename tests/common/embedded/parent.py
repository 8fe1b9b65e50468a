"""A small `up`: `python parent.py DATA_DIR [SERVER…]` holds the folder and runs the servers until told to stop."""

import asyncio
import json
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from common.embedded.stack import EmbeddedStack
from common.embedded.state import DataFolderLock, RunState
from common.errors import AppError


async def run(data_dir: Path, servers: set[str] | None, lock: DataFolderLock) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with EmbeddedStack(data_dir, {}, only=servers, sink=lambda name, line: complain(f"{name}: {line}")) as stack:
        await stack.wait_ready()
        state = RunState(
            pid=os.getpid(),
            started_at=datetime.now(UTC),
            api_url="http://127.0.0.1:1",
            environment=stack.environment(),
            log_dir=data_dir,
        )
        lock.publish(state)
        sys.stdout.write(json.dumps({name: stack.supervisor.pid(name) for name in stack.names}) + "\n")
        sys.stdout.flush()
        await stop.wait()


def complain(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def main() -> int:
    data_dir = Path(sys.argv[1])
    try:
        with DataFolderLock(data_dir) as lock:
            asyncio.run(run(data_dir, set(sys.argv[2:]) or None, lock))
    except AppError as error:
        complain(error.message)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
