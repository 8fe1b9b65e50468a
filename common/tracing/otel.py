"""Tracing by OpenTelemetry's SDK, which reads the OTEL_* variables itself. Loaded only where they ask for it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import version

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from common.tracing.tracer import Attributes, Span, SpanKind, Tracer, Value

_PROPAGATOR = TraceContextTextMapPropagator()
_KINDS = {
    SpanKind.SERVER: trace.SpanKind.SERVER,
    SpanKind.CLIENT: trace.SpanKind.CLIENT,
    SpanKind.PRODUCER: trace.SpanKind.PRODUCER,
    SpanKind.CONSUMER: trace.SpanKind.CONSUMER,
}


class OtelSpan:
    """One span of OpenTelemetry's."""

    __slots__ = ("inner",)

    def __init__(self, inner: trace.Span) -> None:
        self.inner = inner

    @property
    def traceparent(self) -> str:
        """Part of `Span`."""
        found = self.inner.get_span_context()
        return f"00-{found.trace_id:032x}-{found.span_id:016x}-{int(found.trace_flags):02x}"

    def set(self, name: str, value: Value) -> None:
        """Part of `Span`."""
        self.inner.set_attribute(name, value)

    def rename(self, name: str) -> None:
        """Part of `Span`."""
        self.inner.update_name(name)

    def fail(self, error_type: str) -> None:
        """Part of `Span`."""
        self.inner.set_attribute("error.type", error_type)
        self.inner.set_status(trace.StatusCode.ERROR)

    def end(self) -> None:
        """Part of `Span`."""
        self.inner.end()


class OtelTracer:
    """Spans of one provider. Implements `common.tracing.tracer.Tracer`."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("letuin", version("letuin"))

    def start(
        self,
        name: str,
        kind: SpanKind,
        attributes: Attributes,
        *,
        parent: str | None = None,
        links: Sequence[str] = (),
        is_root: bool = False,
    ) -> Span:
        """Part of `Tracer`. A traceparent that is none counts as missing."""
        above = _context(parent) if parent else otel_context.Context() if is_root else None
        found = [trace.get_current_span(_context(link)).get_span_context() for link in links]
        return OtelSpan(
            self._tracer.start_span(
                name,
                context=above,
                kind=_KINDS[kind],
                attributes=dict(attributes),
                links=[trace.Link(each) for each in found if each.is_valid],
            )
        )

    @contextmanager
    def use(self, span: Span) -> Iterator[None]:
        """Part of `Tracer`. What an exception says stays out of the trace: it may quote a payload."""
        assert isinstance(span, OtelSpan)
        try:
            with trace.use_span(span.inner, end_on_exit=False, record_exception=False, set_status_on_exception=False):
                yield
        except Exception as error:
            span.fail(type(error).__name__)
            raise
        finally:
            span.end()

    def close(self) -> None:
        """Part of `Tracer`."""
        self._provider.shutdown()


def open_otel(service: str, environ: Mapping[str, str]) -> Tracer:
    """A tracer that sends to where OTEL_* variables say."""
    provider = TracerProvider(resource=_resource(service, environ))
    provider.add_span_processor(BatchSpanProcessor(_exporter(environ)))
    return OtelTracer(provider)


def _resource(service: str, environ: Mapping[str, str]) -> Resource:
    name = environ.get("OTEL_SERVICE_NAME") or service
    return Resource.create({"service.name": name, "service.version": version("letuin")})


def _exporter(environ: Mapping[str, str]) -> SpanExporter:
    if environ.get("OTEL_TRACES_EXPORTER", "").strip().lower() == "console":
        return ConsoleSpanExporter()
    module = import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    exporter: SpanExporter = module.OTLPSpanExporter()
    return exporter


def _context(traceparent: str) -> otel_context.Context:
    return _PROPAGATOR.extract({"traceparent": traceparent}, otel_context.Context())
