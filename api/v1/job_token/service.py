"""Makes tokens for one job."""

from collections.abc import Collection
from datetime import timedelta
from uuid import UUID

from api.caller import Caller
from api.job_tokens import JobTokens
from common.database.session import Sessions
from common.errors import NotFoundError
from common.repository.job import JobRepository
from common.repository.user import UserRepository
from common.scopes import JobAction, Scope


class JobTokenService:
    """For those who may do themselves what the token allows."""

    def __init__(self, sessions: Sessions, jobs: JobRepository, users: UserRepository, tokens: JobTokens) -> None:
        self._sessions = sessions
        self._jobs = jobs
        self._users = users
        self._tokens = tokens

    async def create(self, caller: Caller, job_id: UUID, actions: Collection[JobAction], lifetime: timedelta) -> str:
        """A token for a job within the caller's reach. Raises `NotFoundError`, or `ForbiddenError` for a key."""
        if JobAction.READ in actions:
            caller.require_scope(Scope.JOBS_READ)
        async with self._sessions() as db:
            job = await self._jobs.get(db, job_id, caller.reach, with_payload=False)
            user = await self._users.find(db, caller.user_id)
        if user is None:
            raise NotFoundError(f"user {caller.user_id} does not exist")
        return self._tokens.issue(caller, user.token_version, job, actions, lifetime)
