"""The log of calls of models, written beside them where LLM_CALL_LOG is on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from common.llm_log import LlmCallEntry
from common.log_writer import LogLimits, LogWriter
from common.metrics.registry import MetricRegistry
from common.tracing.tracer import Tracer
from worker.llm.meter import LlmMeter

if TYPE_CHECKING:
    from common.repository.log import LlmCallRepository


class LlmCallWriter(LogWriter[LlmCallEntry]):
    """Writes, and closes the log at its end."""

    def __init__(self, calls: "LlmCallRepository") -> None:
        super().__init__("llm call log", calls, LogLimits())
        self._calls = calls

    async def close(self) -> None:
        """Close every connection."""
        await self._calls.close()


def create_call_writer(calls: "LlmCallRepository | None") -> LlmCallWriter | None:
    """The writer of a log; None when there is no log."""
    return None if calls is None else LlmCallWriter(calls)


def create_meter(registry: MetricRegistry, tracer: Tracer | None, writer: LlmCallWriter | None) -> LlmMeter:
    """The meter of a worker; its records go to `writer`, whose losses are exported."""
    if writer is None:
        return LlmMeter(registry, tracer)

    def entries() -> dict[tuple[str, ...], float]:
        return {("written",): writer.counts.written, ("dropped",): writer.counts.dropped}

    registry.counted_elsewhere("llm_call_log_entries", "Records of calls, by what came of them.", entries, "outcome")
    return LlmMeter(registry, tracer, writer.record)


@asynccontextmanager
async def written(writer: LlmCallWriter | None) -> AsyncIterator[None]:
    """Write beside the block."""
    if writer is None:
        yield
        return
    try:
        async with writer:
            yield
    finally:
        await writer.close()
