"""Concurrency limits: how many jobs may run at a time, counted over all workers from the rows themselves."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from common.queue.definition import AnyJobKind


@dataclass(frozen=True, slots=True)
class ConcurrencyLimit:
    """At most `limit` jobs with the same `key` of one owner run at a time."""

    key: str
    limit: int


def limits_of(
    kind: AnyJobKind, owner_id: UUID, asked: ConcurrencyLimit | None, max_per_owner: int
) -> Mapping[str, int]:
    """The limits that a job falls under, by key: its kind's, its owner's (0: none), and the one asked for."""
    limits: dict[str, int] = {}
    if kind.max_running is not None:
        limits[f"kind:{kind.name}"] = kind.max_running
    if max_per_owner:
        limits[f"owner:{owner_id}"] = max_per_owner
    if asked is not None:
        limits[f"key:{owner_id}:{asked.key}"] = asked.limit
    return limits
