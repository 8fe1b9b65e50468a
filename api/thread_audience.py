"""The listeners of threads: the same as those of jobs, with names, rooms and facts of their own."""

from collections.abc import Collection, Iterable
from typing import Any
from uuid import UUID

from api.audience import Audience

_EVENTS = {"job:event": "thread:event", "job:reset": "thread:reset"}
_JOB_ROOM = "job:"


class ThreadAudience:
    """An `Audience` that adds to each event of a job which thread and turn it belongs to."""

    def __init__(self, audience: Audience) -> None:
        self._audience = audience
        self._known: dict[UUID, tuple[UUID, int]] = {}

    def name(self, job_id: UUID, thread_id: UUID, turn: int) -> None:
        """Call before somebody follows the job."""
        self._known[job_id] = (thread_id, turn)

    def about(self, job_id: UUID) -> tuple[UUID, int] | None:
        """The job's thread and turn."""
        return self._known.get(job_id)

    def jobs_of(self, thread_id: UUID) -> list[UUID]:
        """The jobs of a thread that somebody follows."""
        return [job_id for job_id, (of, _) in self._known.items() if of == thread_id]

    def keep(self, job_ids: Collection[UUID]) -> None:
        """Forget all other jobs."""
        self._known = {job_id: about for job_id, about in self._known.items() if job_id in job_ids}

    async def send(self, to: str | None, event: str, data: dict[str, Any]) -> None:
        """Part of `Audience`."""
        about = self._known.get(UUID(data["job_id"])) if event in _EVENTS else None
        more = {} if about is None else {"thread_id": str(about[0]), "turn": about[1]}
        await self._audience.send(to and _room(to), _EVENTS.get(event, event), {**data, **more})

    def is_connected(self, listener: str) -> bool:
        return self._audience.is_connected(listener)

    def members(self, room: str) -> list[str]:
        return self._audience.members(_room(room))

    async def admit(self, listener: str, room: str) -> None:
        await self._audience.admit(listener, _room(room))

    async def enter_room(self, listener: str, room: str) -> None:
        await self._audience.enter_room(listener, _room(room))

    async def leave_room(self, listener: str, room: str) -> None:
        await self._audience.leave_room(listener, _room(room))

    async def drain(self, listener: str) -> bool:
        return await self._audience.drain(listener)

    def lagging(self, listeners: Iterable[str]) -> list[str]:
        return self._audience.lagging(listeners)

    def drop_slow(self, listeners: Iterable[str]) -> None:
        self._audience.drop_slow(listeners)

    async def disconnect(self, listener: str, code: str, message: str) -> None:
        await self._audience.disconnect(listener, code, message)


def _room(name: str) -> str:
    """Who follows a thread must not hear the job's events a second time as a follower of the job."""
    return f"thread-{name}" if name.startswith(_JOB_ROOM) else name
