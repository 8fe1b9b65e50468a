"""A worker process: `python -m worker.main --queues default,llm --concurrency 20`."""

import argparse
import asyncio
import os
import signal
import sys

import uvloop
from loguru import logger
from pydantic import ValidationError

from common.config import settings_error_lines
from common.errors import InvalidError
from common.garbage import calm_garbage_collection
from common.logger import configure_logging, shutdown_logging
from worker.config import WorkerSettings
from worker.engine import Engine
from worker.lifespan import lifespan

_CANNOT_LISTEN = 3


async def serve(settings: WorkerSettings) -> None:
    """Work until SIGTERM or SIGINT, then drain; a second signal hands everything back at once."""
    async with lifespan(settings) as engine:
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signum, engine.request_stop)
        calm_garbage_collection()
        logger.info("Worker ready: queues={} concurrency={}", ",".join(settings.worker_queues), engine.max_jobs)
        await run_until_stopped(engine)
    logger.info("Worker stopped")


async def run_until_stopped(engine: Engine) -> None:
    """The claim loop outlives its own errors: a worker never exits because of data."""
    while True:
        try:
            return await engine.main()
        except Exception:
            logger.exception("The claim loop failed and starts again")
            await asyncio.sleep(1)


def parse_settings(arguments: list[str]) -> WorkerSettings:
    """Settings from the environment; flags win. Exits with 2 and one line per wrong setting."""
    parser = argparse.ArgumentParser(prog="worker", description="Run jobs of some queues.")
    parser.add_argument("--queues", help="comma-separated, first served first (WORKER_QUEUES)")
    parser.add_argument("--concurrency", type=int, help="jobs at a time (WORKER_CONCURRENCY)")
    flags = parser.parse_args(arguments)
    given = {"worker_queues": flags.queues, "worker_concurrency": flags.concurrency}
    try:
        return WorkerSettings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        sys.stderr.write("".join(f"{line}\n" for line in settings_error_lines(error)))
        raise SystemExit(2) from None


def main() -> None:
    # Read when numpy is loaded. Several small products at a time are faster than one that spins on every core.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    settings = parse_settings(sys.argv[1:])
    configure_logging(settings, process="worker-" + "-".join(settings.worker_queues))
    try:
        uvloop.run(serve(settings))
    except InvalidError as error:
        logger.error(error.message)
        raise SystemExit(_CANNOT_LISTEN) from None
    finally:
        shutdown_logging()


if __name__ == "__main__":
    main()
