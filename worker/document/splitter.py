"""From text to passages of a size that models embed well. Heavy to import: langchain."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

from langchain_text_splitters import Language, RecursiveCharacterTextSplitter

from common.documents.media import MediaType
from worker.document.reader import Page

_SEPARATORS = ["\n\n", "\n", "。", ". ", "? ", "! ", ", ", " ", ""]


@dataclass(frozen=True, slots=True)
class Piece:
    """A passage before it has a vector. `digest` is the hash of its text."""

    index: int
    page: int | None
    text: str
    digest: str


class DocumentSplitter:
    """Splits where a text is said to end: paragraphs first, then sentences, then words. Sizes are characters."""

    def __init__(self, size: int, overlap: int) -> None:
        self._plain = RecursiveCharacterTextSplitter(
            _SEPARATORS, chunk_size=size, chunk_overlap=overlap, keep_separator="end"
        )
        self._markdown = RecursiveCharacterTextSplitter.from_language(
            Language.MARKDOWN, chunk_size=size, chunk_overlap=overlap
        )

    def split(self, pages: Sequence[Page], media_type: MediaType) -> list[Piece]:
        """The passages in order. No passage goes over the end of a page."""
        splitter = self._markdown if media_type is MediaType.MARKDOWN else self._plain
        texts = ((page.number, text.strip()) for page in pages for text in splitter.split_text(page.text))
        return list(_number(texts))


def _number(texts: Iterator[tuple[int | None, str]]) -> Iterator[Piece]:
    index = 0
    for page, text in texts:
        if text:
            yield Piece(index, page, text, sha256(text.encode()).hexdigest())
            index += 1
