"""What is taken as a document, under which name, and what every refusal says. No worker is needed."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.document.conftest import ENGLISH, Library
from tests.document.files import word

NAMES = {
    "../../etc/passwd.txt": "passwd.txt",
    "C:\\x\\y.txt": "y.txt",
    "a\x00\x1bb.txt": "ab.txt",
    "\U0001f600 이름.txt": "\U0001f600 이름.txt",
    "\u202etxt.md": "\u202etxt.md",
    f"{'n' * 251}.txt": f"{'n' * 251}.txt",
}
TEXT = b"Some text."
REFUSED: dict[str, tuple[str, bytes, dict[str, str], int, str]] = {
    "long name": ("n" * 300 + ".txt", TEXT, {}, 422, "a name of 1 to 255 characters"),
    "no name": ("a.txt", TEXT, {"name": "a/.."}, 422, "a name of 1 to 255 characters"),
    "empty": ("a.txt", b"", {}, 422, "is empty"),
    "type": ("a.exe", b"MZ", {}, 415, "of a type that is not taken"),
    "no type": ("words", TEXT, {}, 415, "of a type that is not taken"),
    "no PDF": ("a.pdf", TEXT, {}, 422, "is no PDF, whatever its name says"),
    "no docx": ("a.docx", TEXT, {}, 422, "is no Word document (docx)"),
    "bytes": ("a.txt", bytes(range(256)), {}, 422, "is not text"),
    "PDF as text": ("a.txt", ENGLISH.read_bytes(), {}, 422, "is a PDF, whatever its name says"),
    "docx as Markdown": ("a.md", word("Hello"), {}, 422, "is a Word document (docx), whatever its name says"),
    "size": ("a.txt", b"x" * 200_000, {}, 413, "MAX_DOCUMENT_BYTES"),
    "attributes": ("a.txt", TEXT, {"attributes": '{"page": 1}'}, 422, "'page' cannot be the name of an attribute"),
    "no JSON": ("a.txt", TEXT, {"attributes": "{"}, 422, "attributes cannot be used"),
    "field": ("a.txt", TEXT, {"colour": "red"}, 422, "unknown field 'colour'"),
}


@pytest.fixture
async def small(connect: Callable[..., Any], tmp_path: Path) -> AsyncIterator[Library]:
    """A collection of an api that takes small documents only, and five of them."""
    async with connect(max_document_bytes=100_000, data_dir=tmp_path / "data", max_documents=len(NAMES)) as http:
        made = await http.post("/api/v1/collections", json={"name": "small"})
        yield Library(http, made.json()["id"])


def kept(folder: Path) -> int:
    return sum(path.is_file() for path in (folder / "data" / "files").rglob("*"))


async def test_what_is_taken_and_what_is_refused(small: Library, tmp_path: Path) -> None:
    for name, shown in NAMES.items():
        # The field: a client would write some of these names differently in the part of the file.
        files = {"file": ("a.txt", TEXT, "text/plain")}
        accepted = await small.http.post(f"{small.path}/documents", files=files, data={"name": name})
        assert (accepted.status_code, accepted.json()["document"]["name"]) == (202, shown), accepted.text
    for what, (name, content, fields, code, words) in REFUSED.items():
        files = {"file": (name, content, "application/octet-stream")}
        answer = await small.http.post(f"{small.path}/documents", files=files, data=fields)
        assert (answer.status_code, words in answer.json()["detail"]) == (code, True), (what, answer.text)
    over = await small.post("one-more.txt", TEXT)
    assert (over.status_code, "MAX_DOCUMENTS" in over.json()["detail"]) == (409, True)
    assert kept(tmp_path) == len(NAMES)


async def test_an_upload_that_breaks_off_leaves_nothing(small: Library, tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b'--X\r\nContent-Disposition: form-data; name="file"; filename="cut.txt"\r\n\r\n'
        yield b"half of it"

    headers = {"Content-Type": "multipart/form-data; boundary=X"}
    answer = await small.http.post(f"{small.path}/documents", content=broken(), headers=headers)
    assert (answer.status_code, "broke off" in answer.json()["detail"]) == (422, True)
    assert (await small.http.get(f"{small.path}/documents")).json()["items"] == []
    assert kept(tmp_path) == 0
