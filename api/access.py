"""Which route needs which scope. A route that is in none of these tables is closed to keys and tokens."""

import re
from uuid import UUID

from api.caller import Caller
from common.errors import ForbiddenError
from common.scopes import JobAction, Scope

PUBLIC_PATHS = frozenset({"/docs", "/redoc", "/openapi.json", "/health", "/favicon.ico", "/live", "/ready"})
"""Paths that need no token anywhere."""

PUBLIC_CALLS = frozenset(
    ("POST", f"/api/v1/auth/{path}")
    for path in (
        "register",
        "verify-email",
        "verify-email/resend",
        "login",
        "refresh",
        "password/forgot",
        "password/reset",
        "email/change/confirm",
    )
)
"""What somebody may ask who has no token yet."""

_CONSOLE = "/console"
_PREFIX = "/api/v1/"
_ID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

# The first part of a path, and the feature in the names of its scopes.
_FEATURES = {
    "jobs": "jobs",
    "batches": "jobs",
    "events": "jobs",
    "mails": "jobs",
    "schedules": "schedules",
    "threads": "threads",
    "collections": "collections",
    "webhooks": "webhooks",
    "usage": "usage",
    "llm-calls": "logs",
    "users": "users",
    "tenants": "users",
    "api-keys": "keys",
    "logs": "logs",
    "audit": "audit",
    "ops": "ops",
    "budgets": "ops",
}
_UNVERSIONED = {"/metrics": Scope.OPS_READ, "/info": Scope.JOBS_READ}
# Signing in, sessions, passwords: only people do that, never a key.
_PERSONAL = frozenset({"auth"})
# POST because the question is long, not because anything changes.
_QUESTIONS = re.compile(r"collections/[^/]+/search")
# Who makes tokens of a job needs more than looking at it.
_JOB_ACTIONS = (
    ("GET", re.compile(rf"jobs/({_ID})(?:/attempts|/events|/waiting)?"), JobAction.READ),
    ("POST", re.compile(rf"jobs/({_ID})/cancel"), JobAction.CANCEL),
)


def is_public(method: str, path: str) -> bool:
    """Whether the request needs no token. The path must be exactly the one in the table, or a file of the console."""
    return path in PUBLIC_PATHS or (method, path) in PUBLIC_CALLS or is_console(path)


def is_console(path: str) -> bool:
    """Whether the path belongs to the console: files that hold no data, the same for everybody."""
    return path == _CONSOLE or path.startswith(f"{_CONSOLE}/")


def is_personal(path: str) -> bool:
    """Whether the path is for people who are signed in, and for no key."""
    return _rest(path).partition("/")[0] in _PERSONAL


def required_scope(method: str, path: str) -> Scope | None:
    """What an API key needs for this request; None when keys may not make it."""
    if (own := _UNVERSIONED.get(path)) is not None:
        return own
    rest = _rest(path)
    feature = _FEATURES.get(rest.partition("/")[0])
    if feature is None:
        return None
    is_reading = method in _SAFE or _QUESTIONS.fullmatch(rest) is not None
    name = f"{feature}:{'read' if is_reading else 'write'}"
    return Scope(name) if name in Scope else None


def authorize(caller: Caller, method: str, path: str) -> None:
    """Raises `ForbiddenError` for what a key or token may not ask, `NotFoundError` for another job than the token's."""
    if caller.grant is not None:
        _authorize_grant(caller, method, path)
    elif caller.scopes is not None:
        scope = required_scope(method, path)
        if scope is None:
            raise ForbiddenError("API keys may not do this")
        caller.require_scope(scope)


def _authorize_grant(caller: Caller, method: str, path: str) -> None:
    for known_method, pattern, action in _JOB_ACTIONS:
        found = pattern.fullmatch(_rest(path)) if method == known_method else None
        if found is None:
            continue
        caller.require_job(UUID(found[1]), action)
        return
    raise ForbiddenError("this token is for one job only")


def _rest(path: str) -> str:
    return path.partition(_PREFIX)[2]
