"""The description of the interface: what FastAPI finds, and what every route has in common."""

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from fastapi.openapi.utils import get_openapi
from starlette.routing import BaseRoute

from api.access import is_public as is_public_call
from api.openapi_links import add_links
from api.problem import Problem

TITLE = "Letuin"
DESCRIPTION = "An AI job backend: submit work, get a job at once, receive every step of it."

_METHODS_WITHOUT_EFFECT = frozenset({"get", "head", "options"})
_PROBLEM = "application/problem+json"
_REASONS = {
    400: "A header cannot be read, or the Host header names another server.",
    401: "No valid token.",
    403: "The caller may not do this.",
    404: "It does not exist, or it is somebody else's.",
    405: "The path knows other methods.",
    408: "The request took too long to arrive.",
    409: "Its state does not allow this.",
    410: "It existed and was removed when its time was over.",
    413: "The body or a part of it is too large.",
    414: "The URL is too long.",
    415: "The body has another media type than the route reads.",
    422: "A value is missing, unknown or wrong; `errors` says which.",
    429: "Too many requests, or too much waits already; `Retry-After` says when to come back.",
    431: "The headers are too many or too large.",
    500: "Something went wrong on our side.",
    503: "A server that is needed does not answer; `Retry-After` says when to come back.",
}
_EVERYWHERE = (400, 414, 429, 431, 500, 503)
_BEARER = {
    "type": "http",
    "scheme": "bearer",
    "description": "A user's access token, an API key, or ACCESS_TOKEN for the service account.",
}


def describe(routes: Sequence[BaseRoute]) -> dict[str, Any]:
    """The OpenAPI document of the routes: it names each error answer, the security scheme and stable operation ids."""
    found = get_openapi(title=TITLE, version=version("letuin"), description=DESCRIPTION, routes=routes)
    components = found.setdefault("components", {})
    components.setdefault("schemas", {}).update(_problem_schemas())
    components["responses"] = {_name(code): _describe(code) for code in _REASONS}
    components["securitySchemes"] = {"bearer": _BEARER}
    for path, operations in found["paths"].items():
        for method, operation in operations.items():
            _complete(path, method, operation)
    add_links(found["paths"])
    found["paths"] = dict(sorted(found["paths"].items()))
    components["schemas"] = dict(sorted(components["schemas"].items()))
    return found


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    """Say what all routes of its kind have in common."""
    operation["summary"] = operation["operationId"].replace("_", " ").capitalize()
    is_public = is_public_call(method.upper(), path)
    operation["security"] = [] if is_public else [{"bearer": []}]
    answers = {code: answer for code, answer in operation["responses"].items() if code[-2:] != "XX" and code != "422"}
    for code in _error_codes(path, method, "requestBody" in operation):
        answers.setdefault(str(code), {"$ref": f"#/components/responses/{_name(code)}"})
    operation["responses"] = dict(sorted(answers.items()))


def _error_codes(path: str, method: str, has_body: bool) -> list[int]:
    codes = [*_EVERYWHERE]
    if path.startswith("/api/"):
        codes += [401, 403, 404, 422]
    if "{" in path:
        codes.append(410)
    if method not in _METHODS_WITHOUT_EFFECT:
        codes.append(409)
    if has_body:
        codes += [408, 413, 415]
    return codes


def _name(code: int) -> str:
    return f"Problem{code}"


def _describe(code: int) -> dict[str, Any]:
    headers: dict[str, Any] = {"X-Request-ID": {"schema": {"type": "string"}, "description": "Names the request."}}
    if code in (429, 503):
        headers["Retry-After"] = {"schema": {"type": "integer"}, "description": "Seconds."}
    if code == 401:
        headers["WWW-Authenticate"] = {"schema": {"type": "string"}}
    content = {_PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": _REASONS[code], "headers": headers, "content": content}


def _problem_schemas() -> dict[str, Any]:
    schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    return {**schema.pop("$defs", {}), "Problem": schema}
