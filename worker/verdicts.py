"""From what a handler returned or raised to where its job goes: the worker's one map of errors to retry or fail."""

from datetime import timedelta
from typing import Any

from pydantic import ValidationError

from common.errors import PermanentError, Snooze, TransientError
from common.queue.definition import AnyJobKind
from common.queue.status import AttemptOutcome, ErrorCode, JobStatus
from common.redaction import redact
from common.repository.attempt import ClaimedJob, Verdict

_MESSAGE_LENGTH = 500
_UNKNOWN_KIND_DELAY = timedelta(seconds=30)


def succeeded(job: ClaimedJob, result_json: str) -> Verdict:
    """The result counts if the row still agrees."""
    return Verdict(job.id, job.attempt, AttemptOutcome.SUCCEEDED, JobStatus.SUCCEEDED, result=result_json)


def failed(job: ClaimedJob, code: ErrorCode, message: str, **facts: Any) -> Verdict:
    """The job ends as failed; `error.code` says why."""
    error = error_body(code, message, **facts)
    return Verdict(job.id, job.attempt, AttemptOutcome.FAILED, JobStatus.FAILED, error=error, counts_as_failure=True)


def cancelled(job: ClaimedJob) -> Verdict:
    """The owner asked for it."""
    error = error_body(ErrorCode.CANCELLED, "cancelled while it ran")
    return Verdict(job.id, job.attempt, AttemptOutcome.CANCELLED, JobStatus.CANCELLED, error=error)


def released(job: ClaimedJob, reason: str, *, delay: timedelta = timedelta(0)) -> Verdict:
    """Handed back without using any budget: a drain, or a kind that this release does not know."""
    return Verdict(job.id, job.attempt, AttemptOutcome.RELEASED, JobStatus.QUEUED, delay=delay, waiting=reason)


def unknown_kind(job: ClaimedJob) -> Verdict:
    """Another release may know it: put off, not failed."""
    return released(job, "unknown_kind", delay=_UNKNOWN_KIND_DELAY)


def invalid_payload(job: ClaimedJob, error: ValidationError) -> Verdict:
    """The payload no longer fits the kind; the message names the fields, never their values."""
    fields = "; ".join(
        f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors(include_input=False)[:5]
    )
    return failed(job, ErrorCode.INVALID_PAYLOAD, fields)


def from_error(job: ClaimedJob, kind: AnyJobKind, error: Exception) -> Verdict:
    """Snoozed, failed for good, or failed for now."""
    match error:
        case Snooze():
            return Verdict(
                job.id,
                job.attempt,
                AttemptOutcome.SNOOZED,
                JobStatus.QUEUED,
                delay=error.delay,
                waiting=error.message,
            )
        case PermanentError():
            cause = {} if error.cause is None else {"cause": error.cause}
            return failed(job, ErrorCode.PERMANENT, error.message, **cause, **error.facts)
        case TransientError():
            return retried(job, kind, error.code, error.message, retry_after=error.retry_after)
        case _:
            return retried(job, kind, type(error).__name__, str(error))


def timed_out(job: ClaimedJob, kind: AnyJobKind) -> Verdict:
    """Over its timeout: a failure like others, told apart by its code."""
    message = f"over its timeout of {job.timeout.total_seconds():g} s"
    return retried(job, kind, ErrorCode.TIMEOUT, message)


def retried(
    job: ClaimedJob, kind: AnyJobKind, code: str, message: str, *, retry_after: timedelta | None = None
) -> Verdict:
    """Another attempt after the kind's backoff, or failed when that was the last one."""
    failures = job.failures + 1
    if failures >= job.max_attempts:
        final = ErrorCode.TIMEOUT if code == ErrorCode.TIMEOUT else ErrorCode.RETRIES_EXHAUSTED
        return failed(job, final, message, cause=str(code), failures=failures)
    delay = retry_after if retry_after is not None else kind.retry.delay(failures)
    return Verdict(
        job.id,
        job.attempt,
        AttemptOutcome.RETRIED,
        JobStatus.QUEUED,
        error=error_body(code, message),
        delay=delay,
        counts_as_failure=True,
        waiting="retry",
    )


def error_body(code: str, message: str, **facts: Any) -> dict[str, Any]:
    """What clients see of an error: secrets masked, bounded, never a stack."""
    clean = redact(message.replace("\x00", ""))[:_MESSAGE_LENGTH]
    return {"code": str(code), "message": clean, **facts}
