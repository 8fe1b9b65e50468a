"""Which port each server of a data folder listens on: free at the first start, the same ever after."""

import json
import random
import socket
from pathlib import Path

from common.embedded.errors import EmbeddedServerError
from common.embedded.files import write_atomically
from common.embedded.server import LOOPBACK

# Below the range from which the kernel takes the ports of outgoing connections.
_CANDIDATES = range(15_000, 32_000)
_TRIES = 200


class PortBook:
    """Remembers ports by name in `data/ports.json`."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / "ports.json"
        self._ports = self._read()

    def assign(self, name: str) -> int:
        """The remembered port when it is free, otherwise another one, remembered from now on."""
        known = self._ports.get(name)
        if known is not None and is_free(known):
            return known
        others = {port for other, port in self._ports.items() if other != name}
        self._ports[name] = _pick(others)
        write_atomically(self._path, json.dumps(self._ports, indent=2, sort_keys=True) + "\n")
        return self._ports[name]

    def is_kept(self, name: str) -> bool:
        """True when nobody listens on the remembered port (ask while our own server is down)."""
        port = self._ports.get(name)
        return port is not None and is_free(port)

    def _read(self) -> dict[str, int]:
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        if not isinstance(found, dict):
            return {}
        return {str(name): port for name, port in found.items() if isinstance(port, int) and 0 < port < 65536}


def is_free(port: int) -> bool:
    """True when a server could listen on 127.0.0.1:`port` now."""
    with socket.socket() as probe:
        # As servers do: a port whose old connections linger is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _pick(taken: set[int]) -> int:
    for port in random.sample(_CANDIDATES, _TRIES):
        if port not in taken and is_free(port):
            return port
    raise EmbeddedServerError(f"No free port found between {_CANDIDATES.start} and {_CANDIDATES.stop} on 127.0.0.1.")
