"""Which error gets which HTTP answer; the only place that knows both."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import asyncpg
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from loguru import logger
from pydantic import ValidationError
from sqlalchemy import exc as sql
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from api.problem import FieldProblem, Problem, build_problem, problem_response
from common.database.outage import is_refused_value
from common.errors import (
    AppError,
    BusyError,
    ConflictError,
    ForbiddenError,
    GoneError,
    HeaderError,
    HeadersTooLargeError,
    InvalidCodeError,
    InvalidError,
    MediaTypeError,
    NotFoundError,
    RateLimitedError,
    SlowRequestError,
    TooLargeError,
    UnauthorizedError,
    UnavailableError,
    UnknownKindError,
    UrlTooLongError,
)

_STATUS: dict[type[AppError], int] = {
    InvalidError: 422,
    UnknownKindError: 422,
    UnauthorizedError: 401,
    ForbiddenError: 403,
    NotFoundError: 404,
    ConflictError: 409,
    GoneError: 410,
    HeaderError: 400,
    InvalidCodeError: 400,
    SlowRequestError: 408,
    TooLargeError: 413,
    UrlTooLongError: 414,
    MediaTypeError: 415,
    HeadersTooLargeError: 431,
    RateLimitedError: 429,
    UnavailableError: 503,
}
_HTTP_CODES = {400: "bad_request", 404: "not_found", 415: "unsupported_media_type"}

# Connecting raises asyncpg's and the system's own errors, everything after it SQLAlchemy's.
_DATABASE_ERRORS = (OSError, TimeoutError, sql.DBAPIError, sql.TimeoutError, asyncpg.PostgresError)
_DATABASE_AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.ReadOnlySQLTransactionError,
    sql.OperationalError,
    sql.InterfaceError,
    sql.TimeoutError,
    OSError,
)


def add_exception_handlers(app: FastAPI) -> None:
    """Teach `app` the answers for what its routes raise; `answer_error` does the same for middleware."""
    for error_class in (AppError, RequestValidationError, HTTPException, *_DATABASE_ERRORS):
        app.add_exception_handler(error_class, _handle)


async def _handle(request: Request, error: Exception) -> Response:
    if isinstance(error, ForbiddenError):
        _note_denial(request, error)
    return answer_error(request, error)


def _note_denial(request: Request, error: ForbiddenError) -> None:
    state, path = request.state, request.scope["path"]
    caller, request_id = getattr(state, "caller", None), getattr(state, "request_id", None)
    if (denials := getattr(state, "denials", None)) is not None:
        denials.record(error, caller, what=request.method, path=path, request_id=request_id)


def answer_error(connection: HTTPConnection, error: Exception) -> Response:
    """The problem details for any exception; what nobody foresaw is logged and answered without its text."""
    match error:
        case AppError():
            return _answer_app_error(connection, error)
        case RequestValidationError():
            return _answer_validation(connection, error)
        case HTTPException(status_code=405):
            detail = f"this path knows {', '.join(allowed := _methods(connection, error))} only"
            return problem_response(
                connection, 405, "method_not_allowed", detail, headers={"Allow": ", ".join(allowed)}
            )
        case HTTPException():
            code = _HTTP_CODES.get(error.status_code, "http_error")
            return problem_response(connection, error.status_code, code, str(error.detail), headers=error.headers)
    if is_database_away(error):
        logger.warning("PostgreSQL is away", error=type(error).__name__)
        return _answer_app_error(connection, UnavailableError("The database does not answer; try again soon."))
    if any(isinstance(cause, asyncpg.UndefinedTableError) for cause in _causes(error)):
        logger.error("The database has no tables; run the migrations")
        return _answer_app_error(connection, UnavailableError("The database is not migrated yet."))
    if is_refused_value(error):
        logger.warning("PostgreSQL refused a value that no model refused", error=type(error).__name__)
        return _answer_app_error(connection, InvalidError("a text or number of the request cannot be kept"))
    logger.opt(exception=error).error("Unforeseen error")
    return problem_response(connection, 500, "internal_error", "Something went wrong on our side.")


def _methods(connection: HTTPConnection, error: HTTPException) -> list[str]:
    """Every method of the path; the routing names those of one route only."""
    named = (error.headers or {}).get("Allow", "").split(", ")
    known: list[str] = connection.app.state.interface.table.methods(connection.url.path)
    return known or named


def is_database_away(error: BaseException) -> bool:
    """Whether an error means that PostgreSQL cannot be reached or refuses to work now, not that a query is wrong."""
    return any(isinstance(cause, _DATABASE_AWAY) for cause in _causes(error)) or (
        isinstance(error, sql.DBAPIError) and error.connection_invalidated
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__


def describe_app_error(connection: HTTPConnection, error: AppError) -> Problem:
    """The problem of one part of a request that as a whole went well."""
    return build_problem(connection, _status(error) or 500, error.code, error.message, errors=fields_of(error))


def describe_validation(connection: HTTPConnection, error: ValidationError, body: object) -> Problem:
    """The problem of a part of the request's body that is not what its model says."""
    code, detail, errors = summarize_validation(error, body)
    return build_problem(connection, 422, code, detail, errors=errors)


