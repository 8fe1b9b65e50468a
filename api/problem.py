"""The one shape of every error answer: RFC 9457 problem details."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, Field
from starlette.requests import HTTPConnection
from starlette.responses import Response


class FieldProblem(BaseModel):
    """One wrong value of a request."""

    path: list[str | int] = Field(examples=[["body", "payload", "messages", 0, "content"]])
    message: str
    type: str = Field(description="Machine-readable kind of mistake.", examples=["missing"])


class Problem(BaseModel):
    """What went wrong. `code` is stable; `detail` is for people."""

    type: str = Field(examples=["urn:letuin:problem:not_found"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str
    instance: str = Field(examples=["/api/v1/jobs"])
    code: str = Field(examples=["not_found"])
    request_id: str
    errors: list[FieldProblem] | None = None


def problem_response(
    connection: HTTPConnection,
    status: int,
    code: str,
    detail: str,
    *,
    errors: Sequence[FieldProblem] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The answer for one problem of one request; the request log finds its code in the request's state."""
    connection.scope.setdefault("state", {})["error_code"] = code
    body = build_problem(connection, status, code, detail, errors=errors).model_dump_json(exclude_none=True)
    return Response(body, status, headers, media_type="application/problem+json")


def build_problem(
    connection: HTTPConnection, status: int, code: str, detail: str, *, errors: Sequence[FieldProblem] | None = None
) -> Problem:
    """The problem itself, for an answer or for a part of one."""
    return Problem(
        type=f"urn:letuin:problem:{code}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        instance=connection.url.path,
        code=code,
        request_id=request_id(connection),
        errors=None if errors is None else list(errors),
    )


def request_id(connection: HTTPConnection) -> str:
    """The id that the tracking middleware gave to this request."""
    value: Any = connection.scope.get("state", {}).get("request_id", "")
    return str(value)
