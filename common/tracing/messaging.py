"""Spans of jobs by the messaging conventions: `send` where a job is submitted, `process` for each attempt."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol
from uuid import UUID

from common.tracing.tracer import Span, SpanKind, Tracer

_NOT_TRACED: AbstractContextManager[None] = nullcontext()


class _Attempt(Protocol):
    @property
    def id(self) -> UUID: ...

    @property
    def kind(self) -> str: ...

    @property
    def queue(self) -> str: ...

    @property
    def attempt(self) -> int: ...

    @property
    def traceparent(self) -> str | None: ...


def sending(tracer: Tracer | None, queue: str, *, jobs: int = 1) -> AbstractContextManager[str | None]:
    """Around a submit: the context that its jobs carry, None without tracing."""
    return _NOT_TRACED if tracer is None else _send(tracer, queue, jobs)


@contextmanager
def _send(tracer: Tracer, queue: str, jobs: int) -> Iterator[str]:
    about = {
        "messaging.system": "letuin",
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": queue,
    }
    span = tracer.start(f"send {queue}", SpanKind.PRODUCER, about)
    if jobs > 1:
        span.set("messaging.batch.message_count", jobs)
    with tracer.use(span):
        yield span.traceparent


@contextmanager
def processing(tracer: Tracer, job: _Attempt) -> Iterator[Span]:
    """Around an attempt. The first goes on below what submitted the job; a retry begins a trace that links to it."""
    is_first = job.attempt == 1
    span = tracer.start(
        f"process {job.queue}",
        SpanKind.CONSUMER,
        {
            "messaging.system": "letuin",
            "messaging.operation.name": "process",
            "messaging.operation.type": "process",
            "messaging.destination.name": job.queue,
            "messaging.message.id": str(job.id),
            "letuin.job.kind": job.kind,
            "letuin.job.attempt": job.attempt,
        },
        parent=job.traceparent if is_first else None,
        links=[job.traceparent] if job.traceparent else [],
        is_root=True,
    )
    with tracer.use(span):
        yield span
