"""Main file of a process that reads one document: `... PATH TYPE MEMORY SECONDS UNPACKED`.

A document is somebody else's file: what it does to the library that reads it ends with this process, whose memory and
time are limited. Prints `{"pages": [{"number", "text"}]}` or `{"error": "..."}` as JSON.
"""

import json
import resource
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import bs4
import docx
import pypdf
from docx.opc.exceptions import PackageNotFoundError
from docx.table import Table
from pypdf.errors import PyPdfError

from common.documents.media import MediaType

type Page = tuple[int | None, str]

_INVISIBLE = ("script", "style", "template", "noscript")


class UnreadableError(Exception):
    """The document cannot be read; the message is for its owner."""


def read_pages(path: Path, media_type: MediaType, max_unpacked: int) -> Iterator[Page]:
    """The pages of a document with their numbers, or its text without one. Raises `UnreadableError`."""
    match media_type:
        case MediaType.PDF:
            yield from _read_pdf(path)
        case MediaType.DOCX:
            yield None, _read_docx(path, max_unpacked)
        case MediaType.HTML:
            yield None, _read_html(path)
        case _:
            raise UnreadableError(f"{media_type} needs no reader")


def _read_pdf(path: Path) -> Iterator[Page]:
    try:
        reader = pypdf.PdfReader(path)
        # Many PDFs are encrypted for their printing rights only and open with an empty password.
        if reader.is_encrypted and not reader.decrypt(""):
            raise UnreadableError("the PDF is encrypted; upload it without a password")
        for number, page in enumerate(reader.pages, 1):
            yield number, page.extract_text()
    except (PyPdfError, ValueError, LookupError, TypeError, AttributeError, OSError, NotImplementedError) as error:
        raise UnreadableError(f"the PDF is damaged ({type(error).__name__})") from error


def _read_docx(path: Path, max_unpacked: int) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(each.file_size for each in archive.infolist())
        if unpacked > max_unpacked:
            raise UnreadableError(f"the document unpacks to {unpacked} bytes; {max_unpacked} are allowed")
        document = docx.Document(str(path))
    except (zipfile.BadZipFile, PackageNotFoundError, KeyError, ValueError, OSError, SyntaxError) as error:
        raise UnreadableError(f"the Word document is damaged ({type(error).__name__})") from error
    return "\n\n".join(
        _table_text(each) if isinstance(each, Table) else each.text for each in document.iter_inner_content()
    )


def _table_text(table: Table) -> str:
    return "\n".join(" | ".join(cell.text for cell in row.cells) for row in table.rows)


def _read_html(path: Path) -> str:
    soup = bs4.BeautifulSoup(path.read_bytes(), "html.parser")
    for element in soup(list(_INVISIBLE)):
        element.decompose()
    return soup.get_text("\n", strip=True)


def main(arguments: list[str]) -> None:
    """Read, and say what came out."""
    path, media_type, memory, seconds, unpacked = arguments
    resource.setrlimit(resource.RLIMIT_AS, (int(memory), int(memory)))
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), int(seconds) + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    answer: dict[str, object]
    try:
        pages = read_pages(Path(path), MediaType(media_type), int(unpacked))
        answer = {"pages": [{"number": number, "text": text} for number, text in pages]}
    except UnreadableError as error:
        answer = {"error": str(error)}
    except MemoryError:
        answer = {"error": "reading the document takes more memory than DOCUMENT_MAX_MEMORY_BYTES"}
    except RecursionError:
        answer = {"error": "the document is nested too deeply"}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main(sys.argv[1:])
