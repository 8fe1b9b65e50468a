"""Files in a folder of this host, for installations on one host."""

import asyncio
import os
import secrets
from collections.abc import AsyncGenerator, AsyncIterable
from datetime import UTC, datetime
from pathlib import Path

import aiofiles
import aiofiles.os

from common.ids import new_id
from common.storage.base import FileKey, StoredFile

_PIECE = 256 * 1024
_UNFINISHED = ".part"


class LocalStorage:
    """Implements `FileStorage` below `root`, which is made at the first write."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def write(self, key: FileKey, pieces: AsyncIterable[bytes]) -> None:
        """See `FileStorage.write`."""
        path = self._root / key.path
        await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True, mode=0o700)
        unfinished = path.with_name(f"{path.name}.{secrets.token_hex(4)}{_UNFINISHED}")
        try:
            async with aiofiles.open(unfinished, "xb", opener=_private) as file:
                async for piece in pieces:
                    await file.write(piece)
                await file.flush()
                await asyncio.to_thread(os.fsync, file.fileno())
            await aiofiles.os.replace(unfinished, path)
        except BaseException:
            # Not awaited: a cancelled request gets no further await.
            unfinished.unlink(missing_ok=True)
            raise
        await asyncio.to_thread(_sync_folder, path.parent)

    async def read(self, key: FileKey) -> AsyncGenerator[bytes, None]:
        """See `FileStorage.read`."""
        async with aiofiles.open(self._root / key.path, "rb") as file:
            while piece := await file.read(_PIECE):
                yield piece

    async def delete(self, key: FileKey) -> None:
        """See `FileStorage.delete`."""
        await asyncio.to_thread((self._root / key.path).unlink, missing_ok=True)

    async def list(self) -> AsyncGenerator[StoredFile, None]:
        """See `FileStorage.list`. Files whose writing was broken off are not listed; old ones are removed."""
        for path in await asyncio.to_thread(lambda: sorted(self._root.glob("*/*/*"))):
            key = FileKey.parse(path.relative_to(self._root).as_posix())
            if key is None:
                continue
            try:
                status = await aiofiles.os.stat(path)
            except FileNotFoundError:
                continue
            yield StoredFile(key, datetime.fromtimestamp(status.st_mtime, UTC))

    async def check(self) -> str:
        """See `FileStorage.check`."""
        key = FileKey(new_id(), new_id(), new_id())
        await self.write(key, _one(b"letuin"))
        try:
            found = b"".join([piece async for piece in self.read(key)])
        finally:
            await self.delete(key)
            await asyncio.to_thread(_remove_empty, (self._root / key.path).parent)
        if found != b"letuin":
            raise OSError(f"{self._root} gives back something else than was written")
        return str(self._root)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _sync_folder(folder: Path) -> None:
    """Make the name durable, not only the content."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_empty(folder: Path) -> None:
    folder.rmdir()
    folder.parent.rmdir()


async def _one(piece: bytes) -> AsyncGenerator[bytes, None]:
    yield piece
