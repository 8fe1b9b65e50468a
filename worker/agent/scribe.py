"""Writes a run's steps down in PostgreSQL, where the api reads them, and tells them to whoever listens."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from pydantic_core import to_json

from common.agents import AgentInterrupt, AgentListener, AgentRequest
from common.database.direct import DirectPool
from common.ports import CallOrigin
from common.repository.thread_run import TakenThread, ThreadRunRepository, ThreadStep
from worker.agent.assistant import plain
from worker.agent.checkpoint.store import OutdatedError

_MESSAGES = "messages"
_LARGEST_EVENT = 48 * 1024


class Scribe:
    """Keeps the newest values of one attempt. Without a thread nothing is written, only told."""

    def __init__(
        self,
        request: AgentRequest,
        listener: AgentListener,
        origin: CallOrigin,
        taken: TakenThread | None,
        known: int,
        threads: ThreadRunRepository,
        direct: DirectPool,
    ) -> None:
        self._modes = request.stream_modes
        self._listener = listener
        self._origin = origin
        self._taken = taken
        self._known = known
        self._threads = threads
        self._direct = direct
        self._last: ThreadStep | None = None
        self.values: dict[str, Any] = {}
        self.waiting: tuple[str, ...] = ()

    async def step(self, payload: Mapping[str, Any]) -> None:
        """A checkpoint, as the stream of the graph tells it. Raises `OutdatedError`."""
        configurable, parent = payload["config"]["configurable"], payload.get("parent_config")
        self.values = plain(payload["values"])
        self.waiting = tuple(payload["next"])
        messages = self.values.get(_MESSAGES, [])
        first = min(self._known, len(messages))
        self._last = ThreadStep(
            checkpoint_id=UUID(configurable["checkpoint_id"]),
            parent_id=UUID(parent["configurable"]["checkpoint_id"]) if parent else None,
            step=payload["metadata"].get("step", -1),
            source=payload["metadata"].get("source", "loop"),
            next=self.waiting,
            state={name: value for name, value in self.values.items() if name != _MESSAGES},
            first_seq=first,
            messages=_with_citations(messages[first:], self.values.get("citations")),
        )
        await self._record(self._last)
        self._known = len(messages)
        if "values" in self._modes:
            await self._tell("agent.values", {"values": self.values})

    async def stopped(self, found: AgentInterrupt) -> None:
        """The run waits for a person: written with the newest checkpoint. Raises `OutdatedError`."""
        if self._last is not None:
            shown = found.model_dump(mode="json")
            await self._record(replace(self._last, first_seq=self._known, messages=(), interrupt=shown))
        await self._tell("agent.interrupt", found.model_dump(mode="json"))

    async def update(self, node: str, step: int, update: Any) -> None:
        """What a node has changed."""
        if "updates" in self._modes:
            await self._tell("agent.update", {"node": node, "step": step, "update": plain(update)})

    async def custom(self, data: Any) -> None:
        """What a node says of itself."""
        if "custom" in self._modes:
            await self._tell("agent.custom", {"data": plain(data)})

    async def token(self, text: str) -> None:
        """A piece of an answer."""
        if "messages" in self._modes:
            await self._listener.delta(text)

    async def _record(self, step: ThreadStep) -> None:
        if self._taken is None:
            return
        if not await self._threads.record(self._direct, self._taken, self._origin, step):
            raise OutdatedError(str(self._taken.id))

    async def _tell(self, event_type: str, data: dict[str, Any]) -> None:
        if len(to_json(data)) > _LARGEST_EVENT:
            data = {name: value for name, value in data.items() if not isinstance(value, dict | list)}
            data["is_shortened"] = True
        await self._listener.emit(event_type, data)


def _with_citations(messages: Sequence[dict[str, Any]], citations: Any) -> list[dict[str, Any]]:
    """The answer that the step adds carries its citations."""
    shown = list(messages)
    if shown and citations and shown[-1]["role"] == "assistant":
        shown[-1] = {**shown[-1], "citations": citations}
    return shown
