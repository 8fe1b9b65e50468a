"""Finds every job kind: one module of `common.jobs` each, nothing to register."""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Self

from common import jobs
from common.errors import DuplicateKindError, UnknownKindError
from common.queue.definition import AnyJobKind, JobKind


class Catalog(Mapping[str, AnyJobKind]):
    """Every kind by its name. A module that cannot be imported stops the process, on purpose."""

    def __init__(self, kinds: Mapping[str, AnyJobKind]) -> None:
        self._kinds = dict(sorted(kinds.items()))

    @classmethod
    def load(cls, package: ModuleType = jobs) -> Self:
        """Import the modules of `package` and collect what they declare.

        Raises `DuplicateKindError` when two declarations share a name.
        """
        kinds: dict[str, AnyJobKind] = {}
        for info in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            for kind in _declared_in(importlib.import_module(info.name)):
                if kinds.setdefault(kind.name, kind) is not kind:
                    raise DuplicateKindError(f"job kind {kind.name!r} is declared twice; the second is in {info.name}")
        return cls(kinds)

    def get_kind(self, name: str) -> AnyJobKind:
        """The kind of this name. Raises `UnknownKindError` that lists the known ones."""
        kind = self._kinds.get(name)
        if kind is None:
            raise UnknownKindError(f"unknown job kind {name!r}; known kinds: {', '.join(self._kinds)}")
        return kind

    def public(self) -> list[AnyJobKind]:
        """The kinds that clients may submit."""
        return [kind for kind in self._kinds.values() if not kind.internal]

    def queues(self) -> list[str]:
        """The queues that some kind uses."""
        return sorted({kind.queue for kind in self._kinds.values()})

    def __getitem__(self, name: str) -> AnyJobKind:
        return self._kinds[name]

    def __hash__(self) -> int:
        return hash(tuple(self._kinds))

    def __iter__(self) -> Iterator[str]:
        return iter(self._kinds)

    def __len__(self) -> int:
        return len(self._kinds)


def _declared_in(module: ModuleType) -> list[AnyJobKind]:
    kinds = (value for value in vars(module).values() if isinstance(value, JobKind))
    return [kind for kind in kinds if kind.handler.__module__ == module.__name__]
