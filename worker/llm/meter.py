"""What every call of a model tells: figures, a span and a record. Light: no library of models is loaded here."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from time import monotonic

from common.errors import AppError
from common.ids import new_id
from common.llm_log import LlmCallEntry
from common.metrics.registry import MetricRegistry
from common.ports import CallOrigin
from common.tracing.tracer import Span, SpanKind, Tracer

_DURATIONS = tuple(0.01 * 2**power for power in range(14))
_OK, _CANCELLED = "ok", "cancelled"


class LlmCall:
    """One call under way. What is known of it is said while it lasts; `headers` go with the provider's request."""

    def __init__(self, model: str, headers: dict[str, str]) -> None:
        self.model = model
        self.headers = headers
        self.input_tokens = 0
        self.output_tokens = 0
        self.cost_usd = 0.0
        self.outcome = _OK
        self.started = monotonic()
        self.first_piece_after: float | None = None

    def heard(self) -> None:
        """A piece of the answer has come; only the first counts."""
        if self.first_piece_after is None:
            self.first_piece_after = monotonic() - self.started

    def answered_by(self, model: str) -> None:
        """The model that the provider took in the end."""
        self.model = model

    def used(self, input_tokens: int, output_tokens: int, *, cost_usd: float = 0.0) -> None:
        """Tokens as the provider counted them, and what they cost; the last word counts."""
        self.input_tokens, self.output_tokens, self.cost_usd = input_tokens, output_tokens, cost_usd

    def fail(self, code: str) -> None:
        """It went wrong, whatever is raised; `code` is short and one of few."""
        self.outcome = code


class LlmMeter:
    """Counts calls, traces them by the GenAI conventions and hands their records to `record`."""

    def __init__(
        self,
        registry: MetricRegistry,
        tracer: Tracer | None = None,
        record: Callable[[LlmCallEntry], None] | None = None,
    ) -> None:
        self._tracer = tracer
        self._record = record
        self._calls = registry.counter("llm_calls", "Calls of models.", "model", "operation", "outcome")
        self._errors = registry.counter("llm_upstream_errors", "Calls that failed, by error.", "model", "code")
        self._tokens = registry.counter("llm_tokens", "Tokens as providers count them.", "model", "type")
        self._cost = registry.counter("llm_cost_usd", "What calls cost, US dollars.", "model")
        self._seconds = registry.histogram(
            "llm_call_seconds", "Length of calls, seconds.", "model", "operation", bounds=_DURATIONS
        )
        self._first = registry.histogram(
            "llm_first_piece_seconds", "Wait for the first piece of an answer, seconds.", "model", bounds=_DURATIONS
        )
        self.saved = registry.counter(
            "llm_calls_saved", "Calls that were not made: answered from the journal or a cache.", "model", "reason"
        )

    @contextmanager
    def call(self, operation: str, *, model: str, provider: str, origin: CallOrigin | None = None) -> Iterator[LlmCall]:
        """Around one request to a provider. `operation` is `chat` or `embeddings`, `model` one of the configured ones.

        An exception that leaves the block is the outcome: an `AppError` by its code, others by their class.
        """
        span = self._span(operation, model, provider)
        call = LlmCall(model, _headers(span, origin))
        try:
            yield call
        except (asyncio.CancelledError, GeneratorExit):
            call.outcome = _CANCELLED
            raise
        except Exception as error:
            if call.outcome == _OK:
                call.outcome = error.code if isinstance(error, AppError) else type(error).__name__
            raise
        finally:
            self._conclude(call, operation, model, provider, origin, span)

    def _span(self, operation: str, model: str, provider: str) -> Span | None:
        if self._tracer is None:
            return None
        about = {
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": provider,
            "gen_ai.request.model": model,
        }
        return self._tracer.start(f"{operation} {model}", SpanKind.CLIENT, about)

    def _conclude(
        self, call: LlmCall, operation: str, model: str, provider: str, origin: CallOrigin | None, span: Span | None
    ) -> None:
        seconds = monotonic() - call.started
        # By the name that was asked for: what a provider answers with has no bound.
        self._calls.add(model, operation, call.outcome)
        self._seconds.observe(seconds, model, operation)
        self._tokens.add(model, "input", amount=call.input_tokens)
        self._tokens.add(model, "output", amount=call.output_tokens)
        self._cost.add(model, amount=call.cost_usd)
        if call.first_piece_after is not None:
            self._first.observe(call.first_piece_after, model)
        if call.outcome not in (_OK, _CANCELLED):
            self._errors.add(model, call.outcome)
        if span is not None:
            _end(span, call)
        if self._record is not None:
            self._record(_entry(call, operation, provider, origin, seconds))


def _headers(span: Span | None, origin: CallOrigin | None) -> dict[str, str]:
    headers = {} if span is None else {"traceparent": span.traceparent}
    if origin is not None and origin.request_id:
        headers["X-Request-ID"] = origin.request_id
    return headers


def _end(span: Span, call: LlmCall) -> None:
    span.set("gen_ai.response.model", call.model)
    span.set("gen_ai.usage.input_tokens", call.input_tokens)
    span.set("gen_ai.usage.output_tokens", call.output_tokens)
    if call.outcome != _OK:
        span.fail(call.outcome)
    span.end()


def _entry(call: LlmCall, operation: str, provider: str, origin: CallOrigin | None, seconds: float) -> LlmCallEntry:
    first = call.first_piece_after
    return LlmCallEntry(
        id=new_id(),
        ts=datetime.now(UTC) - timedelta(seconds=seconds),
        operation=operation,
        provider=provider,
        model=call.model,
        outcome=call.outcome,
        duration_ms=round(seconds * 1000, 1),
        first_piece_ms=None if first is None else round(first * 1000, 1),
        input_tokens=call.input_tokens,
        output_tokens=call.output_tokens,
        cost_usd=call.cost_usd,
        job_id=origin.job_id if origin else None,
        attempt=origin.attempt if origin else None,
        tenant_id=origin.tenant_id if origin else None,
        user_id=origin.owner_id if origin else None,
        request_id=origin.request_id if origin else None,
    )
