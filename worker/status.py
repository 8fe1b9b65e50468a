"""How a worker is: what its probes and its metrics say."""

from collections.abc import Mapping

from common.loop_lag import LoopLag
from common.metrics.registry import MetricRegistry
from worker.config import WorkerSettings
from worker.engine import Engine
from worker.event_writer import EventWriter
from worker.lease import LeaseKeeper
from worker.signals import SignalListener
from worker.status_server import Answer, Page, StatusServer, json_answer


class WorkerStatus:
    """Alive while its loop turns; ready while it also may claim and hears Redis. Called from any thread."""

    def __init__(
        self,
        settings: WorkerSettings,
        registry: MetricRegistry,
        lag: LoopLag,
        engine: Engine,
        signals: SignalListener,
        events: EventWriter,
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._lag = lag
        self._engine = engine
        self._signals = signals
        self._events = events
        self._longest_lag = settings.worker_max_loop_lag.total_seconds()

    def server(self, keeper: LeaseKeeper) -> StatusServer | None:
        """The server of probes and metrics; None unless WORKER_HTTP_PORT is set."""
        port = self._settings.worker_http_port
        if port is None:
            return None
        pages: Mapping[str, Page] = {
            "/live": lambda _: self._live(),
            "/ready": lambda _: self._ready(keeper),
            "/metrics": lambda accept: (200, *self._registry.render(accept)),
        }
        return StatusServer(self._settings.worker_http_host, port, pages)

    def show(self) -> None:
        """Export what the parts of the process know of themselves."""
        canary, registry = self._signals.canary, self._registry

        def slots() -> dict[tuple[str, ...], float]:
            free = max(0, self._engine.free_slots)
            return {("busy",): self._engine.max_jobs - self._engine.free_slots, ("free",): free}

        registry.gauge("worker_up", "1 for each worker process that answers.", lambda: 1)
        registry.gauge("worker_slots", "Jobs that this worker runs, and could run besides.", slots, "state")
        registry.gauge("worker_loop_lag_seconds", "How late the event loop is.", lambda: self._lag.seconds)
        registry.gauge("bus_canary_age_seconds", "Since when Redis said nothing to this process.", lambda: canary.age)
        registry.counted_elsewhere(
            "bus_canary_silences", "Times that Redis said nothing for over 3 s.", lambda: canary.silences
        )
        registry.counted_elsewhere(
            "bus_reconnects", "Subscriptions made anew.", lambda: max(0, self._signals.connections - 1)
        )
        registry.gauge("events_waiting", "Events that wait for Redis.", lambda: self._events.waiting)
        registry.counted_elsewhere(
            "events_dropped", "Events given up because too many waited.", lambda: self._events.dropped
        )
        registry.counted_elsewhere(
            "events_refused", "Events of outdated attempts that the log refused.", lambda: self._events.refused
        )

    def _live(self) -> Answer:
        lag = self._lag.seconds
        is_alive = lag <= self._longest_lag
        body = {"status": "alive" if is_alive else "stuck", "loop_lag_seconds": round(lag, 3)}
        return json_answer(200 if is_alive else 503, body)

    def _ready(self, keeper: LeaseKeeper) -> Answer:
        states = {
            "lease": keeper.is_valid,
            "events": not self._signals.canary.is_deaf,
            "loop": self._lag.seconds <= self._longest_lag,
        }
        services = {name: "healthy" if is_well else "unhealthy" for name, is_well in states.items()}
        is_ready = all(states.values())
        body = {
            "status": "ready" if is_ready else "not ready",
            "worker_id": str(keeper.worker_id),
            "queues": list(self._settings.worker_queues),
            "services": services,
        }
        return json_answer(200 if is_ready else 503, body)
