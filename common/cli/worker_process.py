"""One supervised worker: a new incarnation at each start, and its lease released the moment it is gone."""

import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from common.cli.surroundings import python_module
from common.config import CommonSettings
from common.database.session import create_engine, create_sessions
from common.embedded.process import ProcessSpec
from common.ids import new_id
from common.queue.catalog import Catalog
from common.queue.definition import QueueName
from common.repository.worker import WorkerRepository

_DRAIN_GRACE, _STOP_MARGIN = 25.0, 10.0


@dataclass(frozen=True, kw_only=True)
class WorkerPlan:
    """What one worker process does. `concurrency` None leaves it to the worker's own settings.

    `number` counts the processes of one supervisor, from 0.
    """

    name: str
    queues: tuple[str, ...]
    concurrency: int | None = None
    number: int = 0

    def argv(self) -> list[str]:
        """The command line of the worker itself."""
        concurrency = [] if self.concurrency is None else ["--concurrency", str(self.concurrency)]
        return python_module("worker.main", "--queues", ",".join(self.queues), *concurrency)


def known_queues() -> list[str]:
    """Every queue that a worker can serve: the named lanes first, then what further kinds use."""
    lanes = [str(name) for name in QueueName]
    return [*lanes, *(name for name in Catalog.load().queues() if name not in lanes)]


def default_plans(processes: int, concurrency: int | None) -> list[WorkerPlan]:
    """`processes` workers of each sort: the language model has its own, the other queues share one."""
    shared = [name for name in known_queues() if name != QueueName.LLM]
    lanes = {"worker": shared, "worker-llm": [str(QueueName.LLM)]}
    plans = [plan for name, queues in lanes.items() for plan in multiply(name, queues, processes, concurrency)]
    return [replace(plan, number=number) for number, plan in enumerate(plans)]


def multiply(name: str, queues: Sequence[str], processes: int, concurrency: int | None) -> list[WorkerPlan]:
    """The same worker `processes` times; numbered names when there are several."""
    names = [name] if processes == 1 else [f"{name}-{number}" for number in range(1, processes + 1)]
    return [
        WorkerPlan(name=each, queues=tuple(queues), concurrency=concurrency, number=number)
        for number, each in enumerate(names)
    ]


class WorkerProcess:
    """The process of a plan, for a supervisor. `environ` is its whole environment."""

    def __init__(self, plan: WorkerPlan, environ: Mapping[str, str], settings: CommonSettings) -> None:
        self._plan = plan
        self._environ = environ
        self._settings = settings
        self._incarnation: UUID = new_id()

    def spec(self) -> ProcessSpec:
        """How the supervisor runs it."""
        return ProcessSpec(
            name=self._plan.name,
            argv=self._plan.argv(),
            env=self._next_environment,
            on_exit=self._release_lease,
            stop_signal=signal.SIGTERM,
            stop_timeout=_stop_timeout(self._environ),
        )

    def _next_environment(self) -> dict[str, str]:
        self._incarnation = new_id()
        own_port = _own_port(self._environ, self._plan.number)
        return {**self._environ, **own_port, "LETUIN_WORKER_ID": str(self._incarnation)}

    async def _release_lease(self, _code: int) -> None:
        # A fresh engine: deaths are rare, and a pool would hold connections for nothing.
        engine = create_engine(self._settings, name="letuin supervisor")
        try:
            async with create_sessions(engine).begin() as db:
                await WorkerRepository().release(db, self._incarnation)
        finally:
            await engine.dispose()


def _own_port(environ: Mapping[str, str], number: int) -> dict[str, str]:
    """Processes of one supervisor answer probes on ports in a row; what is no port the worker itself refuses."""
    first = environ.get("WORKER_HTTP_PORT", "")
    return {"WORKER_HTTP_PORT": str(int(first) + number)} if number and first.isdecimal() and int(first) else {}


def _stop_timeout(environ: Mapping[str, str]) -> timedelta:
    """Longer than the worker takes to drain by itself (WORKER_DRAIN_GRACE, which it checks)."""
    try:
        grace = float(environ.get("WORKER_DRAIN_GRACE") or _DRAIN_GRACE)
    except ValueError:
        grace = _DRAIN_GRACE
    return timedelta(seconds=min(max(grace, 0.0), 86_400.0) + _STOP_MARGIN)
