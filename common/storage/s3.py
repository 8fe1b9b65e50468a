"""Files in an S3-compatible store, for installations on several hosts. Needs the extra `s3`."""

from collections.abc import AsyncGenerator, AsyncIterable
from typing import TYPE_CHECKING, cast

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import S3Store
from pydantic import SecretStr

from common.config import CommonSettings
from common.ids import new_id
from common.storage.base import FileKey, StoredFile
from common.storage.place import StoragePlace

if TYPE_CHECKING:
    from obstore.store import ClientConfig, S3Config

_PIECE = 1024 * 1024
_PART = 5 * 1024 * 1024
_PARTS_AT_ONCE = 2
_TIMEOUT = "30s"


class S3Storage:
    """Implements `FileStorage` in one bucket, below the prefix that STORAGE_URL names."""

    def __init__(self, place: StoragePlace, settings: CommonSettings) -> None:
        self._place = place
        self._prefix = f"{place.prefix}/" if place.prefix else ""
        # What is left out, obstore reads as the AWS tools do: variables of the environment, or the machine's role.
        given = {
            "region": settings.s3_region,
            "endpoint": settings.s3_endpoint_url,
            "access_key_id": _secret(settings.s3_access_key_id),
            "secret_access_key": _secret(settings.s3_secret_access_key),
        }
        config = cast("S3Config", {name: value for name, value in given.items() if value})
        is_plain = (settings.s3_endpoint_url or "").startswith("http://")
        options: ClientConfig = {"allow_http": is_plain, "timeout": _TIMEOUT}
        self._store = S3Store(place.bucket, config=config, client_options=options)

    async def write(self, key: FileKey, pieces: AsyncIterable[bytes]) -> None:
        """See `FileStorage.write`."""
        try:
            await obstore.put_async(
                self._store, self._path(key), pieces, chunk_size=_PART, max_concurrency=_PARTS_AT_ONCE
            )
        except (BaseError, FileNotFoundError) as error:  # the latter: there is no such bucket
            raise self._fault(error) from None

    async def read(self, key: FileKey) -> AsyncGenerator[bytes, None]:
        """See `FileStorage.read`."""
        try:
            found = await obstore.get_async(self._store, self._path(key))
            async for piece in found.stream(min_chunk_size=_PIECE):
                yield bytes(piece)
        except (NotFoundError, FileNotFoundError) as error:
            raise FileNotFoundError(key.path) from error
        except BaseError as error:
            raise self._fault(error) from None

    async def delete(self, key: FileKey) -> None:
        """See `FileStorage.delete`."""
        try:
            await obstore.delete_async(self._store, self._path(key))
        except (NotFoundError, FileNotFoundError):
            return
        except BaseError as error:
            raise self._fault(error) from None

    async def list(self) -> AsyncGenerator[StoredFile, None]:
        """See `FileStorage.list`."""
        try:
            async for page in obstore.list(self._store, self._place.prefix or None):
                for found in page:
                    key = FileKey.parse(found["path"].removeprefix(self._prefix))
                    if key is not None:
                        yield StoredFile(key, found["last_modified"])
        except (BaseError, FileNotFoundError) as error:
            raise self._fault(error) from None

    async def check(self) -> str:
        """See `FileStorage.check`."""
        key = FileKey(new_id(), new_id(), new_id())
        await self.write(key, _one(b"letuin"))
        try:
            found = b"".join([piece async for piece in self.read(key)])
        finally:
            await self.delete(key)
        if found != b"letuin":
            raise OSError(f"{self._place} gives back something else than was written")
        return str(self._place)

    def _path(self, key: FileKey) -> str:
        return f"{self._prefix}{key.path}"

    def _fault(self, error: Exception) -> OSError:
        """The error without the request in it, which may hold more than a log should."""
        return OSError(f"{self._place} does not work: {type(error).__name__}")


async def _one(piece: bytes) -> AsyncGenerator[bytes, None]:
    yield piece


def _secret(value: SecretStr | None) -> str | None:
    return value.get_secret_value() if value else None
