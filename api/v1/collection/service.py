"""Collections, for their owners, and for the members of the tenant that they are shared with."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from api.caller import Caller
from api.config import ApiSettings
from api.cursors import CursorSigner, scope_of
from api.v1.collection.schema import CollectionCreate, CollectionUpdate
from common.database.session import Sessions
from common.errors import ConflictError, ForbiddenError, NotFoundError
from common.ids import new_id
from common.queue.request_keys import RequestKeys, made_id
from common.repository.collection import CollectionFilter, CollectionRepository, CountedCollection
from common.repository.idempotency import RequestKey
from common.repository.job import Owner


@dataclass(frozen=True, slots=True)
class CollectionsFound:
    """Collections, and the cursor of those after them."""

    items: Sequence[CountedCollection]
    next_cursor: str | None


class CollectionService:
    """Raises `NotFoundError` for what `reader` may not read, `ForbiddenError` for changes of what they only read."""

    def __init__(
        self,
        settings: ApiSettings,
        sessions: Sessions,
        collections: CollectionRepository,
        cursors: CursorSigner,
        keys: RequestKeys,
    ) -> None:
        self._keys = keys
        self._most = settings.max_collections
        self._sessions = sessions
        self._collections = collections
        self._cursors = cursors

    async def create(
        self, owner: Owner, wanted: CollectionCreate, key: RequestKey | None = None
    ) -> tuple[CountedCollection, bool]:
        """A new collection, and whether an earlier request with the same key made it.

        Raises `ConflictError` for a name that the tenant has, and over MAX_COLLECTIONS."""
        values = {"id": new_id(), **wanted.model_dump()}
        try:
            async with self._sessions.begin() as db:
                if (held := await self._keys.take(db, owner, key)) is not None:
                    return await self._get(db, made_id(held, "collection_id"), owner), True
                if await self._collections.count(db, owner) >= self._most:
                    raise ConflictError(f"MAX_COLLECTIONS allows {self._most} collections")
                made = await self._collections.create(db, owner, values)
                await self._keys.keep(db, owner, key, collection_id=made.id)
                return CountedCollection(made, 0), False
        except IntegrityError as error:
            raise _taken(wanted.name) from error

    async def get(self, collection_id: UUID, reader: Owner) -> CountedCollection:
        """One collection."""
        async with self._sessions() as db:
            return await self._get(db, collection_id, reader)

    async def list_page(self, reader: Owner, wanted: CollectionFilter, cursor: str | None) -> CollectionsFound:
        """One page, newest first. Raises `InvalidError` for a foreign cursor."""
        scope = scope_of(wanted)
        before_id = None if cursor is None else self._cursors.read(reader.user_id, cursor, scope)
        page = replace(wanted, before_id=before_id, limit=wanted.limit + 1)
        async with self._sessions() as db:
            found = await self._collections.list_page(db, reader, page)
        shown, has_more = found[: wanted.limit], len(found) > wanted.limit
        following = self._cursors.sign(reader.user_id, shown[-1].collection.id, scope) if has_more else None
        return CollectionsFound(shown, following)

    async def update(self, caller: Caller, collection_id: UUID, wanted: CollectionUpdate) -> CountedCollection:
        """Change what was named. Operators may withdraw what others share, for what should never have been shared.

        Raises `ConflictError` for a name that the tenant has.
        """
        values = wanted.model_dump(exclude_unset=True, mode="json")
        try:
            async with self._sessions.begin() as db:
                found = await self._get(db, collection_id, caller.owner)
                if not (caller.is_operator and wanted.only_withdraws):
                    await require_own(db, self._collections, collection_id, caller.owner)
                changed = await self._collections.change(db, collection_id, caller.owner, values)
        except IntegrityError as error:
            raise _taken(values["name"]) from error
        if changed is None:
            raise missing_collection(collection_id)
        return CountedCollection(changed, found.document_count)

    async def delete(self, collection_id: UUID, owner: Owner) -> None:
        """Let nobody find the collection and its documents any more; workers remove what they consist of soon."""
        async with self._sessions.begin() as db:
            if not await self._collections.delete(db, collection_id, owner):
                await require_own(db, self._collections, collection_id, owner)

    async def _get(self, db: AsyncSession, collection_id: UUID, reader: Owner) -> CountedCollection:
        found = await self._collections.find(db, collection_id, reader)
        if found is None:
            raise missing_collection(collection_id)
        return found


async def require_own(db: AsyncSession, collections: CollectionRepository, collection_id: UUID, owner: Owner) -> None:
    """Raises `NotFoundError` for what `owner` may not know of, `ForbiddenError` for what others share with them."""
    owner_id = await collections.find_owner(db, collection_id, owner)
    if owner_id is None:
        raise missing_collection(collection_id)
    if owner_id != owner.user_id:
        raise ForbiddenError("only its owner may change a collection that is shared, upload to it or delete from it")


def _taken(name: str) -> ConflictError:
    return ConflictError(f"your tenant has a collection named {name!r} already")


def missing_collection(collection_id: UUID) -> NotFoundError:
    """The error for a collection that is not there, or not for the caller."""
    return NotFoundError(f"collection {collection_id} does not exist")
