"""python-socketio for a process that only serves: what its client side would load (15 MB) stays out."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

_CLIENT_SIDE = ("aiohttp", "requests", "valkey", "websocket")


@contextmanager
def _without(*names: str) -> Iterator[None]:
    """Imports of `names` fail inside the block, which the package takes as "not installed"."""
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None is how an import is refused
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


with _without(*_CLIENT_SIDE):
    import socketio  # type: ignore[import-untyped]
    from engineio.packet import Packet as EngineIoPacket  # type: ignore[import-untyped]
    from socketio.async_pubsub_manager import AsyncPubSubManager  # type: ignore[import-untyped]

__all__ = ["AsyncPubSubManager", "EngineIoPacket", "socketio"]
