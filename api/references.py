"""Whether the threads and collections that a job names are its owner's. Workers look again when it runs."""

from uuid import UUID

from pydantic import BaseModel

from common.database.session import Sessions
from common.errors import InvalidError
from common.jobs.agent_run import AgentRunPayload
from common.jobs.collection_search import CollectionSearchPayload
from common.jobs.rag_answer import RagAnswerPayload
from common.repository.collection import CollectionRepository
from common.repository.job import Owner
from common.repository.thread import ThreadRepository


class References:
    """Reads nothing for payloads that name neither."""

    def __init__(self, sessions: Sessions, threads: ThreadRepository, collections: CollectionRepository) -> None:
        self._sessions = sessions
        self._threads = threads
        self._collections = collections

    async def check(self, payload: BaseModel, owner: Owner) -> None:
        """Raises `InvalidError` that names what is not there, or not the owner's."""
        thread_id = payload.thread_id if isinstance(payload, AgentRunPayload) else None
        collection_id = None
        if isinstance(payload, AgentRunPayload | RagAnswerPayload | CollectionSearchPayload):
            collection_id = payload.collection_id
        if thread_id is None and collection_id is None:
            return
        async with self._sessions() as db:
            if thread_id is not None and await self._threads.find(db, thread_id, owner) is None:
                raise _missing("thread", thread_id)
            if collection_id is not None and not await self._collections.exists(db, collection_id, owner):
                raise _missing("collection", collection_id)


def _missing(what: str, id_: UUID) -> InvalidError:
    return InvalidError(f"{what} {id_} does not exist", path=("body", "payload", f"{what}_id"))
