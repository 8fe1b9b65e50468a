"""Whether the threads and collections that a request names are there for its owner. Workers look again at run time."""

from collections.abc import Sequence
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from common.database.session import Sessions
from common.errors import InvalidError
from common.jobs.agent_run import AgentRunPayload
from common.jobs.collection_search import CollectionSearchPayload
from common.jobs.rag_answer import RagAnswerPayload
from common.repository.collection import CollectionRepository
from common.repository.job import Owner
from common.repository.thread import ThreadRepository

_PAYLOAD = ("body", "payload")


class References:
    """Reads nothing for payloads that name neither."""

    def __init__(self, sessions: Sessions, threads: ThreadRepository, collections: CollectionRepository) -> None:
        self._sessions = sessions
        self._threads = threads
        self._collections = collections

    async def check(self, payload: BaseModel, owner: Owner) -> None:
        """Raises `InvalidError` that names what is not there, or not for the owner to use."""
        if any(_named(payload)):
            async with self._sessions() as db:
                await self.check_in(db, payload, owner)

    async def check_many(self, payloads: Sequence[BaseModel], owner: Owner) -> list[InvalidError | None]:
        """What `check` raises for each of them, or None. What many of them name is looked for once."""
        known: dict[tuple[UUID | None, UUID | None], InvalidError | None] = {(None, None): None}
        for payload in payloads:
            if _named(payload) not in known:
                known[_named(payload)] = await self._find_wrong(payload, owner)
        return [known[_named(payload)] for payload in payloads]

    async def check_in(self, db: AsyncSession, payload: BaseModel, owner: Owner) -> None:
        """`check` inside of a transaction."""
        thread_id, collection_id = _named(payload)
        if thread_id is not None and await self._threads.find(db, thread_id, owner) is None:
            raise _missing("thread", thread_id, _PAYLOAD)
        await self.check_collection(db, collection_id, owner, path=_PAYLOAD)

    async def check_collection(
        self, db: AsyncSession, collection_id: UUID | None, owner: Owner, *, path: tuple[str, ...]
    ) -> None:
        """Raises `InvalidError` for one that the owner may not read; `path` is where it was named."""
        if collection_id is not None and await self._collections.find_owner(db, collection_id, owner) is None:
            raise _missing("collection", collection_id, path)

    async def _find_wrong(self, payload: BaseModel, owner: Owner) -> InvalidError | None:
        try:
            await self.check(payload, owner)
        except InvalidError as error:
            return error
        return None


def _named(payload: BaseModel) -> tuple[UUID | None, UUID | None]:
    """The thread and the collection."""
    match payload:
        case AgentRunPayload():
            return payload.thread_id, payload.collection_id
        case RagAnswerPayload() | CollectionSearchPayload():
            return None, payload.collection_id
        case _:
            return None, None


def _missing(what: str, id_: UUID, path: tuple[str, ...]) -> InvalidError:
    return InvalidError(f"{what} {id_} does not exist", path=(*path, f"{what}_id"))