def summarize_validation(error: ValidationError, body: object) -> tuple[str, str, list[FieldProblem]]:
    """Code, sentence and fields of what is wrong with a body, however it came."""
    items = [{**item, "loc": ("body", *item["loc"])} for item in error.errors(include_url=False)]
    return _summary(items, body)


def _status(error: AppError) -> int | None:
    return next((_STATUS[base] for base in type(error).__mro__ if base in _STATUS), None)


def fields_of(error: AppError) -> list[FieldProblem] | None:
    """The field that an error names, if it names one."""
    if isinstance(error, InvalidError) and error.path:
        return [FieldProblem(path=list(error.path), message=error.message, type=error.code)]
    return None


def _answer_app_error(connection: HTTPConnection, error: AppError) -> Response:
    status = _status(error)
    if status is None:
        logger.opt(exception=error).error("Error without an HTTP status")
        return problem_response(connection, 500, "internal_error", "Something went wrong on our side.")
    headers = {}
    if isinstance(error, RateLimitedError | UnavailableError | BusyError):
        headers["Retry-After"] = str(math.ceil(error.retry_after.total_seconds()))
    if isinstance(error, UnauthorizedError):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, TooLargeError | SlowRequestError):
        headers["Connection"] = "close"
    return problem_response(connection, status, error.code, error.message, errors=fields_of(error), headers=headers)


def _answer_validation(connection: HTTPConnection, error: RequestValidationError) -> Response:
    code, detail, errors = _summary(error.errors(), error.body)
    return problem_response(connection, 422, code, detail, errors=errors)


def _summary(items: Sequence[Any], body: object) -> tuple[str, str, list[FieldProblem]]:
    errors = [_field_problem(item, body) for item in items]
    code = "unknown_kind" if any(item["type"] == "union_tag_invalid" for item in items) else "invalid"
    first = errors[0]
    detail = f"{'.'.join(str(part) for part in first.path)}: {first.message}"
    if len(errors) > 1:
        detail += f" (and {len(errors) - 1} more)"
    return code, detail, errors


def _field_problem(item: dict[str, object], body: object) -> FieldProblem:
    location: tuple[object, ...] = item["loc"]  # type: ignore[assignment]
    path = [part if isinstance(part, int) else _printable(str(part)) for part in location]
    kind = body.get("kind") if isinstance(body, dict) else None
    if len(path) > 1 and path[0] == "body" and path[1] == kind:
        del path[1]  # the union's own tag, not a field of the request
    message, context = str(item["msg"]).removeprefix("Value error, "), item.get("ctx")
    match item["type"], context:
        case "union_tag_invalid", {"tag": tag, "expected_tags": str(expected)}:
            path, message = [*path, "kind"], f"unknown job kind {str(tag)!r}; known kinds: {expected.replace("'", '')}"
        case "union_tag_not_found", _:
            path, message = [*path, "kind"], "Field required"
        case "json_invalid", {"error": reason}:
            path, message = ["body"], f"not valid JSON: {reason}"
    return FieldProblem(path=path, message=_printable(message), type=str(item["type"]))


def _printable(text: str) -> str:
    """Half a surrogate pair, which JSON can bring in, cannot be sent out."""
    return text.encode("utf-8", "backslashreplace").decode()
