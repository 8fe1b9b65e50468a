"""Everything that can go wrong, by name. No HTTP and no queue in here: those map these classes in one file each."""

from datetime import timedelta


class AppError(Exception):
    """Base of every error that Letuin raises on purpose. `code` is stable; clients may rely on it."""

    code = "internal_error"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class NotFoundError(AppError):
    """The object does not exist, or it is not the caller's."""

    code = "not_found"


class ConflictError(AppError):
    """The object's state does not allow what was asked."""

    code = "conflict"


class BusyError(ConflictError):
    """Another request for the same thing is still under way; `retry_after` says when to come back."""

    code = "in_progress"

    def __init__(self, message: str, *, retry_after: timedelta = timedelta(seconds=1)) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ThreadBusyError(ConflictError):
    """A job of the thread waits or runs, and the request did not say what to do about it."""

    code = "thread_busy"


class GoneError(AppError):
    """The object existed and was removed when its time was over."""

    code = "gone"


class UnauthorizedError(AppError):
    """The caller did not prove who they are."""

    code = "unauthorized"


class ForbiddenError(AppError):
    """The caller is known and may not do this."""

    code = "forbidden"


class RateLimitedError(AppError):
    """The caller asked too often; `retry_after` says when to come back."""

    code = "rate_limited"

    def __init__(self, message: str, *, retry_after: timedelta) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class UnavailableError(AppError):
    """A store or server that is needed does not answer; `retry_after` says when to come back."""

    code = "unavailable"

    def __init__(self, message: str, *, retry_after: timedelta = timedelta(seconds=5)) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class TooLargeError(AppError):
    """A payload or body is over its limit; the message names the setting."""

    code = "too_large"


class UrlTooLongError(AppError):
    """The URL is over its limit; the message names the setting."""

    code = "url_too_long"


class HeadersTooLargeError(AppError):
    """The headers are over a limit; the message names the setting."""

    code = "headers_too_large"


class MediaTypeError(AppError):
    """The body is of a kind that is not read here."""

    code = "unsupported_media_type"


class SlowRequestError(AppError):
    """The client sent its request too slowly."""

    code = "request_timeout"


class InvalidError(AppError):
    """A value that passed its type is still not acceptable; `path` says which."""

    code = "invalid"

    def __init__(self, message: str, *, path: tuple[str | int, ...] = ()) -> None:
        super().__init__(message)
        self.path = path


class KeyReusedError(InvalidError):
    """The idempotency key came with another content before."""

    code = "idempotency_key_reused"


class InvalidCodeError(AppError):
    """A one-time code is unknown, was used, or its time is over; the caller cannot tell which."""

    code = "invalid_code"


class HeaderError(AppError):
    """A request header is missing or malformed."""

    code = "invalid_header"


class UnknownKindError(AppError):
    """No job kind has this name."""

    code = "unknown_kind"


class DuplicateKindError(AppError):
    """Two declarations name the same job kind. Stops the process at start."""

    code = "duplicate_kind"


class LockLostError(AppError):
    """The lock ran out or belongs to somebody else."""

    code = "lock_lost"


class JobError(AppError):
    """Raised by a handler or a port; ends the attempt."""

    code = "job_error"


class TransientError(JobError):
    """Worth another attempt; `retry_after` overrides the backoff when the other side named a time."""

    code = "transient"

    def __init__(self, message: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class PermanentError(JobError):
    """Another attempt cannot help; the job fails now. Its `error` tells `cause` and `facts` beside the message."""

    code = "permanent"
    cause: str | None = None

    def __init__(self, message: str, **facts: str | float | None) -> None:
        super().__init__(message)
        self.facts = {name: value for name, value in facts.items() if value is not None}


class PromptTooLongError(PermanentError):
    """The conversation is longer than its model can read; a shorter one may be answered."""

    cause = "prompt_too_long"


class LimitReachedError(PermanentError):
    """A run has used what it may use; the message names the limit."""

    cause = "limit_reached"


class Snooze(JobError):  # noqa: N818  a verdict, not a mistake
    """Not yet: run again after `delay`, without using the failure budget."""

    code = "snoozed"

    def __init__(self, delay: timedelta, reason: str = "snoozed") -> None:
        super().__init__(reason)
        self.delay = delay
