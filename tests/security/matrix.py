"""Who may call which route: the table, as data. A route that is missing here fails `test_matrix.py`.

A line is method, path, the kind of object in the path, who may, and the body. Everybody else who is signed in gets 404
for an object that they may not know of, and 403 otherwise; without a token everything but `PUBLIC` is 401.
"""

from dataclasses import dataclass, field
from typing import Any

ECHO = {"kind": "system.echo", "payload": {"message": "hello"}}
OWNER_SIDE = ("owner", "key")
WATCHERS = ("operator", "admin", "service")
ADMINS = ("admin", "service")
OTHERS = ("peer", "other", "other_admin")
EVERYBODY = (*OWNER_SIDE, *WATCHERS, *OTHERS)
OPERATORS = (*WATCHERS, "other_admin")
LIMITED = ("key_without", "token", "other_token")
ACTORS = ("anonymous", *EVERYBODY, *LIMITED)


@dataclass(frozen=True)
class Access:
    """One route, whose path needs an object as `makes` says.

    `knows` may learn that it exists and still get 403, with `is_known` everybody may. `is_stream` answers never end;
    `is_optional` is 404 where its server is not set;
    `is_upload` takes a file.
    """

    route: str
    may: tuple[str, ...]
    makes: str | None = None
    is_known: bool = False
    knows: tuple[str, ...] = ()
    body: dict[str, Any] = field(default_factory=dict)
    is_stream: bool = False
    is_optional: bool = False
    is_upload: bool = False

    @property
    def method(self) -> str:
        return self.route.partition(" ")[0]

    @property
    def path(self) -> str:
        return self.route.partition(" ")[2]

    def status_of(self, actor: str) -> int | None:
        """What the actor must get; None is anything but a refusal."""
        if actor in self.may:
            return None
        if actor == "anonymous":
            return 401
        if actor == "other_token" and "token" in self.may:
            return 404
        if actor in LIMITED or self.makes is None or self.is_known or actor in self.knows:
            return 403
        return 404


PUBLIC = frozenset(
    {
        "GET /health",
        "GET /live",
        "GET /ready",
        "POST /api/v1/auth/register",
        "POST /api/v1/auth/verify-email",
        "POST /api/v1/auth/verify-email/resend",
        "POST /api/v1/auth/password/forgot",
        "POST /api/v1/auth/password/reset",
        "POST /api/v1/auth/email/change/confirm",
        "POST /api/v1/auth/login",
        "POST /api/v1/auth/refresh",
    }
)

# For the session of a person: keys, tokens of jobs and the service's token get 403.
PERSONAL = (
    Access("POST /api/v1/auth/password/change", (), body={"current_password": "x" * 12, "new_password": "y" * 12}),
    Access("POST /api/v1/auth/email/change", (), body={"email": "new@example.com", "current_password": "x" * 12}),
    Access("POST /api/v1/auth/logout", ()),
    Access("POST /api/v1/auth/logout-all", ()),
    Access("GET /api/v1/auth/sessions", ()),
    Access("DELETE /api/v1/auth/sessions/{session_id}", (), makes="session", is_known=True),
)

NIGHTLY = {"name": "nightly", "cron": "0 3 * * *", **ECHO}
PAST = {"start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z"}
TALK = {"title": "about queues"}
SEARCH = {"query": "hello"}
ABOUT = {"description": "about"}
HOOK = {"url": "https://example.com/letuin"}
BUDGET = {"period": "day", "max_tokens": 1000}
_USERS = (*OWNER_SIDE, "peer", "other")
_JOB_SEEN = (*OWNER_SIDE, *WATCHERS)

