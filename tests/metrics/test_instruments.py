"""Figures as Prometheus reads them, and what they may never do: grow without end or lose a count."""

from threading import Thread

import pytest
from prometheus_client.parser import text_string_to_metric_families

from common.metrics.registry import MetricRegistry


def samples(registry: MetricRegistry) -> dict[tuple[str, tuple[str, ...]], float]:
    """Every sample by its name and the values of its labels."""
    families = text_string_to_metric_families(registry.render()[0].decode())
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def test_counters_histograms_and_gauges_are_exported() -> None:
    registry = MetricRegistry()
    jobs = registry.counter("jobs_finished", "Jobs.", "kind", "outcome")
    waits = registry.histogram("job_wait_seconds", "Waits.", "queue", bounds=(0.1, 1))
    registry.counter("nothing", "Never raised.")
    registry.gauge("depth", "Depth.", lambda: {("default",): 7}, "queue")
    registry.gauge("unknown", "Not known.", lambda: None)
    registry.counted_elsewhere("seen", "Kept by another.", lambda: 3)
    jobs.add("system.echo", "succeeded")
    jobs.add("system.echo", "succeeded", amount=2)
    for seconds in (0.1, 0.5, 5):
        waits.observe(seconds, "default")

    found = samples(registry)
    assert found["letuin_jobs_finished_total", ("system.echo", "succeeded")] == 3
    assert found["letuin_nothing_total", ()] == 0
    assert found["letuin_depth", ("default",)] == 7
    assert found["letuin_seen_total", ()] == 3
    buckets = [found["letuin_job_wait_seconds_bucket", (bound, "default")] for bound in ("0.1", "1.0", "+Inf")]
    assert buckets == [1, 2, 3]
    assert found["letuin_job_wait_seconds_sum", ("default",)] == pytest.approx(5.6)
    assert not [name for name, _ in found if name == "letuin_unknown"]
    assert ("process_resident_memory_bytes", ()) in found


def test_a_name_is_taken_once() -> None:
    registry = MetricRegistry()
    registry.counter("jobs", "Jobs.")
    with pytest.raises(ValueError, match="jobs"):
        registry.counter("jobs", "Jobs.")


def test_labels_without_end_become_other() -> None:
    registry = MetricRegistry()
    counter, histogram = registry.counter("a", "A.", "x"), registry.histogram("b", "B.", "x")
    for number in range(2000):
        counter.add(str(number))
        histogram.observe(1, str(number))

    found = samples(registry)
    assert found["letuin_a_total", ("other",)] == 1500
    assert found["letuin_b_count", ("other",)] == 1500


def test_a_look_from_another_thread_disturbs_no_count() -> None:
    registry = MetricRegistry()
    counter = registry.counter("a", "A.", "x")
    looks: list[bytes] = []
    thread = Thread(target=lambda: looks.extend(registry.render()[0] for _ in range(30)))
    thread.start()
    for number in range(20_000):
        counter.add(str(number % 50))
    thread.join()

    assert len(looks) == 30
    assert sum(value for (name, _), value in samples(registry).items() if name == "letuin_a_total") == 20_000


def test_open_metrics_are_given_to_whoever_asks_for_them() -> None:
    text, content_type = MetricRegistry().render("application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert text.endswith(b"# EOF\n")
