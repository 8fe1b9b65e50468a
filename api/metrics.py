"""What an api process counts beyond what every process does."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from common.events import Event
from common.loop_lag import LoopLag
from common.metrics.registry import MetricRegistry

if TYPE_CHECKING:
    from api.request_log import RequestLogWriter

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class ApiMetrics:
    """Requests by route, and events on their way to clients. Part of `BusListener`: it hears how late events are."""

    def __init__(self, registry: MetricRegistry) -> None:
        self._requests = registry.counter("http_requests", "Requests answered.", "method", "route", "status")
        self._seconds = registry.histogram("http_request_seconds", "Time to the end of answers, seconds.", "route")
        self._replays = registry.counter(
            "event_replays", "Clients that came back with a number; whether nothing was missing.", "recovered"
        )
        self._lag = registry.histogram(
            "relay_lag_seconds", "Age of events when this process hears of them, by the clocks of the hosts."
        )

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request is over; `status` is 0 when the client left before the answer."""
        self._requests.add(method if method in _METHODS else "other", route, str(status))
        self._seconds.observe(seconds, route)

    def replayed(self, *, is_whole: bool) -> None:
        """A client goes on where it was."""
        self._replays.add("true" if is_whole else "false")

    def on_events(self, events: Sequence[Event]) -> None:
        """Part of `BusListener`."""
        if events:
            self._lag.observe(max(0.0, (datetime.now(UTC) - events[-1].ts).total_seconds()))

    def on_gap(self) -> None:
        """Part of `BusListener`; the bus counts gaps itself."""


class _Bus(Protocol):
    connections: int

    @property
    def silent_for(self) -> float: ...

    @property
    def silences(self) -> int: ...


class _Clients(Protocol):
    @property
    def count(self) -> int: ...


def show_process(
    registry: MetricRegistry, *, bus: _Bus, sockets: _Clients, lag: LoopLag, writer: "RequestLogWriter | None"
) -> None:
    """Export what the parts of the process know of themselves."""
    registry.gauge("api_loop_lag_seconds", "How late the event loop of the api is.", lambda: lag.seconds)
    registry.gauge("socket_clients", "Connected Socket.IO clients.", lambda: sockets.count)
    registry.gauge("bus_canary_age_seconds", "Since when Redis said nothing to this process.", lambda: bus.silent_for)
    registry.counted_elsewhere(
        "bus_canary_silences", "Times that Redis said nothing for over 3 s.", lambda: bus.silences
    )
    registry.counted_elsewhere("bus_reconnects", "Subscriptions made anew.", lambda: max(0, bus.connections - 1))
    if writer is not None:
        show_request_log(registry, writer)


def show_request_log(registry: MetricRegistry, writer: "RequestLogWriter") -> None:
    """Export what became of the entries of the request log."""

    def entries() -> dict[tuple[str, ...], float]:
        return {("written",): writer.counts.written, ("dropped",): writer.counts.dropped}

    registry.counted_elsewhere(
        "request_log_entries", "Entries of the request log, by what came of them.", entries, "outcome"
    )
    registry.gauge("request_log_queued", "Entries that wait for MongoDB.", lambda: writer.counts.queued)
