"""What both stores share: the strict serialiser, the fence, and what a worker does with whole threads."""

from collections.abc import Sequence
from typing import Any, Protocol

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from common.errors import TransientError

FENCE = "fence"
"""In `configurable`: the number that the attempt got when it took the thread."""


class OutdatedError(TransientError):
    """A later attempt, or a later job, has taken the thread: nothing that this one writes counts."""

    code = "outdated"

    def __init__(self, thread: str) -> None:
        super().__init__(f"another attempt has taken {thread}")


class BusyError(TransientError):
    """Another process has kept the checkpoints to itself for longer than is waited."""

    code = "checkpoints_busy"

    def __init__(self) -> None:
        super().__init__("another process keeps the checkpoints to itself")


def strict_serializer() -> JsonPlusSerializer:
    """Builds known types of langchain and langgraph only; never pickle, never a class that a checkpoint names."""
    return JsonPlusSerializer(pickle_fallback=False, allowed_json_modules=None, allowed_msgpack_modules=None)


def fence_of(config: RunnableConfig) -> tuple[str, int]:
    """The thread and the fence of a write. Raises `OutdatedError` for one that names no fence."""
    configurable: dict[str, Any] = config["configurable"]
    thread = str(configurable["thread_id"])
    if FENCE not in configurable:
        raise OutdatedError(thread)
    return thread, int(configurable[FENCE])


class CheckpointStore(Protocol):
    """The checkpoints of one flow."""

    @property
    def saver(self) -> BaseCheckpointSaver[Any]:
        """What a graph is compiled with."""
        ...

    async def claim(self, thread: str, fence: int) -> None:
        """Let only writes of `fence` in from now on.

        Raises `OutdatedError` when a higher one did so already, and as every method here `BusyError`.
        """
        ...

    async def drop_runs(self, thread: str, runs: Sequence[str]) -> None:
        """Remove what these runs wrote."""
        ...

    async def copy(self, source: str, checkpoint_id: str, target: str) -> bool:
        """Give `target` the checkpoint and those before it; False when it is gone."""
        ...

    async def forget(self, thread: str, *, is_final: bool) -> None:
        """Remove everything; when that is final, no write of this thread is accepted any more."""
        ...

    async def list_threads(self) -> list[str]:
        """Every thread that may be written to, or has checkpoints."""
        ...

    async def aclose(self) -> None:
        """Close the connections."""
        ...