TABLE = (
    Access("GET /info", EVERYBODY),
    Access("GET /metrics", WATCHERS),
    Access("POST /api/v1/jobs", EVERYBODY, body=ECHO),
    Access("GET /api/v1/jobs", EVERYBODY),
    Access("GET /api/v1/jobs/kinds", EVERYBODY),
    Access("POST /api/v1/jobs/cancel", EVERYBODY, body={"tag": "none"}),
    Access("POST /api/v1/jobs/retry", EVERYBODY, body={"tag": "none"}),
    Access("POST /api/v1/jobs/batch", EVERYBODY, body={"jobs": [ECHO]}),
    Access("GET /api/v1/jobs/{job_id}", (*_JOB_SEEN, "token"), makes="job"),
    Access("GET /api/v1/jobs/{job_id}/payload", _JOB_SEEN, makes="job"),
    Access("GET /api/v1/jobs/{job_id}/attempts", (*_JOB_SEEN, "token"), makes="job"),
    Access("GET /api/v1/jobs/{job_id}/waiting", (*_JOB_SEEN, "token"), makes="job"),
    Access("GET /api/v1/jobs/{job_id}/events", (*_JOB_SEEN, "token"), makes="job"),
    Access("POST /api/v1/jobs/{job_id}/cancel", (*_JOB_SEEN, "token"), makes="job"),
    Access("POST /api/v1/jobs/{job_id}/retry", _JOB_SEEN, makes="job"),
    Access("POST /api/v1/jobs/{job_id}/token", _JOB_SEEN, makes="job", body={"actions": ["read"]}),
    Access("GET /api/v1/batches/{batch_id}", _JOB_SEEN, makes="batch"),
    Access("POST /api/v1/batches/{batch_id}/cancel", _JOB_SEEN, makes="batch"),
    Access("GET /api/v1/events", EVERYBODY, is_stream=True),
    Access("GET /api/v1/logs", EVERYBODY, is_optional=True),
    Access("GET /api/v1/llm-calls", EVERYBODY, is_optional=True),
    Access("GET /api/v1/mails", EVERYBODY),
    Access("GET /api/v1/mails/{mail_id}", _JOB_SEEN, makes="mail"),
    Access("POST /api/v1/mails/{mail_id}/resend", _JOB_SEEN, makes="mail"),
    Access("POST /api/v1/schedules", EVERYBODY, body=NIGHTLY),
    Access("GET /api/v1/schedules", EVERYBODY),
    Access("POST /api/v1/schedules/preview", EVERYBODY, body=NIGHTLY),
    Access("GET /api/v1/schedules/{schedule_id}", _JOB_SEEN, makes="schedule"),
    Access(
        "PATCH /api/v1/schedules/{schedule_id}", OWNER_SIDE, makes="schedule", knows=WATCHERS, body={"name": "weekly"}
    ),
    Access("DELETE /api/v1/schedules/{schedule_id}", OWNER_SIDE, makes="schedule", knows=WATCHERS),
    Access("POST /api/v1/schedules/{schedule_id}/pause", _JOB_SEEN, makes="schedule"),
    Access("POST /api/v1/schedules/{schedule_id}/resume", _JOB_SEEN, makes="schedule"),
    Access("POST /api/v1/schedules/{schedule_id}/run-now", _JOB_SEEN, makes="schedule"),
    Access("GET /api/v1/schedules/{schedule_id}/preview", _JOB_SEEN, makes="schedule"),
    Access("POST /api/v1/schedules/{schedule_id}/backfill", OWNER_SIDE, makes="schedule", knows=WATCHERS, body=PAST),
    Access("GET /api/v1/schedules/{schedule_id}/firings", _JOB_SEEN, makes="schedule"),
    Access("POST /api/v1/threads", EVERYBODY, body=TALK),
    Access("GET /api/v1/threads", EVERYBODY),
    Access("GET /api/v1/threads/{thread_id}", OWNER_SIDE, makes="thread"),
    Access("PATCH /api/v1/threads/{thread_id}", OWNER_SIDE, makes="thread", body=TALK),
    Access("DELETE /api/v1/threads/{thread_id}", OWNER_SIDE, makes="thread"),
    Access("POST /api/v1/threads/{thread_id}/messages", OWNER_SIDE, makes="thread", body={"content": "hello"}),
    Access("GET /api/v1/threads/{thread_id}/messages", OWNER_SIDE, makes="thread"),
    Access("GET /api/v1/threads/{thread_id}/history", OWNER_SIDE, makes="thread"),
    Access("GET /api/v1/threads/{thread_id}/state", OWNER_SIDE, makes="thread"),
    Access("GET /api/v1/threads/{thread_id}/events", OWNER_SIDE, makes="thread", is_stream=True),
    Access("POST /api/v1/threads/{thread_id}/fork", OWNER_SIDE, makes="checkpoint", body={"title": "another"}),
    Access("POST /api/v1/threads/{thread_id}/resume", OWNER_SIDE, makes="interrupt", body={"answer": "yes"}),
    Access("POST /api/v1/collections", EVERYBODY, body={"name": "a new name"}),
    Access("GET /api/v1/collections", EVERYBODY),
    Access("GET /api/v1/collections/{collection_id}", OWNER_SIDE, makes="collection"),
    Access("PATCH /api/v1/collections/{collection_id}", OWNER_SIDE, makes="collection", body=ABOUT),
    Access("DELETE /api/v1/collections/{collection_id}", OWNER_SIDE, makes="collection"),
    Access("POST /api/v1/collections/{collection_id}/search", OWNER_SIDE, makes="collection", body=SEARCH),
    Access("POST /api/v1/collections/{collection_id}/documents", OWNER_SIDE, makes="collection", is_upload=True),
    Access("GET /api/v1/collections/{collection_id}/documents", OWNER_SIDE, makes="collection"),
    Access("GET /api/v1/collections/{collection_id}/documents/{document_id}", OWNER_SIDE, makes="document"),
    Access("GET /api/v1/collections/{collection_id}/documents/{document_id}/content", OWNER_SIDE, makes="document"),
    Access("DELETE /api/v1/collections/{collection_id}/documents/{document_id}", OWNER_SIDE, makes="document"),
    Access("POST /api/v1/webhooks", EVERYBODY, body=HOOK),
    Access("GET /api/v1/webhooks", EVERYBODY),
    Access("GET /api/v1/webhooks/{webhook_id}", _JOB_SEEN, makes="webhook"),
    Access("PATCH /api/v1/webhooks/{webhook_id}", OWNER_SIDE, makes="webhook", body={"events": []}),
    Access("DELETE /api/v1/webhooks/{webhook_id}", OWNER_SIDE, makes="webhook"),
    Access("POST /api/v1/webhooks/{webhook_id}/rotate", OWNER_SIDE, makes="webhook"),
    Access("POST /api/v1/webhooks/{webhook_id}/ping", OWNER_SIDE, makes="webhook"),
    Access("GET /api/v1/webhooks/{webhook_id}/deliveries", _JOB_SEEN, makes="webhook"),
    Access("POST /api/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/replay", OWNER_SIDE, makes="delivery"),
    Access("GET /api/v1/audit", OPERATORS),
    Access("GET /api/v1/ops/queues", WATCHERS),
    Access("POST /api/v1/ops/queues/{name}/pause", WATCHERS, makes="queue", is_known=True),
    Access("POST /api/v1/ops/queues/{name}/resume", WATCHERS, makes="queue", is_known=True),
    Access("GET /api/v1/usage", (*EVERYBODY, "key_without")),
    Access("GET /api/v1/budgets", OPERATORS),
    Access("POST /api/v1/budgets", OPERATORS, body=BUDGET),
    Access("GET /api/v1/budgets/{budget_id}", WATCHERS, makes="budget", knows=_USERS),
    Access("PATCH /api/v1/budgets/{budget_id}", WATCHERS, makes="budget", knows=_USERS, body={"max_tokens": 2}),
    Access("DELETE /api/v1/budgets/{budget_id}", WATCHERS, makes="budget", knows=_USERS),
    Access("GET /api/v1/ops/workers", WATCHERS),
    Access("PATCH /api/v1/ops/workers/{worker_id}", WATCHERS, makes="worker", is_known=True, body={"is_paused": False}),
    Access("GET /api/v1/users/me", EVERYBODY),
    Access("GET /api/v1/users", OPERATORS),
    Access("POST /api/v1/users", (*ADMINS, "other_admin"), body={"name": "robot", "is_service": True}),
    Access("GET /api/v1/users/{user_id}", ("owner", *WATCHERS), makes="user"),
    Access("PATCH /api/v1/users/{user_id}", ADMINS, makes="user", knows=("owner", "operator"), body={"role": "user"}),
    Access("DELETE /api/v1/users/{user_id}", ADMINS, makes="user", knows=("owner", "operator")),
    Access("GET /api/v1/tenants", EVERYBODY),
    Access("POST /api/v1/tenants", ADMINS, body={"name": "more"}),
    Access("GET /api/v1/tenants/{tenant_id}", (*OWNER_SIDE, *WATCHERS, "peer"), makes="tenant"),
    Access(
        "PATCH /api/v1/tenants/{tenant_id}",
        ADMINS,
        makes="tenant",
        knows=(*OWNER_SIDE, "operator", "peer"),
        body={"name": "renamed"},
    ),
    Access("GET /api/v1/tenants/{tenant_id}/members", WATCHERS, makes="tenant", knows=(*OWNER_SIDE, "peer")),
    Access(
        "POST /api/v1/tenants/{tenant_id}/members",
        ADMINS,
        makes="tenant",
        knows=(*OWNER_SIDE, "operator", "peer"),
        body={"user_id": "another user"},
    ),
    Access(
        "DELETE /api/v1/tenants/{tenant_id}/members/{user_id}",
        (*ADMINS, "other_admin"),
        makes="member_elsewhere",
        knows=("other",),
    ),
    Access("POST /api/v1/api-keys", EVERYBODY, body={"name": "mine", "scopes": ["jobs:read"]}),
    Access("GET /api/v1/api-keys", EVERYBODY),
    Access("GET /api/v1/api-keys/{key_id}", (*OWNER_SIDE, *ADMINS), makes="key"),
    Access("DELETE /api/v1/api-keys/{key_id}", (*OWNER_SIDE, *ADMINS), makes="key"),
)

