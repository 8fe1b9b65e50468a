"""A job kind: payload, result, policy and handler, declared in one place with `@job`."""

import inspect
import random
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict

from common.queue.context import JobContext
from common.schedule.declared import KindSchedule

_NAME = re.compile(r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$")
_MAX_TIMEOUT = timedelta(days=1)


class QueueName(StrEnum):
    """Lanes with workers of their own."""

    DEFAULT = "default"
    LLM = "llm"
    EMAIL = "email"
    AGENT = "agent"
    DOCUMENTS = "documents"


@dataclass(frozen=True, slots=True)
class Retry:
    """How often and how soon a failed attempt is repeated.

    Waits grow by `factor` from `base` up to `cap`, with full jitter (a uniform draw between zero and the bound).
    """

    max_attempts: int = 5
    base: timedelta = timedelta(seconds=1)
    factor: float = 2.0
    cap: timedelta = timedelta(minutes=10)

    def delay(self, failures: int) -> timedelta:
        """The wait after the given number of failures (1 for the first)."""
        bound = min(self.base.total_seconds() * self.factor ** min(failures - 1, 60), self.cap.total_seconds())
        return timedelta(seconds=random.uniform(0, bound))


@dataclass(frozen=True, slots=True)
class JobKind[P: BaseModel, R: BaseModel]:
    """The declaration of a kind. Calling it runs the handler, which is what tests do."""

    name: str
    payload: type[P]
    result: type[R]
    handler: Callable[[JobContext, P], Awaitable[R]]
    queue: str
    timeout: timedelta
    retry: Retry
    retention: timedelta
    max_running: int | None
    internal: bool
    schedule: KindSchedule | None
    description: str

    async def __call__(self, ctx: JobContext, payload: P) -> R:
        return await self.handler(ctx, payload)


type AnyJobKind = JobKind[Any, Any]


def job[P: BaseModel, R: BaseModel](
    name: str,
    *,
    queue: str = QueueName.DEFAULT,
    timeout: timedelta = timedelta(minutes=5),
    retry: Retry | None = None,
    retention: timedelta = timedelta(days=30),
    max_running: int | None = None,
    internal: bool = False,
    schedule: KindSchedule | None = None,
) -> Callable[[Callable[[JobContext, P], Awaitable[R]]], JobKind[P, R]]:
    """Declare a job kind.

    `name` is permanent and reads `noun.verb`; `timeout` ends an attempt; `retention` is how long a finished job is
    kept; `max_running` bounds how many run at a time over all workers; `internal` kinds cannot be submitted over
    HTTP; with `schedule` the system submits one by itself. Payload and result types come from the annotations.
    Raises `TypeError` or `ValueError` at import when the declaration is not usable.
    """
    if not _NAME.match(name):
        raise ValueError(f"job kind {name!r} must read noun.verb in lower case")
    if not timedelta(0) < timeout <= _MAX_TIMEOUT:
        raise ValueError(f"job kind {name!r}: timeout must be between 0 and {_MAX_TIMEOUT}")

    def declare(handler: Callable[[JobContext, P], Awaitable[R]]) -> JobKind[P, R]:
        payload, result = _types_of(name, handler)
        if schedule is not None:
            payload.model_validate(dict(schedule.payload))
        return JobKind(
            name=name,
            payload=payload,
            result=result,
            handler=handler,
            queue=str(queue),
            timeout=timeout,
            retry=retry or Retry(),
            retention=retention,
            max_running=max_running,
            internal=internal,
            schedule=schedule,
            description=inspect.getdoc(handler) or "",
        )

    return declare


def _types_of(name: str, handler: Callable[..., object]) -> tuple[Any, Any]:
    hints = get_type_hints(handler)
    parameters = list(inspect.signature(handler).parameters)
    if len(parameters) != 2:
        raise TypeError(f"job kind {name!r}: the handler takes (ctx, payload)")
    payload, result = hints.get(parameters[1]), hints.get("return")
    for role, model in (("payload", payload), ("result", result)):
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            raise TypeError(f"job kind {name!r}: annotate the {role} with a pydantic model")
    config: ConfigDict = getattr(payload, "model_config", ConfigDict())
    if config.get("extra") != "forbid":
        raise TypeError(f"job kind {name!r}: {payload} must refuse unknown fields (extra='forbid')")
    return payload, result
