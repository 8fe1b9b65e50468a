"""What the routes of collections read from a request beside its body."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path, Query

from api.dependencies import SettingsDep, from_state
from api.v1.collection.document_service import DocumentService
from api.v1.collection.search_service import SearchService
from api.v1.collection.service import CollectionService
from common.errors import InvalidError, NotFoundError

CollectionServiceDep = Annotated[CollectionService, from_state("collections")]
DocumentServiceDep = Annotated[DocumentService, from_state("documents")]
SearchServiceDep = Annotated[SearchService, from_state("searches")]


def _parse(what: str, text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise NotFoundError(f"{what} {text[:64]} does not exist") from None


async def get_collection_id(collection_id: Annotated[str, Path(description="The collection's id.")]) -> UUID:
    """The id from the path. A text that cannot be an id belongs to no collection."""
    return _parse("collection", collection_id)


async def get_document_id(document_id: Annotated[str, Path(description="The document's id.")]) -> UUID:
    """The id from the path. A text that cannot be an id belongs to no document."""
    return _parse("document", document_id)


async def get_limit(settings: SettingsDep, limit: Annotated[int | None, Query(ge=1)] = None) -> int:
    """How many items a page has. Raises `InvalidError` above MAX_PAGE_LIMIT."""
    if limit is not None and limit > settings.max_page_limit:
        raise InvalidError(f"MAX_PAGE_LIMIT allows {settings.max_page_limit} a page", path=("query", "limit"))
    return limit or settings.page_limit


CollectionIdDep = Annotated[UUID, Depends(get_collection_id)]
DocumentIdDep = Annotated[UUID, Depends(get_document_id)]
LimitDep = Annotated[int, Depends(get_limit)]
NameQuery = Annotated[str | None, Query(max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$", description="Only this name.")]
CursorQuery = Annotated[str | None, Query(max_length=128, description="`next_cursor` of the page before.")]
