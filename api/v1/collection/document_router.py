"""/collections/{id}/documents: upload, look, download, remove."""

from typing import Any
from urllib.parse import quote

from fastapi import Request, Response, status
from fastapi.responses import StreamingResponse

from api.dependencies import CallerDep, RequestIdDep, SettingsDep
from api.feature import feature_router
from api.paging import link_next
from api.v1.collection.dependencies import (
    CollectionIdDep,
    CursorQuery,
    DocumentIdDep,
    DocumentServiceDep,
    LimitDep,
    NameQuery,
)
from api.v1.collection.schema import DocumentAccepted, DocumentPage, DocumentRead
from api.v1.collection.upload import UPLOAD_BODY, reading_upload
from api.v1.job.idempotency import IdempotencyDep, mark_replayed
from api.v1.job.schema import JobSummary
from common.repository.document import DocumentFilter

router = feature_router("/collections/{collection_id}/documents", tag="collections")

_FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file, as it was uploaded.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.post("", status_code=status.HTTP_202_ACCEPTED, openapi_extra=UPLOAD_BODY)
async def upload_document(
    collection_id: CollectionIdDep,
    caller: CallerDep,
    service: DocumentServiceDep,
    settings: SettingsDep,
    request_id: RequestIdDep,
    idempotency: IdempotencyDep,
    request: Request,
    response: Response,
) -> DocumentAccepted:
    """Add a document, or replace the one of its name. The same content again changes nothing.

    Searches find what was there before until the job has succeeded, and from then on the new content.
    """
    await service.require_own(collection_id, caller.owner)
    async with reading_upload(request, settings) as upload:
        accepted = await service.upload(collection_id, caller.owner, upload, request_id, idempotency.key_of_content)
    mark_replayed(response, is_replayed=accepted.is_replayed)
    response.headers["Location"] = f"{request.url.path}/{accepted.document.document.id}"
    job = None if accepted.job is None else JobSummary.of(accepted.job)
    return DocumentAccepted(document=DocumentRead.of(accepted.document), job=job)


@router.get("")
async def list_documents(
    collection_id: CollectionIdDep,
    caller: CallerDep,
    service: DocumentServiceDep,
    request: Request,
    response: Response,
    limit: LimitDep,
    name: NameQuery = None,
    cursor: CursorQuery = None,
) -> DocumentPage:
    """The documents of a collection, newest first."""
    page = await service.list_page(collection_id, caller.owner, DocumentFilter(name, limit=limit), cursor)
    link_next(request, response, page.next_cursor)
    return DocumentPage(items=[DocumentRead.of(each) for each in page.items], next_cursor=page.next_cursor)


@router.get("/{document_id}")
async def get_document(
    collection_id: CollectionIdDep, document_id: DocumentIdDep, caller: CallerDep, service: DocumentServiceDep
) -> DocumentRead:
    """One document."""
    return DocumentRead.of(await service.get(collection_id, document_id, caller.owner))


@router.get("/{document_id}/content", response_class=StreamingResponse, responses=_FILE)
async def download_document(
    collection_id: CollectionIdDep, document_id: DocumentIdDep, caller: CallerDep, service: DocumentServiceDep
) -> StreamingResponse:
    """The file that was uploaded last."""
    content = await service.open_content(collection_id, document_id, caller.owner)
    headers = {
        "Content-Length": str(content.version.size),
        # Never shown in a browser as a page of this host, whatever it holds.
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(content.name, safe='')}",
        "ETag": f'"{content.version.sha256}"',
    }
    return StreamingResponse(content.pieces, media_type=content.version.content_type, headers=headers)


@router.delete("/{document_id}", status_code=status.HTTP_204_NO_CONTENT)
async def delete_document(
    collection_id: CollectionIdDep, document_id: DocumentIdDep, caller: CallerDep, service: DocumentServiceDep
) -> None:
    """Remove a document: no search finds it from now on. May be repeated."""
    await service.delete(collection_id, document_id, caller.owner)
