"""One trace from the submit to the attempt, links from retries, and nothing at all where nobody asked."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar
from uuid import UUID

import httpx2
import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from sqlalchemy import select

from api.config import ApiSettings
from api.container import ApiContainer
from api.main import create_app
from common.config import CommonSettings
from common.container import CommonContainer
from common.database.model import Job, Schedule, WebhookEndpoint
from common.errors import TransientError
from common.events import EventType
from common.ids import new_id
from common.injection import providers
from common.jobs.system_echo import SystemEchoPayload, system_echo
from common.jobs.system_sleep import SystemSleepPayload, system_sleep
from common.llm_log import LlmCallEntry
from common.metrics.registry import MetricRegistry
from common.ports import CallOrigin
from common.queue.client import SubmitItem
from common.queue.placement import Placed
from common.repository.job import Owner
from common.tracing.messaging import sending
from common.tracing.otel import OtelTracer
from common.tracing.tracer import is_wanted, open_tracer
from tests.api.conftest import ECHO, running
from tests.fixtures.stores import Stores
from tests.fixtures.workers import Watcher, running_worker
from tests.worker.mail.test_notify import add_user
from worker.llm.meter import LlmMeter


class _KeptTracer(OtelTracer):
    def close(self) -> None:
        """It outlives the processes that use it."""


@dataclass(frozen=True)
class Traces:
    """A tracer that keeps what it was given."""

    tracer: OtelTracer
    exporter: InMemorySpanExporter

    def named(self, prefix: str) -> list[ReadableSpan]:
        """The ended spans whose names begin so, in the order of their ends."""
        return [span for span in self.exporter.get_finished_spans() if span.name.startswith(prefix)]

    def traced(self, container: CommonContainer) -> None:
        """Have a container use this tracer."""
        container.tracer.override(providers.Object(self.tracer))


@pytest.fixture
def traces() -> Iterator[Traces]:
    provider, exporter = TracerProvider(), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    yield Traces(_KeptTracer(provider), exporter)
    provider.shutdown()


def trace_of(span: ReadableSpan) -> int:
    assert span.context is not None
    return int(span.context.trace_id)


async def test_one_trace_from_the_request_to_the_attempt(
    stores: Stores, settings: CommonSettings, watcher: Watcher, traces: Traces, tmp_path: Path
) -> None:
    values = stores.settings
    wanted = ApiSettings.model_validate({**values, "jwt_secret": "x" * 40, "data_dir": tmp_path})
    container = ApiContainer(settings=wanted)
    traces.traced(container)
    caller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    async with (
        running(create_app(wanted, container)) as app,
        running_worker(settings, traces.traced),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://127.0.0.1") as http,
    ):
        answer = await http.post("/api/v1/jobs", json=ECHO, headers={"traceparent": caller})
        await watcher.until(UUID(answer.json()["id"]), EventType.SUCCEEDED)

    [request], [send], [process] = traces.named("POST /api"), traces.named("send"), traces.named("process")
    assert {format(trace_of(span), "032x") for span in (request, send, process)} == {caller.split("-")[1]}
    assert request.parent is not None
    assert format(request.parent.span_id, "016x") == caller.split("-")[2]
    assert send.parent == request.context
    assert process.parent is not None
    assert send.context is not None
    assert process.parent.span_id == send.context.span_id
    assert request.attributes is not None
    assert (request.attributes["http.route"], request.attributes["http.response.status_code"]) == ("/api/v1/jobs", 202)
    assert dict(process.attributes or {}) == {
        "messaging.system": "letuin",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "default",
        "messaging.message.id": answer.json()["id"],
        "letuin.job.kind": "system.echo",
        "letuin.job.attempt": 1,
        "letuin.job.outcome": "succeeded",
    }
    assert (send.kind, process.kind) == (SpanKind.PRODUCER, SpanKind.CONSUMER)


async def test_a_further_attempt_begins_a_trace_that_links_to_the_submit(
    container: CommonContainer, settings: CommonSettings, owner: Owner, watcher: Watcher, traces: Traces
) -> None:
    traces.traced(container)
    async with running_worker(settings, traces.traced, worker_drain_grace=0):
        job = await container.queue().submit(system_sleep, SystemSleepPayload(seconds=0.5), owner=owner)
        await watcher.until(job.id, EventType.STARTED)
    async with running_worker(settings, traces.traced):
        await watcher.until(job.id, EventType.SUCCEEDED)

    [send], [first, second] = traces.named("send"), traces.named("process")
    assert trace_of(first) == trace_of(send) != trace_of(second)
    assert second.parent is None
    assert [link.context.span_id for span in (first, second) for link in span.links] == [
        send.context and send.context.span_id
    ] * 2
    assert first.attributes is not None
    assert first.attributes["letuin.job.outcome"] == "released"


async def test_a_firing_begins_a_trace_that_goes_on_with_its_mail_and_its_webhook(
    container: CommonContainer, settings: CommonSettings, watcher: Watcher, traces: Traces
) -> None:
    owner = await add_user(container, "traced@example.com", is_verified=True)
    times = {"anchor": (now := datetime.now(UTC)), "next_slot": now, "due_at": now, "every": timedelta(days=1)}
    policies = {"overlap": "allow", "catch_up": "fire_once", "catch_up_window": timedelta(days=1)}
    whose = {"tenant_id": owner.tenant_id, "owner_id": owner.user_id}
    schedule = Schedule(
        id=new_id(),
        name="traced",
        kind="system.echo",
        payload={"message": "hello"},
        options={"notify": "both"},
        timezone="UTC",
        jitter=timedelta(0),
        **whose,
        **times,
        **policies,
    )
    hook = WebhookEndpoint(id=new_id(), url="http://127.0.0.1:9", events=["job.succeeded"], secret="sealed", **whose)
    async with container.sessions().begin() as db:
        db.add_all([schedule, hook])
    async with running_worker(settings, traces.traced, worker_queues=("default",)):
        contexts: dict[str, str | None] = {}
        while contexts.keys() != {"system.echo", "email.send", "webhook.deliver"}:
            event = await asyncio.wait_for(watcher.events.get(), 60)
            async with container.sessions()() as db:
                job = (await db.execute(select(Job).where(Job.id == event.job_id))).scalar_one()
            contexts[job.kind] = job.traceparent

    [send] = traces.named("send")
    [process] = [
        span for span in traces.named("process") if (span.attributes or {})["letuin.job.kind"] == "system.echo"
    ]
    assert send.parent is None
    assert process.parent is not None
    assert send.context is not None
    assert process.parent.span_id == send.context.span_id
    assert {(context or "").split("-")[2] for context in contexts.values()} == {format(send.context.span_id, "016x")}


async def test_jobs_of_a_batch_carry_the_context_of_its_submit(
    container: CommonContainer, owner: Owner, traces: Traces
) -> None:
    traces.traced(container)
    items = [SubmitItem(system_echo, SystemEchoPayload(message=str(number))) for number in range(3)]
    batch = await container.queue().submit_many(items, owner=owner)

    [send] = traces.named("send")
    assert (send.attributes or {})["messaging.batch.message_count"] == 3
    assert send.context is not None
    async with container.sessions()() as db:
        jobs = [await container.jobs().get(db, item.job.id, owner) for item in batch.items if isinstance(item, Placed)]
    assert {(job.traceparent or "").split("-")[2] for job in jobs} == {format(send.context.span_id, "016x")}


def test_a_call_of_a_model_tells_what_the_conventions_want(traces: Traces) -> None:
    entries: list[LlmCallEntry] = []
    registry = MetricRegistry()
    meter = LlmMeter(registry, traces.tracer, entries.append)
    origin = CallOrigin(new_id(), 2, new_id(), new_id(), "req-1")
    with meter.call("chat", model="gpt-4o", provider="openai", origin=origin) as call:
        call.heard()
        call.answered_by("gpt-4o-2026")
        call.used(11, 7, cost_usd=0.25)
        headers = call.headers
    with pytest.raises(TransientError), meter.call("chat", model="gpt-4o", provider="openai"):
        raise TransientError("busy: secret words")

    good, bad = traces.named("chat gpt-4o")
    assert headers["X-Request-ID"] == "req-1"
    assert good.context is not None
    assert headers["traceparent"].split("-")[2] == format(good.context.span_id, "016x")
    assert dict(good.attributes or {}) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.response.model": "gpt-4o-2026",
        "gen_ai.usage.input_tokens": 11,
        "gen_ai.usage.output_tokens": 7,
    }
    assert bad.status.status_code is StatusCode.ERROR
    assert (bad.attributes or {})["error.type"] == TransientError.code
    assert "secret words" not in bad.to_json()
    assert [(entry.outcome, entry.job_id, entry.cost_usd) for entry in entries] == [
        ("ok", origin.job_id, 0.25),
        (TransientError.code, None, 0),
    ]
    text = registry.render()[0].decode()
    assert 'letuin_llm_tokens_total{model="gpt-4o",type="output"} 7.0' in text
    assert 'letuin_llm_cost_usd_total{model="gpt-4o"} 0.25' in text
    assert f'letuin_llm_upstream_errors_total{{code="{TransientError.code}",model="gpt-4o"}} 1.0' in text


@pytest.mark.parametrize(
    ("environ", "is_on"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, False),
        ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_SDK_DISABLED": "true"}, False),
    ],
)
def test_only_settings_switch_it_on(environ: dict[str, str], is_on: bool) -> None:
    assert is_wanted(environ) is is_on
    tracer = open_tracer("letuin-test", environ)
    assert (tracer is not None) is is_on
    if tracer is not None:
        tracer.close()


class _Collector(BaseHTTPRequestHandler):
    """Takes what an exporter sends."""

    taken: ClassVar[list[tuple[str, bytes]]] = []

    def do_POST(self) -> None:
        self.taken.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quiet."""


def test_spans_reach_a_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Collector) as collector:
        Thread(target=collector.serve_forever, daemon=True).start()
        environ = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.server_port}",
            "OTEL_SERVICE_NAME": "letuin-under-test",
        }
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        tracer = open_tracer("letuin-api", environ)
        assert tracer is not None
        with sending(tracer, "default") as traceparent:
            assert traceparent is not None
        tracer.close()
        collector.shutdown()

    [(path, body)] = _Collector.taken
    assert path == "/v1/traces"
    assert b"letuin-under-test" in body
    assert b"send default" in body
    assert bytes.fromhex(traceparent.split("-")[1]) in body


def test_without_settings_the_library_is_not_loaded() -> None:
    statement = (
        "import sys, api.main, worker.main; assert not {'opentelemetry.sdk', 'common.tracing.otel'} & {*sys.modules}"
    )
    subprocess.run([sys.executable, "-c", statement], check=True, timeout=60)
