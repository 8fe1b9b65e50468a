"""Reading an upload: a multipart body, piece by piece, with no more of it in memory than a piece."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect

from api.config import ApiSettings
from common.documents.filters import check_attributes
from common.documents.media import MediaType, contradiction, media_type_of
from common.errors import InvalidError, MediaTypeError, SlowRequestError, TooLargeError

MULTIPART = "multipart/form-data"
_PIECE = 256 * 1024
_SNIFFED = 1024
_FIELDS = frozenset({"file", "name", "attributes"})
_MAX_FIELD_BYTES = 16 * 1024
_MAX_NAME = 255
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")

UPLOAD_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            MULTIPART: {
                "schema": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "format": "binary", "description": "txt, md, html, pdf or docx."},
                        "name": {
                            "type": "string",
                            "maxLength": _MAX_NAME,
                            "description": "Left out: the name of the file. The document of this name is replaced.",
                        },
                        "attributes": {
                            "type": "string",
                            "description": "A JSON object of texts, numbers and booleans that searches can filter by.",
                            "examples": ['{"year": 2026}'],
                        },
                    },
                }
            }
        },
    }
}


@dataclass(frozen=True, slots=True)
class Upload:
    """An uploaded file, on this host's disk until the request ends."""

    name: str
    media_type: MediaType
    attributes: dict[str, Any]
    size: int
    file: UploadFile

    async def pieces(self) -> AsyncIterator[bytes]:
        """The content, from its beginning."""
        await self.file.seek(0)
        while piece := await self.file.read(_PIECE):
            yield piece


class _Parser(MultiPartParser):
    """Knows whether it has come to the end, and what it has opened."""

    is_whole = False

    def on_end(self) -> None:
        """After the last boundary."""
        super().on_end()
        self.is_whole = True

    def close(self) -> None:
        """Let go also of a file that never became whole, and so no part of the form."""
        for file in self._files_to_close_on_error:
            file.close()


@asynccontextmanager
async def reading_upload(request: Request, settings: ApiSettings) -> AsyncIterator[Upload]:
    """The upload of a request.

    Raises `MediaTypeError` (415), `TooLargeError` (413), `SlowRequestError` (408) or `InvalidError` (422).
    """
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given != MULTIPART:
        raise MediaTypeError(f"send {MULTIPART}, not {given[:100] or 'a body without a type'}")
    stream = _bounded(request, settings)
    parser = _Parser(request.headers, stream, max_files=1, max_fields=len(_FIELDS), max_part_size=_MAX_FIELD_BYTES)
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise InvalidError(f"the upload cannot be read: {error.message}", path=("body",)) from error
    except (KeyError, UnicodeDecodeError) as error:
        raise InvalidError("the upload cannot be read: it names no boundary", path=("body",)) from error
    try:
        if not parser.is_whole:
            raise InvalidError("the upload broke off before its last boundary", path=("body",))
        if unknown := set(form) - _FIELDS:
            raise InvalidError(f"unknown field {min(unknown)[:64]!r}", path=("body",))
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise InvalidError("send the document as the file `file`", path=("body", "file"))
        yield await _check(file, form.get("name"), form.get("attributes"), settings)
    finally:
        await form.close()
        parser.close()


async def _bounded(request: Request, settings: ApiSettings) -> AsyncGenerator[bytes, None]:
    """The body, as long as it keeps coming. The size of all of it is bounded by the middleware."""
    idle = settings.request_timeout.total_seconds()
    end = asyncio.get_running_loop().time() + settings.upload_timeout.total_seconds()
    stream = request.stream()
    while True:
        left = end - asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(min(idle, max(left, 0))):
                piece = await anext(stream, None)
        except TimeoutError as error:
            raise SlowRequestError(
                "the upload took longer than UPLOAD_TIMEOUT, or paused for REQUEST_TIMEOUT"
            ) from error
        except ClientDisconnect as error:
            raise InvalidError("the upload broke off", path=("body",)) from error
        if piece is None:
            return
        yield piece


async def _check(file: UploadFile, name: object, attributes: object, settings: ApiSettings) -> Upload:
    shown = _name(name if isinstance(name, str) and name.strip() else file.filename or "")
    size = file.size or 0
    if size > (limit := settings.max_document_bytes):
        raise TooLargeError(f"the document has {size} bytes; MAX_DOCUMENT_BYTES allows {limit}")
    media_type = media_type_of(shown, None) or media_type_of(file.filename or "", file.content_type)
    if media_type is None or media_type not in settings.document_types:
        raise MediaTypeError(
            f"{shown!r} is of a type that is not taken; taken are {', '.join(settings.document_types)}"
        )
    if not size:
        raise InvalidError("the document is empty", path=("body", "file"))
    beginning = await file.read(_SNIFFED)
    if reason := contradiction(media_type, beginning):
        raise InvalidError(reason, path=("body", "file"))
    return Upload(shown, media_type, _attributes(attributes), size, file)


def _name(text: str) -> str:
    """The last part of a path, as people see it. It names no file of ours."""
    name = _UNPRINTABLE.sub("", text.replace("\\", "/").rpartition("/")[2]).strip()
    if not name or name in (".", "..") or len(name) > _MAX_NAME or not _is_storable(name):
        raise InvalidError(f"a document has a name of 1 to {_MAX_NAME} characters", path=("body", "name"))
    return name


def _attributes(text: object) -> dict[str, Any]:
    if not isinstance(text, str) or not text.strip():
        return {}
    try:
        return check_attributes(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise InvalidError(f"attributes cannot be used: {error}", path=("body", "attributes")) from error


def _is_storable(text: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in text)
