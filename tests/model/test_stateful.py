"""Hypothesis drives the real repositories on a real PostgreSQL, one by one and two at a time."""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from common.ids import new_id
from common.queue.status import AttemptOutcome, JobStatus
from tests.faults.history import Ending, Story, read_move, wrong_moves
from tests.faults.prepare import HISTORY
from tests.fixtures.server_process import SERVERS, TEMPLATE, database_url
from tests.model.operations import ENDS, MAX_CRASHES, Learn, Operation, World

KINDS = [
    *("claim", "claim next", "claim next", "claim next", "end current", "end current", "end current", "end", "end"),
    *("cancel", "cancel running", "cancel running", "retry", "reap", "reap", "expire", "beat"),
]
NUMBERS = st.integers(0, 11)
# Numbers, not members: what the world holds depends on who wins a race, and Hypothesis has to draw alike each time.
CHOICES = st.tuples(st.sampled_from(KINDS), NUMBERS, NUMBERS, st.sampled_from(sorted(ENDS)))
type Choice = tuple[str, int, int, str]
_EMPTY = "TRUNCATE jobs, attempts, workers, job_history CASCADE"


class Database:
    """Three connections, and one loop to drive them from code that is not asynchronous."""

    def __init__(self, url: str) -> None:
        self._runner = asyncio.Runner()
        self._engine = create_async_engine(
            url.replace("postgresql://", "postgresql+asyncpg://"),
            poolclass=NullPool,
            connect_args={"server_settings": {"synchronous_commit": "off"}},  # no crash here, only speed
        )
        self.connections: list[AsyncConnection] = self.run(self._connect())

    def run[T](self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    async def _connect(self) -> list[AsyncConnection]:
        return [await self._engine.connect() for _ in range(3)]

    def close(self) -> None:
        async def close() -> None:
            for connection in self.connections:
                await connection.close()
            await self._engine.dispose()

        self.run(close())
        self._runner.close()


class Jobs(RuleBasedStateMachine):
    """Rules are statements; after each, every job's whole way is judged."""

    database: Database

    @initialize()
    def begin(self) -> None:
        self.world = World()
        self.database.run(self._alone(lambda db: db.exec_driver_sql(_EMPTY)))
        for _ in range(2):
            self.database.run(self._alone(self.world.submit))
            self.database.run(self._alone(self.world.start_worker))

    @precondition(lambda self: len(self.world.jobs) < 4)
    @rule()
    def submit(self) -> None:
        self.database.run(self._alone(self.world.submit))

    @precondition(lambda self: len(self.world.workers) < 5)
    @rule()
    def start_worker(self) -> None:
        self.database.run(self._alone(self.world.start_worker))

    @rule(first=CHOICES, second=CHOICES, keeps=st.booleans())
    def two_at_once(self, first: Choice, second: Choice, keeps: bool) -> None:
        """The second begins while the first holds its locks, and waits or skips; then the first ends either way."""
        self.database.run(self._race(self._operation(first), self._operation(second), keeps=keeps))

    @rule(choices=st.lists(CHOICES, min_size=3, max_size=6))
    def several(self, choices: list[Choice]) -> None:
        for choice in choices:
            self.database.run(self._alone(self._operation(choice)))()

    @rule(job=NUMBERS, worker=NUMBERS)
    def let_time_pass(self, job: int, worker: int) -> None:
        """All waits are over; now and then a job's time to start is, or a worker's lease."""
        expired = _pick(self.world.jobs, job) if job > 9 else None
        stopped = _pick(self.world.workers, worker) if worker > 7 else None
        self.database.run(self._alone(lambda db: self.world.let_time_pass(db, expired=expired, late=stopped)))

    @invariant()
    def every_way_is_legal(self) -> None:
        stories = self.database.run(self._stories())
        found = [text for story in stories for text in wrong_moves(story, max_crashes=MAX_CRASHES)]
        assert not found
        for story in stories:
            held = self.world.current.get(story.job_id)
            assert (story.status is JobStatus.RUNNING) == (held is not None)
            assert held is None or held.attempt == story.moves[-1].attempt

    def _operation(self, choice: Choice) -> Operation:
        world = self.world
        kind, one, other, how = choice
        worker, job = _pick(world.workers, one), _pick(world.jobs, other)
        match kind:
            case "claim next":
                return world.claim(worker, None)
            case "end current" if world.current:
                return world.end(_pick(list(world.current.values()), one), how)
            case "cancel running" if world.current:
                return world.cancel(_pick(list(world.current), one))
            case "end" if world.held:
                return world.end(_pick(world.held, one), how)
            case "cancel":
                return world.cancel(job)
            case "retry":
                return world.retry(job)
            case "reap":
                return world.reap()
            case "expire":
                return world.expire()
            case "beat":
                return world.beat(worker)
        return world.claim(worker, job)

    async def _alone[T](self, operation: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        async with self.database.connections[0].begin():
            return await operation(self.database.connections[0])

    async def _race(self, first: Operation, second: Operation, *, keeps: bool) -> None:
        one, other, _ = self.database.connections

        async def run_second() -> Learn:
            async with other.begin():
                return await second(other)

        transaction = await one.begin()
        learn = await first(one)
        waiting = asyncio.create_task(run_second())
        await asyncio.wait([waiting], timeout=0.003)
        await (transaction.commit() if keeps else transaction.rollback())
        learn_second = await waiting
        if keeps:
            learn()
        learn_second()

    async def _stories(self) -> list[Story]:
        db = self.database.connections[2]
        async with db.begin():
            rows = (await db.exec_driver_sql("SELECT id, status, max_attempts FROM jobs")).all()
            moves = (await db.exec_driver_sql("SELECT * FROM job_history ORDER BY number")).mappings().all()
            endings = (await db.exec_driver_sql("SELECT job_id, attempt, worker_id, outcome FROM attempts")).all()
        return [
            Story(
                row.id,
                JobStatus(row.status),
                row.max_attempts,
                None,
                [read_move(move) for move in moves if move["job_id"] == row.id],
                [Ending(e.attempt, e.worker_id, AttemptOutcome(e.outcome)) for e in endings if e.job_id == row.id],
                [],
            )
            for row in rows
        ]


def _pick[T](items: list[T], number: int) -> T:
    return items[number % len(items)]


@pytest.fixture
def database() -> Iterator[Database]:
    """A database of its own that writes down every move."""
    template = json.loads(os.environ[SERVERS])["database"]
    name = f"letuin_stateful_{new_id().hex}"
    admin = database_url(template, "postgres")
    asyncio.run(_execute(admin, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}"))
    asyncio.run(_execute(database_url(template, name), HISTORY))
    opened = Database(database_url(template, name))
    yield opened
    opened.close()
    asyncio.run(_execute(admin, f"DROP DATABASE {name} WITH (FORCE)"))


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(statement)
    await connection.close()


@pytest.mark.parametrize(
    ("examples", "steps"),
    [pytest.param(60, 25, id="60 examples"), pytest.param(1500, 40, id="1500 examples", marks=pytest.mark.soak)],
)
def test_the_repositories_keep_every_promise(database: Database, examples: int, steps: int) -> None:
    machine = type("OwnJobs", (Jobs,), {"database": database})
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=checks,
            database=None,
            phases=[Phase.generate],  # who wins a race differs from run to run: there is nothing to shrink
            derandomize=examples == 60,
        ),
    )
