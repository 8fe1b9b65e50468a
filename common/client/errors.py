"""What can go wrong for a client, by name."""

from collections.abc import Mapping, Sequence
from typing import Any


class LetuinError(Exception):
    """Base of everything that the client raises on purpose."""


class ApiError(LetuinError):
    """The api refused. `status` is HTTP's (0 over Socket.IO), `code` is stable, `errors` name the fields."""

    def __init__(self, status: int, code: str, message: str, errors: Sequence[Mapping[str, Any]] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.errors = tuple(errors)


class UnreachableError(LetuinError):
    """No api answered for as long as the client is patient."""


class JobFailedError(LetuinError):
    """The job ended without a result; `status` and `error` say how."""

    def __init__(self, job_id: str, status: str, error: Mapping[str, Any] | None) -> None:
        super().__init__(f"job {job_id} ended as {status}: {(error or {}).get('message', 'no reason given')}")
        self.job_id = job_id
        self.status = status
        self.error = error


class DoorClosedError(LetuinError):
    """A door does not work, or no more; what was seen stays valid. The client goes on at another one.

    `open_for` is how many seconds it was open until then.
    """

    def __init__(self, message: str, *, open_for: float = 0.0) -> None:
        super().__init__(message)
        self.open_for = open_for
