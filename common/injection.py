"""dependency-injector, without the web frameworks that it would load for wiring: nothing in Letuin is wired.

Where nothing else needs them, as in a worker, they are a quarter of the start.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

_FRAMEWORKS = ("fastapi", "starlette", "werkzeug", "fast_depends")


@contextmanager
def _hidden(*packages: str) -> Iterator[None]:
    """Let an import of these packages fail, whether or not they are loaded already."""
    names = [*packages, *(name for name in sys.modules if name.startswith(tuple(f"{each}." for each in packages)))]
    loaded = {name: sys.modules[name] for name in names if name in sys.modules}
    sys.modules.update(dict.fromkeys(names))  # type: ignore[arg-type]  # None means: cannot be imported
    try:
        yield
    finally:
        for name in names:
            del sys.modules[name]
        sys.modules.update(loaded)


with _hidden(*_FRAMEWORKS):
    from dependency_injector import containers, providers

__all__ = ["containers", "providers"]
