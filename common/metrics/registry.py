"""Every figure of one process, and the text that Prometheus reads."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from prometheus_client.exposition import choose_encoder
from prometheus_client.gc_collector import GCCollector
from prometheus_client.metrics_core import Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import CollectorRegistry

from common.metrics.instruments import SECONDS, Counter, CounterView, Gauge, Histogram, Instrument, Labels

PREFIX = "letuin_"


class _Given:
    """Families in the place of a registry."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


class MetricRegistry:
    """Makes instruments under names that begin with `letuin_`. No label may name a tenant, a user or a job.

    Each process has its own; nothing is shared between processes, so each is looked at by itself. Raises `ValueError`
    for a name that is taken.
    """

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._instruments: list[Instrument] = []
        ProcessCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    @property
    def instruments(self) -> Sequence[Instrument]:
        """Everything that was made here."""
        return self._instruments

    def counter(self, name: str, meaning: str, *labels: str) -> Counter:
        """A counter; its exported name gets `_total`."""
        return self._add(Counter(PREFIX + name, meaning, labels))

    def histogram(self, name: str, meaning: str, *labels: str, bounds: Sequence[float] = SECONDS) -> Histogram:
        """A histogram."""
        return self._add(Histogram(PREFIX + name, meaning, labels, bounds=bounds))

    def gauge(
        self, name: str, meaning: str, read: Callable[[], Mapping[Labels, float] | float | None], *labels: str
    ) -> Gauge:
        """A figure that is read when somebody looks."""
        return self._add(Gauge(PREFIX + name, meaning, read, labels))

    def counted_elsewhere(
        self, name: str, meaning: str, read: Callable[[], Mapping[Labels, float] | float], *labels: str
    ) -> CounterView:
        """A counter that another part keeps."""
        return self._add(CounterView(PREFIX + name, meaning, read, labels))

    def families(self) -> Iterable[Metric]:
        """What `render` writes."""
        return self._registry.collect()

    def render(self, accept: str = "", families: Iterable[Metric] | None = None) -> tuple[bytes, str]:
        """The figures as `accept` wants them (OpenMetrics, or Prometheus's text), and the content type.

        `families` are written instead of the own ones.
        """
        encode, content_type = choose_encoder(accept)
        return encode(self._registry if families is None else _Given(families)), content_type

    def _add[I: Instrument](self, instrument: I) -> I:
        self._registry.register(instrument)
        self._instruments.append(instrument)
        return instrument