_READERS = (*OWNER_SIDE, *WATCHERS, "peer")
_COLLECTION = "/api/v1/collections/{collection_id}"
_DOCUMENTS = f"{_COLLECTION}/documents"
_DOCUMENT = f"{_DOCUMENTS}/{{document_id}}"
_SHARED: dict[str, Any] = {"makes": "shared_collection", "knows": (*WATCHERS, "peer")}
_SHARED_DOCUMENT = {**_SHARED, "makes": "shared_document"}

# The same routes once more, for a collection that the tenant may read: others of it get 403 for changes.
SHARED = (
    Access(f"GET {_COLLECTION}", _READERS, **_SHARED),
    Access(f"PATCH {_COLLECTION}", OWNER_SIDE, **_SHARED, body=ABOUT),
    Access(f"DELETE {_COLLECTION}", OWNER_SIDE, **_SHARED),
    Access(f"POST {_COLLECTION}/search", _READERS, **_SHARED, body=SEARCH),
    Access(f"POST {_DOCUMENTS}", OWNER_SIDE, **_SHARED, is_upload=True),
    Access(f"GET {_DOCUMENTS}", _READERS, **_SHARED),
    Access(f"GET {_DOCUMENT}", _READERS, **_SHARED_DOCUMENT),
    Access(f"GET {_DOCUMENT}/content", _READERS, **_SHARED_DOCUMENT),
    Access(f"DELETE {_DOCUMENT}", OWNER_SIDE, **_SHARED_DOCUMENT),
)
