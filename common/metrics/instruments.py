"""What is counted: a rise costs one look into a dictionary, and families are made only when they are asked for."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

_MAX_SERIES = 500
_OTHER = "other"

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
"""Bounds of what takes from a millisecond to half an hour."""

type Labels = tuple[str, ...]


class Instrument(Collector):
    """A name with its meaning and labels. Beyond 500 combinations of labels the rest is counted as `other`."""

    def __init__(self, name: str, meaning: str, labels: Sequence[str]) -> None:
        self.name = name
        self.meaning = meaning
        self.labels = tuple(labels)

    @property
    def exported_name(self) -> str:
        """The name that queries use; histograms have `_bucket`, `_sum` and `_count` behind it."""
        return self.name

    def describe(self) -> Iterable[Metric]:
        """For the registry, which refuses a name twice."""
        return [Metric(self.name, self.meaning, "unknown")]

    def _bounded(self, labels: Labels, known: int) -> Labels:
        return labels if known < _MAX_SERIES else (_OTHER,) * len(self.labels)


class Counter(Instrument):
    """Only rises. The exported name ends with `_total`."""

    @property
    def exported_name(self) -> str:
        """Part of `Instrument`."""
        return f"{self.name}_total"

    def __init__(self, name: str, meaning: str, labels: Sequence[str] = ()) -> None:
        super().__init__(name, meaning, labels)
        self._values: dict[Labels, float] = {} if labels else {(): 0}

    def add(self, *labels: str, amount: float = 1) -> None:
        """Raise what these labels stand for, in the order in which they were declared."""
        try:
            self._values[labels] += amount
        except KeyError:
            labels = self._bounded(labels, len(self._values))
            self._values[labels] = self._values.get(labels, 0) + amount

    def value(self, *labels: str) -> float:
        """What it stands at."""
        return self._values.get(labels, 0)

    def collect(self) -> Iterable[Metric]:
        family = CounterMetricFamily(self.name, self.meaning, labels=self.labels)
        for labels, value in self._values.copy().items():
            family.add_metric(labels, value)
        yield family


class Histogram(Instrument):
    """How often something took how long, or was how large."""

    def __init__(
        self, name: str, meaning: str, labels: Sequence[str] = (), *, bounds: Sequence[float] = SECONDS
    ) -> None:
        super().__init__(name, meaning, labels)
        self._bounds = tuple(map(float, bounds))
        self._texts = [*map(str, self._bounds), "+Inf"]
        # For each combination of labels: a count for each bound, one for what is over all of them, and the sum.
        self._series: dict[Labels, list[float]] = {}

    def observe(self, value: float, *labels: str) -> None:
        """Count one value."""
        counts = self._series.get(labels)
        if counts is None:
            labels = self._bounded(labels, len(self._series))
            counts = self._series.setdefault(labels, [0] * (len(self._bounds) + 2))
        counts[bisect_left(self._bounds, value)] += 1
        counts[-1] += value

    def collect(self) -> Iterable[Metric]:
        family = HistogramMetricFamily(self.name, self.meaning, labels=self.labels)
        for labels, kept in self._series.copy().items():
            *counts, total = kept.copy()
            below, buckets = 0.0, []
            for bound, count in zip(self._texts, counts, strict=True):
                below += count
                buckets.append((bound, below))
            family.add_metric(labels, buckets, total)
        yield family


class Gauge(Instrument):
    """What is so now: `read` is called for each look, from any thread. None means that it is not known."""

    def __init__(
        self, name: str, meaning: str, read: Callable[[], Mapping[Labels, float] | float | None], labels: Sequence[str]
    ) -> None:
        super().__init__(name, meaning, labels)
        self._read = read

    def collect(self) -> Iterable[Metric]:
        family = GaugeMetricFamily(self.name, self.meaning, labels=self.labels)
        found = self._read()
        if found is not None:
            values = found if isinstance(found, Mapping) else {(): found}
            for labels, value in values.items():
                family.add_metric(labels, value)
        yield family


class CounterView(Gauge):
    """A counter that somebody else keeps: `read` gives what it stands at."""

    @property
    def exported_name(self) -> str:
        """Part of `Instrument`."""
        return f"{self.name}_total"

    def collect(self) -> Iterable[Metric]:
        family = CounterMetricFamily(self.name, self.meaning, labels=self.labels)
        found = self._read() or 0
        for labels, value in (found if isinstance(found, Mapping) else {(): found}).items():
            family.add_metric(labels, value)
        yield family
