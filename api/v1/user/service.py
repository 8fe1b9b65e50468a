"""Users, as they see themselves."""

from uuid import UUID

from common.database.model import User
from common.database.session import Sessions
from common.errors import NotFoundError
from common.repository.user import UserRepository


class UserService:
    """Reads users."""

    def __init__(self, sessions: Sessions, users: UserRepository) -> None:
        self._sessions = sessions
        self._users = users

    async def get(self, user_id: UUID) -> User:
        """The user. Raises `NotFoundError`."""
        async with self._sessions() as db:
            user = await self._users.find(db, user_id)
        if user is None:
            raise NotFoundError(f"user {user_id} does not exist")
        return user
