"""`letuin up` at work: servers, tables, api and workers in order, everything else beside them."""

import os
from datetime import UTC, datetime

from common.cli.api_processes import ApiProcesses
from common.cli.exits import ExitCode, UnreachableError
from common.cli.log_stream import LogStream
from common.cli.supervision import StopSignals, gather_or_cancel, run_until_stopped, stop_all
from common.cli.surroundings import load_settings, python_module
from common.cli.up_plan import UpPlan
from common.cli.up_screen import UpScreen
from common.cli.worker_process import WorkerProcess
from common.embedded.errors import EmbeddedServerError
from common.embedded.process import ProcessSpec, run
from common.embedded.server import answers_http
from common.embedded.stack import EmbeddedStack
from common.embedded.state import DataFolderLock, RunState

_TITLES = {
    "mongo": "MongoDB",
    "chroma": "Chroma (vectors)",
    "model": "The local language model",
    "smtp": "The mailbox",
}
_FIRST = {"postgres": "PostgreSQL", "redis": "Redis"}
# What other commands in this folder need to find the same stores, and the api's secrets.
_PUBLISHED = (
    *("ENVIRONMENT", "DATABASE_URL", "REDIS_URL", "MONGODB_URL", "CHROMA_URL", "SMTP_URL"),
    *("LOCAL_MODEL_URL", "OPENAI_BASE_URL"),
)


class Up:
    """One run. `run` returns the exit code when everything has ended again."""

    def __init__(self, plan: UpPlan, lock: DataFolderLock, screen: UpScreen, stream: LogStream) -> None:
        self._plan = plan
        self._lock = lock
        self._screen = screen
        self._stream = stream
        self._stack = EmbeddedStack(
            plan.data_dir, plan.environ, sink=stream, only=None if plan.is_embedded else frozenset()
        )
        self._apis = ApiProcesses(plan.host, plan.port, plan.api_processes, plan.data_dir)
        self._names = [*self._stack.names, *self._apis.names, *(worker.name for worker in plan.workers)]
        stream.expect(*self._names)

    async def run(self) -> ExitCode:
        """Start all, wait for a signal, stop all. Raises EmbeddedServerError for what will not start."""
        signals = StopSignals()
        signals.install()
        with self._apis:
            try:
                await run_until_stopped(self._start(), signals)
            finally:
                self._screen.step("Stopping")
                await stop_all(self._stack.stop, self._stack.supervisor, self._names, signals)
                self._screen.close("Everything has stopped")
        return signals.exit_code

    async def _start(self) -> None:
        started = datetime.now(UTC)
        first = " and ".join(title for name, title in _FIRST.items() if name in self._stack.names)
        if first:
            self._screen.step(f"Starting {first}")
        await self._stack.start()
        if first:
            self._screen.done(f"{first} started")
        later = [self._announce(name) for name in self._stack.names if name not in _FIRST]
        await gather_or_cancel(self._start_processes(started), *later)

    async def _announce(self, name: str) -> None:
        await self._stack.wait_ready(name)
        self._screen.done(f"{_TITLES.get(name, name)} is ready")

    async def _start_processes(self, started: datetime) -> None:
        environ = {"LLM_CALL_LOG": "true", **self._plan.environ, **self._stack.environment()}
        self._screen.step("Bringing the database up to date")
        await _migrate(environ)
        self._screen.done("The database is up to date")
        settings = load_settings(environ)
        environ |= self._screen.colour_variables()
        workers = [WorkerProcess(worker, environ, settings).spec() for worker in self._plan.workers]
        self._screen.step("Starting the api and the workers")
        await self._stack.supervisor.start(*self._api(environ), *workers)
        self._lock.publish(
            RunState(
                pid=os.getpid(),
                started_at=started,
                api_url=self._plan.url,
                environment={name: environ[name] for name in _PUBLISHED if name in environ},
                log_dir=self._plan.log_dir,
            )
        )
        self._screen.show_summary(self._plan)

    def _api(self, environ: dict[str, str]) -> list[ProcessSpec]:
        if self._plan.api_processes > 1:
            return self._apis.specs(environ)
        own = {"API_HOST": self._plan.host, "API_PORT": str(self._plan.port), "API_PROCESSES": "1"}
        ready = answers_http(f"{self._plan.url}/live")
        return [ProcessSpec(name="api", argv=python_module("api.main"), env={**environ, **own}, ready=ready)]


async def _migrate(environ: dict[str, str]) -> None:
    """In a process of its own: alembic wants an event loop for itself. Raises UnreachableError with what it said."""
    try:
        await run(ProcessSpec(name="migrate", argv=python_module("common.cli.main", "migrate"), env=environ))
    except EmbeddedServerError as error:
        said = error.message.partition("it last printed: ")[2] or error.message
        raise UnreachableError(
            f"The database could not be brought up to date: {said.removeprefix('Error: ').rstrip('. ')}."
        ) from error
