"""Api processes behind one port: whichever answers /metrics asks the others, too, and tells whose each figure is."""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from api.store_figures import StoreFigures
from common.database.session import Sessions
from common.metrics.registry import MetricRegistry
from common.repository.figures import FiguresRepository

_LIMIT = 5.0
_LABEL = "process"


@dataclass(frozen=True, slots=True)
class Place:
    """Which of the processes behind one port this is, and the folder that holds a socket of each."""

    number: int
    folder: Path

    @property
    def socket(self) -> Path:
        """Where this process tells its figures; the folder keeps other users out."""
        return self.folder / f"{self.number}.sock"


class Siblings:
    """`async with siblings:` answers the others. Without a `place` this process is alone."""

    def __init__(self, registry: MetricRegistry, figures: StoreFigures, place: Place | None) -> None:
        self._registry = registry
        self._figures = figures
        self._place = place
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        if self._place is not None:
            self._server = await asyncio.start_unix_server(self._tell, self._place.socket)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()

    async def render(self, accept: str) -> tuple[bytes, str]:
        """The figures of all, as `accept` wants them, and the content type. Who does not answer is left out."""
        if self._place is None:
            await self._figures.refresh()
            return self._registry.render(accept)
        others = [path for path in self._place.folder.glob("*.sock") if path != self._place.socket]
        texts, _ = await asyncio.gather(asyncio.gather(*map(_ask, others)), self._figures.refresh())
        told = {path.stem: text_string_to_metric_families(text) for path, text in zip(others, texts, strict=True)}
        return self._registry.render(accept, _join({str(self._place.number): self._registry.families(), **told}))

    async def _tell(self, _reader: StreamReader, writer: StreamWriter) -> None:
        await self._figures.refresh()
        text, _ = self._registry.render()
        with suppress(OSError):
            writer.write(text)
            await writer.drain()
            writer.close()
            await writer.wait_closed()


def create_siblings(registry: MetricRegistry, sessions: Sessions, place: Place | None) -> Siblings:
    """With the figures of the installation."""
    return Siblings(registry, StoreFigures(sessions, FiguresRepository(), registry), place)


async def _ask(path: Path) -> str:
    try:
        async with asyncio.timeout(_LIMIT):
            reader, writer = await asyncio.open_unix_connection(path)
            try:
                return (await reader.read(-1)).decode()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return ""


def _join(told: dict[str, Iterable[Metric]]) -> Iterator[Metric]:
    """One family a name, with samples that name their process."""
    joined: dict[str, Metric] = {}
    for number, families in told.items():
        for family in families:
            into = joined.setdefault(family.name, Metric(family.name, family.documentation, family.type))
            into.samples += [each._replace(labels={**each.labels, _LABEL: number}) for each in family.samples]
    yield from joined.values()
