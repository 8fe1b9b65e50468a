"""Records security events: one line of the log at once, one row soon, beside the requests and never in their way."""

import asyncio
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import islice
from time import monotonic
from typing import Any, Literal, Protocol, Self
from uuid import UUID

from loguru import logger

from api.config import ApiSettings
from common.database.outage import DATABASE_ERRORS, is_refused_value
from common.database.session import Sessions
from common.ids import new_id
from common.redaction import redact, redact_fields
from common.repository.audit import AuditEntry, AuditRepository
from common.repository.user import DEFAULT_TENANT_ID

_MAX_QUEUED = 10_000
_BATCH_SIZE = 200
_LONGEST_TARGET = 200
_FIRST_BACKOFF, _LAST_BACKOFF = 0.2, 5.0
_STOP_TIMEOUT = 3.0
_PURGE_INTERVAL, _PURGE_BATCH = timedelta(hours=1), 10_000

type Outcome = Literal["success", "failure", "denied"]


class Actor(Protocol):
    """Whoever did it: a `Caller`, or an `Owner` where nobody has signed in yet."""

    @property
    def tenant_id(self) -> UUID: ...

    @property
    def user_id(self) -> UUID: ...


class AuditLog:
    """`async with audit:` writes what `record` took, and at the end what is left.

    While PostgreSQL is away the oldest 10,000 events wait for it; what comes after them is in the log alone.
    """

    def __init__(self, settings: ApiSettings, sessions: Sessions, events: AuditRepository) -> None:
        self._retention = settings.audit_retention
        self._sessions = sessions
        self._events = events
        self._log = logger.bind(logger="audit")
        self._queue: deque[AuditEntry] = deque()
        self._has_some = asyncio.Event()
        self._is_away, self._next_purge = False, 0.0
        self._task: asyncio.Task[None] | None = None
        self.dropped = 0

    def record(
        self,
        event: str,
        *,
        actor: Actor | None,
        outcome: Outcome,
        target: str | None = None,
        request_id: str | None = None,
        details: Mapping[str, object] | None = None,
    ) -> None:
        """Take one event; returns at once and raises nothing.

        `event` is dotted like `auth.login`; `target` names the object, like `user:<id>`; `details` are small facts,
        from which whatever looks like a secret is taken out. Without `actor` it belongs to the default tenant.
        """
        entry = AuditEntry(
            id=new_id(),
            tenant_id=actor.tenant_id if actor else DEFAULT_TENANT_ID,
            actor_id=actor.user_id if actor else None,
            event=event,
            outcome=outcome,
            target=None if target is None else _storable(redact(target)[:_LONGEST_TARGET]),
            request_id=request_id,
            details=_storable(redact_fields(details)) if details else None,
            created_at=datetime.now(UTC),
        )
        self._write_line(entry)
        if len(self._queue) >= _MAX_QUEUED:
            self.dropped += 1
            return
        self._queue.append(entry)
        self._has_some.set()

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="audit log")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.wait([self._task])
        with suppress(TimeoutError, *DATABASE_ERRORS):
            async with asyncio.timeout(_STOP_TIMEOUT):
                while self._queue:
                    await self._write_batch()
        if self._queue:
            logger.warning("The api stops with audit events in the log alone", dropped=len(self._queue))

    def _write_line(self, entry: AuditEntry) -> None:
        self._log.log(
            "INFO" if entry.outcome == "success" else "WARNING",
            "Audit event",
            event=entry.event,
            outcome=entry.outcome,
            actor_id=entry.actor_id,
            tenant_id=entry.tenant_id,
            target=entry.target,
            details=entry.details or {},
        )

    async def _run(self) -> None:
        backoff = _FIRST_BACKOFF
        while True:
            try:
                await self._write_batch()
                await self._purge()
            except DATABASE_ERRORS as error:
                self._note_away(error)
                await asyncio.sleep(backoff)
                backoff = min(backoff * 2, _LAST_BACKOFF)
                continue
            backoff, self._is_away = _FIRST_BACKOFF, False
            if not self._queue:
                self._has_some.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(_PURGE_INTERVAL.total_seconds()):
                        await self._has_some.wait()

    async def _write_batch(self) -> None:
        """Write the oldest events; they leave the queue when PostgreSQL has committed them."""
        batch = tuple(islice(self._queue, _BATCH_SIZE))
        if not batch:
            return
        try:
            async with self._sessions.begin() as db:
                await self._events.insert_many(db, batch)
        except DATABASE_ERRORS as error:
            if not is_refused_value(error):
                raise
            # What is refused now will be for ever, and must not hold up the rest.
            logger.error("PostgreSQL refused audit events", error=type(error).__name__, dropped=len(batch))
            self.dropped += len(batch)
        for _ in batch:
            self._queue.popleft()

    async def _purge(self) -> None:
        if monotonic() < self._next_purge:
            return
        async with self._sessions.begin() as db:
            gone = await self._events.delete_before(db, datetime.now(UTC) - self._retention, most=_PURGE_BATCH)
        # A full batch means that there is more.
        self._next_purge = monotonic() + (0 if gone == _PURGE_BATCH else _PURGE_INTERVAL.total_seconds())

    def _note_away(self, error: BaseException) -> None:
        if not self._is_away:
            self._is_away = True
            logger.warning("Audit events wait for PostgreSQL", error=type(error).__name__)


def _storable(value: Any) -> Any:
    """PostgreSQL takes neither NUL nor half a surrogate pair, however deep."""
    match value:
        case str():
            return value.replace("\x00", "").encode("utf-8", "replace").decode()
        case dict():
            return {_storable(key): _storable(item) for key, item in value.items()}
        case list():
            return [_storable(item) for item in value]
    return value
