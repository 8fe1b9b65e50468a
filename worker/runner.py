"""One attempt: validate the payload, run the handler under its timeout, turn what happened into a verdict."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from enum import StrEnum
from time import monotonic

from loguru import logger
from pydantic import BaseModel, ValidationError

from common.errors import Snooze
from common.events import NewEvent
from common.ports import CallOrigin, PortSource
from common.queue.catalog import Catalog
from common.queue.context import JobContext
from common.queue.definition import AnyJobKind
from common.queue.status import ErrorCode
from common.repository.attempt import ClaimedJob, Verdict
from common.tracing.messaging import processing
from common.tracing.tracer import Span, Tracer
from worker import verdicts
from worker.metrics import WorkerMetrics
from worker.reporter import AttemptReporter, ProgressBook

_WRAP_UP_SHARE = 0.1
_LONGEST_WRAP_UP = timedelta(seconds=30)
SHORTEST_SWEPT_TIMEOUT = 1.0
"""Longer timeouts, seconds, are kept by the engine's sweep: a timer of its own for each attempt costs a tenth of it."""


class StopReason(StrEnum):
    """Why a running attempt was told to stop."""

    CANCEL = "cancel"
    DRAIN = "drain"
    OUTDATED = "outdated"
    TIMEOUT = "timeout"


class Runner:
    """Runs attempts; knows neither Redis nor PostgreSQL."""

    def __init__(
        self,
        catalog: Catalog,
        ports: PortSource,
        put: Callable[[NewEvent], None],
        max_result_bytes: int,
        metrics: WorkerMetrics,
        tracer: Tracer | None = None,
    ) -> None:
        self._catalog = catalog
        self._ports = ports
        self._put = put
        self._max_result_bytes = max_result_bytes
        self._metrics = metrics
        self._tracer = tracer
        self.progress = ProgressBook()

    async def run(self, job: ClaimedJob, stop_reason: Callable[[], StopReason | None]) -> Verdict | None:
        """The verdict on one attempt; None when it is outdated and nothing may be written.

        `stop_reason` tells, when the task is cancelled from outside, why. Whoever calls keeps the timeouts from
        `SHORTEST_SWEPT_TIMEOUT` on.
        """
        self._metrics.started(job)
        started = monotonic()
        if self._tracer is None:
            verdict = await self._run(job, stop_reason)
        else:
            with processing(self._tracer, job) as span:
                verdict = await self._run(job, stop_reason)
                _describe(span, verdict)
        self._metrics.run.observe(monotonic() - started, job.kind)
        return verdict

    async def _run(self, job: ClaimedJob, stop_reason: Callable[[], StopReason | None]) -> Verdict | None:
        kind = self._catalog.get(job.kind)
        if kind is None:
            logger.warning("Kind is unknown to this worker: kind={}", job.kind)
            return verdicts.unknown_kind(job)
        try:
            payload = kind.payload.model_validate_json(job.payload)
        except ValidationError as error:
            return verdicts.invalid_payload(job, error)
        reporter = AttemptReporter(job, self._put, self.progress)
        try:
            return await self._attempt(job, kind, payload, reporter)
        except asyncio.CancelledError:
            reason = stop_reason()
            return verdicts.timed_out(job, kind) if reason is StopReason.TIMEOUT else stopped(job, reason)
        finally:
            reporter.close()

    async def _attempt(
        self, job: ClaimedJob, kind: AnyJobKind, payload: BaseModel, reporter: AttemptReporter
    ) -> Verdict:
        ends_at = monotonic() + job.timeout.total_seconds()
        origin = CallOrigin(job.id, job.attempt, job.tenant_id, job.owner_id, job.request_id, ends_at)
        context = JobContext(
            job_id=job.id,
            kind=job.kind,
            attempt=job.attempt,
            tenant_id=job.tenant_id,
            owner_id=job.owner_id,
            deadline=job.started_at + job.timeout,
            ports=self._ports.bind(origin),
            events=reporter,
            request_id=job.request_id,
            ends_at=ends_at,
            wrap_up=min(job.timeout * _WRAP_UP_SHARE, _LONGEST_WRAP_UP),
            is_last=job.failures + 1 >= job.max_attempts,
        )
        scope: asyncio.Timeout | None = None
        try:
            if (seconds := job.timeout.total_seconds()) >= SHORTEST_SWEPT_TIMEOUT:
                result = await kind.handler(context, payload)
            else:
                async with asyncio.timeout(seconds) as scope:
                    result = await kind.handler(context, payload)
        except TimeoutError as error:
            is_late = scope is not None and scope.expired()
            return verdicts.timed_out(job, kind) if is_late else verdicts.from_error(job, kind, error)
        except Snooze as wait:
            return verdicts.from_error(job, kind, wait)
        except Exception as error:
            logger.opt(exception=True).info("Attempt raised: error={}", type(error).__name__)
            return verdicts.from_error(job, kind, error)
        return self._check_result(job, kind, result)

    def _check_result(self, job: ClaimedJob, kind: AnyJobKind, result: object) -> Verdict:
        if not isinstance(result, kind.result):
            message = f"the handler returned {type(result).__name__} instead of {kind.result.__name__}"
            return verdicts.failed(job, ErrorCode.INVALID_RESULT, message)
        text: str = result.model_dump_json()
        if len(text) > self._max_result_bytes:
            message = f"the result has {len(text)} characters; MAX_RESULT_BYTES allows {self._max_result_bytes}"
            return verdicts.failed(job, ErrorCode.RESULT_TOO_LARGE, message)
        return verdicts.succeeded(job, text)


def _describe(span: Span, verdict: Verdict | None) -> None:
    span.set("letuin.job.outcome", "outdated" if verdict is None else str(verdict.outcome))
    if verdict is not None and verdict.error is not None:
        span.fail(str(verdict.error.get("code", "failed")))


def stopped(job: ClaimedJob, reason: StopReason | None) -> Verdict | None:
    """The verdict on an attempt that was told to stop; None when nothing may be written."""
    match reason:
        case StopReason.CANCEL:
            return verdicts.cancelled(job)
        case StopReason.OUTDATED:
            return None
        case _:
            return verdicts.released(job, "drained", delay=timedelta(0))
