"""What calls of models came to, for those who made them and for operators."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from api.caller import Caller
from common.database.session import Sessions
from common.errors import ForbiddenError, InvalidError
from common.repository.usage import UsageFilter, UsageGroup, UsageRepository, UsageSum

_LONGEST = timedelta(days=366)
_MOST_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class UsageFound:
    """Sums by group, and of all."""

    items: Sequence[UsageSum]
    total: UsageSum


class UsageService:
    """Sums the caller's usage up, or the whole tenant's for operators."""

    def __init__(self, sessions: Sessions, usage: UsageRepository) -> None:
        self._sessions = sessions
        self._usage = usage

    async def sum_up(
        self, caller: Caller, since: date, until: date, groups: Sequence[UsageGroup], owner_id: UUID | None
    ) -> UsageFound:
        """The days from `since` to `until`, both included.

        Raises `InvalidError` for a range that is empty or too long, `ForbiddenError` for somebody else's usage.
        """
        if until < since:
            raise InvalidError("until lies before since", path=("query", "until"))
        if until - since >= _LONGEST:
            raise InvalidError(f"at most {_LONGEST.days} days at once", path=("query", "since"))
        if owner_id is not None and owner_id != caller.user_id and not caller.is_operator:
            raise ForbiddenError("only operators and admins see what others used")
        whose = owner_id or (None if caller.is_operator else caller.user_id)
        wanted = UsageFilter(caller.tenant_id, whose, _midnight(since), _midnight(until) + timedelta(days=1))
        async with self._sessions() as db:
            items = await self._usage.sum_up(db, wanted, groups, limit=_MOST_ROWS + 1) if groups else []
            [total] = await self._usage.sum_up(db, wanted, (), limit=1)
        if len(items) > _MOST_ROWS:
            raise InvalidError(f"more than {_MOST_ROWS} sums; ask for fewer days", path=("query", "since"))
        return UsageFound(items, total)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
