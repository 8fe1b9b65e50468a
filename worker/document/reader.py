"""From a file to its text, in bounded time and memory."""

import asyncio
import codecs
import json
import math
import os
import sys
import unicodedata
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import aiofiles

from common.documents.media import MediaType
from common.errors import PermanentError, TransientError
from worker.config import WorkerSettings

_PLAIN = frozenset({MediaType.TEXT, MediaType.MARKDOWN})
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_GUESSES = ("utf-8", "cp949")
_INHERITED = ("PATH", "LANG", "LD_LIBRARY_PATH", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV")
_BYTES_OF_A_CHARACTER = 12  # \ud83d\ude00 in JSON


@dataclass(frozen=True, slots=True)
class Page:
    """A piece of a document's text; `number` from 1 where the document has pages."""

    number: int | None
    text: str


class DocumentReader:
    """Reads plain text itself and leaves everything else to a process that can be ended."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._timeout = settings.document_read_timeout.total_seconds()
        self._max_memory = settings.document_max_memory_bytes
        self._max_unpacked = settings.document_max_unpacked_bytes
        self._max_characters = settings.document_max_characters
        # More at once would only slow each other down, and each may take that much memory.
        self._turns = asyncio.Semaphore(len(os.sched_getaffinity(0)))

    async def read(self, path: Path, media_type: MediaType) -> list[Page]:
        """The text of a document, which is not empty. Raises `PermanentError` that says what is wrong with it."""
        if media_type in _PLAIN:
            async with aiofiles.open(path, "rb") as file:
                pages = [Page(None, decode(await file.read()))]
        else:
            async with self._turns:
                pages = await self._extract(path, media_type)
        pages = [Page(page.number, text) for page in pages if (text := _clean(page.text))]
        if not pages:
            raise PermanentError(
                "there is no text in the document; a scan needs text recognition before it is uploaded"
            )
        if (count := sum(len(page.text) for page in pages)) > self._max_characters:
            limit = self._max_characters
            raise PermanentError(f"the document has {count} characters; DOCUMENT_MAX_CHARACTERS allows {limit}")
        return pages

    async def _extract(self, path: Path, media_type: MediaType) -> list[Page]:
        limits = (self._max_memory, math.ceil(self._timeout), self._max_unpacked)
        # No secrets in its environment: it reads what a stranger has written.
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "worker.document.extract", str(path), str(media_type), *map(str, limits)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={name: os.environ[name] for name in _INHERITED if name in os.environ},
            cwd=Path(__file__).parents[2],
        )
        try:
            async with asyncio.timeout(self._timeout):
                output = await self._collect(process)
        except TimeoutError:
            raise self._too_slow() from None
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        return self._pages(output, process.returncode)

    async def _collect(self, process: asyncio.subprocess.Process) -> bytes:
        """What it prints, no more than the largest document may give."""
        assert process.stdout is not None
        pieces, size = [], 0
        while piece := await process.stdout.read(1024 * 1024):
            pieces.append(piece)
            if (size := size + len(piece)) > self._max_characters * _BYTES_OF_A_CHARACTER:
                limit = self._max_characters
                raise PermanentError(f"the document has more text than DOCUMENT_MAX_CHARACTERS allows, {limit}")
        await process.wait()
        return b"".join(pieces)

    def _pages(self, output: bytes, code: int | None) -> list[Page]:
        try:
            answer = json.loads(output)
        except ValueError:
            if code == -_SIGXCPU:
                raise self._too_slow() from None
            raise TransientError(f"the process that reads the document ended with code {code}") from None
        if "error" in answer:
            raise PermanentError(answer["error"])
        return [Page(page["number"], page["text"]) for page in answer["pages"]]

    def _too_slow(self) -> PermanentError:
        return PermanentError(f"reading the document takes longer than DOCUMENT_READ_TIMEOUT, {self._timeout:g} s")


_SIGXCPU = 24


def decode(content: bytes) -> str:
    """Text in UTF-8, in UTF-16 with its mark, or in the older encoding of Korean; anything else as well as it goes."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content.decode(encoding, "replace")
    for encoding in _GUESSES:
        with suppress(UnicodeDecodeError):
            return content.decode(encoding)
    return content.decode("latin-1")


def _clean(text: str) -> str:
    """What PostgreSQL and UTF-8 take; Hangul as syllables, which some programs write as single letters."""
    whole = text.encode("utf-8", "replace").decode().replace("\0", "")
    return unicodedata.normalize("NFC", whole).strip()
