"""The stores of checkpoints, a file and a real PostgreSQL: fences, strict reading, copies, and what is removed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import empty_checkpoint

from common.config import CommonSettings
from common.ids import new_id
from tests.fixtures.workers import worker_settings
from worker.agent.checkpoint.store import FENCE, CheckpointStore, OutdatedError, strict_serializer
from worker.agent.flows import open_store
from worker.config import CheckpointBackend

BACKENDS = list(CheckpointBackend)


@asynccontextmanager
async def opened(settings: CommonSettings, backend: CheckpointBackend, folder: Path) -> AsyncIterator[CheckpointStore]:
    store = await open_store(worker_settings(settings, agent_checkpoints=backend, data_dir=folder), "example")
    try:
        yield store
    finally:
        await store.aclose()


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> CheckpointBackend:
    return CheckpointBackend(request.param)


@pytest.fixture
async def store(settings: CommonSettings, backend: CheckpointBackend, tmp_path: Path) -> AsyncIterator[CheckpointStore]:
    async with opened(settings, backend, tmp_path) as store:
        yield store


def place(thread: str, fence: int | None = None, *, run: str = "r1", after: str | None = None) -> RunnableConfig:
    """Where a write goes, and who writes."""
    values: dict[str, Any] = {"thread_id": thread, "checkpoint_ns": "", FENCE: fence, "checkpoint_id": after}
    known = {name: value for name, value in values.items() if value is not None}
    return {"configurable": known, "metadata": {"run_id": run}}


@pytest.fixture
def t() -> str:
    """A thread that no other test knows: PostgreSQL keeps theirs."""
    return str(new_id())


async def put(store: CheckpointStore, config: RunnableConfig) -> str:
    """Write a checkpoint; its id."""
    made = await store.saver.aput(config, empty_checkpoint(), {"source": "loop", "step": 1}, {})
    return str(made["configurable"]["checkpoint_id"])


async def newest(store: CheckpointStore, thread: str) -> str | None:
    found = await store.saver.aget_tuple(place(thread))
    return None if found is None else str(found.config["configurable"]["checkpoint_id"])


async def test_only_the_newest_fence_writes(store: CheckpointStore, t: str) -> None:
    await store.claim(t, 1)
    first = await put(store, place(t, 1))
    await store.claim(t, 2)

    for outdated in (place(t, 1, after=first), place(t, after=first)):
        with pytest.raises(OutdatedError):
            await put(store, outdated)
        with pytest.raises(OutdatedError):
            await store.saver.aput_writes(outdated, [("answer", "late")], "task")
    with pytest.raises(OutdatedError):
        await store.claim(t, 1)
    assert await newest(store, t) == first
    second = await put(store, place(t, 2, after=first))
    assert await newest(store, t) == second


async def test_two_processes_agree_on_the_fence(
    store: CheckpointStore, settings: CommonSettings, backend: CheckpointBackend, tmp_path: Path, t: str
) -> None:
    async with opened(settings, backend, tmp_path) as other:
        await store.claim(t, 1)
        await other.claim(t, 2)
        with pytest.raises(OutdatedError):
            await put(store, place(t, 1))
        threads = [f"{t}:{number}" for number in range(10)]
        for thread in threads:
            await store.claim(thread, 1)
        await asyncio.gather(*(put(each, place(thread, 1)) for each in (store, other) for thread in threads))
        assert None not in [await newest(other, thread) for thread in threads]


async def test_runs_are_undone_and_threads_copied_and_forgotten(store: CheckpointStore, t: str) -> None:
    fork = f"{t}:fork"
    await store.claim(t, 1)
    first = await put(store, place(t, 1))
    second = await put(store, place(t, 1, run="r2", after=first))
    await store.saver.aput_writes(place(t, 1, after=second), [("answer", "x")], "task")

    assert await store.copy(t, first, fork)
    assert not await store.copy(t, "1f1e6ecd-0000-6000-8000-000000000000", f"{t}:none")
    await store.drop_runs(t, ["r2"])
    assert [await newest(store, thread) for thread in (t, fork)] == [first, first]
    await store.forget(t, is_final=True)
    assert [await newest(store, thread) for thread in (t, fork)] == [None, first]
    with pytest.raises(OutdatedError):
        await store.claim(t, 5)


async def test_a_write_that_is_cancelled_leaves_the_store_open_to_others(store: CheckpointStore, t: str) -> None:
    await store.claim(t, 1)
    cut = asyncio.create_task(put(store, place(t, 1)))
    await asyncio.sleep(0)
    cut.cancel()
    await asyncio.wait([cut])
    assert await put(store, place(t, 1)) == await newest(store, t)


def test_what_a_checkpoint_names_is_not_built() -> None:
    strict, loose = strict_serializer(), type(strict_serializer())(allowed_msgpack_modules=True)
    evil = loose.dumps_typed(Path("/"))
    assert strict.loads_typed(evil) == Path("/")  # a type that is known to be harmless
    foreign = loose.dumps_typed(ForeignError("boom"))
    assert not isinstance(strict.loads_typed(foreign), ForeignError)
    with pytest.raises(NotImplementedError):
        strict.loads_typed(("pickle", b"\x80\x04N."))


class ForeignError(Exception):
    """Something that no checkpoint of ours holds."""

    def model_dump(self) -> dict[str, Any]:
        return {"args": list(self.args)}
