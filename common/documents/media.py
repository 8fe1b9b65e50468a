"""Which kinds of documents are read, and how a file shows what it is."""

from enum import StrEnum
from pathlib import PurePosixPath

_SNIFFED = 1024


class MediaType(StrEnum):
    """The kinds of documents that can be read."""

    TEXT = "text/plain"
    MARKDOWN = "text/markdown"
    HTML = "text/html"
    PDF = "application/pdf"
    DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


_SUFFIXES = {
    ".txt": MediaType.TEXT,
    ".text": MediaType.TEXT,
    ".md": MediaType.MARKDOWN,
    ".markdown": MediaType.MARKDOWN,
    ".html": MediaType.HTML,
    ".htm": MediaType.HTML,
    ".pdf": MediaType.PDF,
    ".docx": MediaType.DOCX,
}
_BEGINNINGS = {MediaType.PDF: b"%PDF-", MediaType.DOCX: b"PK\x03\x04"}
_NAMES = {MediaType.PDF: "PDF", MediaType.DOCX: "Word document (docx)"}


def media_type_of(name: str, declared: str | None) -> MediaType | None:
    """The type of a file by the end of its name or, when that says nothing, by what its sender declares."""
    found = _SUFFIXES.get(PurePosixPath(name).suffix.lower())
    if found is not None:
        return found
    plain = (declared or "").partition(";")[0].strip().lower()
    return MediaType(plain) if plain in MediaType else None


def contradiction(media_type: MediaType, beginning: bytes) -> str | None:
    """Why a file cannot be of this type, judged by its first bytes; None when it can."""
    expected = _BEGINNINGS.get(media_type)
    # A PDF may have some bytes before its mark.
    if expected is not None:
        is_one = expected in beginning[:_SNIFFED] if media_type is MediaType.PDF else beginning.startswith(expected)
        return None if is_one else f"the file is no {_NAMES[media_type]}, whatever its name says"
    for other, mark in _BEGINNINGS.items():
        if beginning.startswith(mark):
            return f"the file is a {_NAMES[other]}, whatever its name says"
    if b"\0" in beginning[:_SNIFFED] and not beginning.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "the file is not text, whatever its name says"
    return None
