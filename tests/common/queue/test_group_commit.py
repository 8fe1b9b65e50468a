"""Group commit: who shares a write with whom, and who does not wait for whom."""

import asyncio
from collections.abc import Sequence

import pytest

from common.queue.group_commit import GroupCommit


class Store:
    """Something to write to: each write ends when the test says so."""

    def __init__(self) -> None:
        self.writes: list[list[int]] = []
        self.gates: asyncio.Queue[None] = asyncio.Queue()

    async def write(self, items: Sequence[int]) -> list[int]:
        self.writes.append(list(items))
        await self.gates.get()
        if 13 in items:
            raise ValueError(f"{len(items)} with 13")
        return [item * 10 for item in items]


def call(commits: GroupCommit[int, int], item: int) -> asyncio.Task[int]:
    return asyncio.Task(commits.submit(item), loop=asyncio.get_running_loop(), eager_start=True)


async def test_lone_item_is_written_inside_the_call_and_the_next_ones_share() -> None:
    store = Store()
    commits = GroupCommit(store.write)
    async with asyncio.timeout(60):
        calls = [call(commits, item) for item in range(4)]
        assert store.writes == [[0]]
        store.gates.put_nowait(None)
        store.gates.put_nowait(None)
        assert await asyncio.gather(*calls) == [0, 10, 20, 30]
    assert store.writes == [[0], [1, 2, 3]]


async def test_an_item_fails_alone() -> None:
    store = Store()
    commits = GroupCommit(store.write)
    async with asyncio.timeout(60):
        calls = [call(commits, item) for item in (1, 2, 13, 3)]
        for _ in range(5):
            store.gates.put_nowait(None)
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        await commits.drain()
    assert store.writes == [[1], [2, 13, 3], [2], [13], [3]]
    assert outcomes[:2] == [10, 20]
    assert outcomes[3] == 30
    assert isinstance(outcomes[2], ValueError)
    assert str(outcomes[2]) == "1 with 13"


@pytest.mark.parametrize(("gather", "writes"), [(0, [[0], [1], [2], [3], [4]]), (4, [[0], [1, 2, 3, 4]])])
async def test_a_write_that_follows_waits_for_those_who_are_about_to_come(gather: int, writes: list[list[int]]) -> None:
    store = Store()
    commits = GroupCommit(store.write, gather=gather)

    async def come_later(item: int) -> int:
        for _ in range(2):
            await asyncio.sleep(0)
        return await commits.submit(item)

    async with asyncio.timeout(60):
        first = [call(commits, item) for item in (0, 1)]
        later = [asyncio.create_task(come_later(item)) for item in (2, 3, 4)]
        for _ in range(5):
            store.gates.put_nowait(None)
        await asyncio.gather(*first, *later)
    assert store.writes == writes


async def test_items_that_come_one_by_one_wait_for_enough_of_them() -> None:
    store = Store()
    commits = GroupCommit(store.write, gather=3, spacing=3600)
    for _ in range(2):
        store.gates.put_nowait(None)
    async with asyncio.timeout(60):
        assert await commits.submit(0) == 0
        calls = [call(commits, item) for item in (1, 2)]
        for _ in range(5):
            await asyncio.sleep(0)
        assert store.writes == [[0]]
        assert await commits.submit(3) == 30
        assert await asyncio.gather(*calls) == [10, 20]
    assert store.writes == [[0], [1, 2, 3]]


async def test_a_lone_item_waits_no_longer_than_the_spacing() -> None:
    store = Store()
    commits = GroupCommit(store.write, gather=3, spacing=0.01)
    for _ in range(2):
        store.gates.put_nowait(None)
    async with asyncio.timeout(60):
        assert [await commits.submit(item) for item in (1, 2)] == [10, 20]
    assert store.writes == [[1], [2]]
