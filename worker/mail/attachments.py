"""What travels with a mail: read as its owner, so that nobody sends what is not theirs."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from pydantic_core import to_json

from common.database.session import Sessions
from common.errors import PermanentError, TransientError
from common.ports import MailAttachment
from common.repository.document import DocumentRepository
from common.repository.job import JobRepository, Owner
from common.storage.base import FileKey, FileStorage
from worker.mail.message import File


class AttachmentReader:
    """`max_bytes` bounds a document before it is read. `storage` opens the files of documents at first use."""

    def __init__(
        self,
        sessions: Sessions,
        jobs: JobRepository,
        documents: DocumentRepository,
        storage: Callable[[], FileStorage],
        max_bytes: int,
    ) -> None:
        self._sessions = sessions
        self._jobs = jobs
        self._documents = documents
        self._storage = storage
        self._max_bytes = max_bytes

    async def load(self, attachment: MailAttachment, owner: Owner) -> File:
        """The file with its content. Raises `PermanentError` for what is not there, or is not the owner's."""
        return File(attachment.filename, attachment.content_type, await self._content(attachment, owner))

    async def _content(self, attachment: MailAttachment, owner: Owner) -> bytes:
        read: Callable[[UUID, Owner], Awaitable[bytes]]
        if attachment.job_id is not None:
            read, wanted = self._result, attachment.job_id
        elif attachment.document_id is not None:
            read, wanted = self._document, attachment.document_id
        else:
            return attachment.content or b""
        return await read(wanted, owner)

    async def _result(self, job_id: UUID, owner: Owner) -> bytes:
        async with self._sessions() as db:
            job = await self._jobs.find(db, job_id, owner)
        if job is None or job.result is None:
            raise PermanentError(f"job {job_id} has no result to attach")
        return to_json(job.result, indent=2)

    async def _document(self, document_id: UUID, owner: Owner) -> bytes:
        async with self._sessions() as db:
            version = await self._documents.find_file(db, document_id, owner)
        if version is None or version.cleaned_at is not None:
            raise PermanentError(f"document {document_id} does not exist")
        if version.size > self._max_bytes:
            raise PermanentError(f"the document has {version.size} bytes; MAIL_MAX_BYTES allows {self._max_bytes}")
        key = FileKey(version.tenant_id, version.collection_id, version.id)
        try:
            return b"".join([piece async for piece in self._storage().read(key)])
        except FileNotFoundError:
            raise PermanentError(f"the file of document {document_id} is gone") from None
        except OSError as error:
            raise TransientError("the files of documents cannot be read now") from error
