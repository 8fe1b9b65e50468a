"""Whom delivery talks to: the listeners of one door of this process, by whatever wire they listen."""

from collections.abc import Iterable
from typing import Any, Protocol


class Audience(Protocol):
    """The connected listeners of one door, each known by an id; everything stays inside this process.

    Nothing here may wait for a listener except `drain`, and nothing grows without bound: who lags behind is told apart
    by `lagging` and served from the log, at its own pace, until it has caught up.
    """

    def is_connected(self, listener: str) -> bool:
        """Whether it is still there."""
        ...

    async def send(self, to: str | None, event: str, data: dict[str, Any]) -> None:
        """Queue an event for a listener or a room, encoded once, or for everybody."""
        ...

    def members(self, room: str) -> list[str]:
        """The listeners that hear a room."""
        ...

    async def admit(self, listener: str, room: str) -> None:
        """Let a listener that is still being accepted hear a room."""
        ...

    async def enter_room(self, listener: str, room: str) -> None:
        """Let the listener hear a room, if it is still there."""
        ...

    async def leave_room(self, listener: str, room: str) -> None:
        """Let it hear the room no more."""
        ...

    async def drain(self, listener: str) -> bool:
        """Wait until it has taken what was queued; False when it is gone, or was disconnected for taking nothing."""
        ...

    def lagging(self, listeners: Iterable[str]) -> list[str]:
        """Those for whom so much waits that they should read the log instead."""
        ...

    def drop_slow(self, listeners: Iterable[str]) -> None:
        """Disconnect those for whom more waits than is allowed at all."""
        ...

    async def disconnect(self, listener: str, code: str, message: str) -> None:
        """Tell the listener why, then close its connection."""
        ...
