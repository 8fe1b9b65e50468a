"""Hosts on one switch, each a network namespace of Linux, whose cables a test may pull."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

_NAMESPACES = Path("/run/netns")


@dataclass(frozen=True, slots=True)
class Host:
    """One host: its name on the switch, and its address."""

    name: str
    namespace: str
    address: str

    @property
    def command(self) -> tuple[str, ...]:
        """What runs a command on it, under a host name of its own."""
        enter = ("nsenter", f"--net={_NAMESPACES / self.namespace}", "unshare", "--uts", "sh", "-c")
        return (*enter, 'hostname "$0" && exec "$@"', self.name)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """What this thread opens, and what it starts, is on this host until the block ends."""
        with open("/proc/thread-self/ns/net", "rb") as before, open(_NAMESPACES / self.namespace, "rb") as own:
            os.setns(own.fileno(), os.CLONE_NEWNET)
            try:
                yield
            finally:
                os.setns(before.fileno(), os.CLONE_NEWNET)


class Switch:
    """A bridge in a namespace of its own, so that nothing of this machine's network is touched."""

    def __init__(self) -> None:
        self._prefix = f"letuin-{os.getpid()}"
        self._hub = f"{self._prefix}-hub"
        self._hosts: list[Host] = []

    def __enter__(self) -> Self:
        ip("netns", "add", self._hub)
        ip("-n", self._hub, "link", "add", "switch", "type", "bridge")
        ip("-n", self._hub, "link", "set", "switch", "up")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for namespace in (*(host.namespace for host in self._hosts), self._hub):
            subprocess.run(["ip", "netns", "del", namespace], check=False, capture_output=True)

    def add(self, name: str) -> Host:
        """A host with a cable to the switch."""
        host = Host(name, f"{self._prefix}-{name}", f"10.231.7.{len(self._hosts) + 1}")
        self._hosts.append(host)
        ip("netns", "add", host.namespace)
        cable = ("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", host.namespace)
        ip("-n", self._hub, *cable)
        self.heal(host)
        ip("-n", self._hub, "link", "set", name, "up")
        ip("-n", host.namespace, "address", "add", f"{host.address}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            ip("-n", host.namespace, "link", "set", device, "up")
        return host

    def cut(self, host: Host) -> None:
        """Let nothing through any more, without telling anybody: connections stay open and hear nothing."""
        ip("-n", self._hub, "link", "set", host.name, "nomaster")

    def heal(self, host: Host) -> None:
        """Let everything through."""
        ip("-n", self._hub, "link", "set", host.name, "master", "switch")


def ip(*arguments: str) -> None:
    """Run `ip`. Raises CalledProcessError."""
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def can_have_hosts() -> bool:
    """Whether this machine lets us make namespaces: Linux, root, and the tools."""
    if os.name != "posix" or not hasattr(os, "setns") or os.geteuid() != 0:
        return False
    if not all(shutil.which(tool) for tool in ("ip", "nsenter", "unshare")):
        return False
    try:
        with Switch() as switch:
            switch.add("probe")
    except (subprocess.CalledProcessError, OSError):
        return False
    return True
