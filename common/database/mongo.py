"""MongoDB: the client, and what its errors mean. The only file that knows motor."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from threading import Thread
from typing import Any

from beanie import Document, init_beanie
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorCollection
from pymongo.errors import BulkWriteError, ConfigurationError, OperationFailure, PyMongoError

from common.errors import InvalidError, UnavailableError

_DATABASE = "letuin"
_CONNECT_MILLISECONDS = 2000
_ANSWER_MILLISECONDS = 5000
_CLOSE_SECONDS = 1.0
_DUPLICATE_KEY = 11000
_INDEX_DIFFERS = (85, 86)

type Collection = "AsyncIOMotorCollection[dict[str, Any]]"


class Mongo:
    """One client for one database: the URL's, or `letuin` when the URL names none."""

    def __init__(self, url: str) -> None:
        """Connects at first use. Raises `InvalidError` when `url` is malformed, without repeating it."""
        try:
            self._client: AsyncIOMotorClient[dict[str, Any]] = AsyncIOMotorClient(
                url,
                appname="letuin",
                tz_aware=True,
                uuidRepresentation="standard",
                maxPoolSize=10,
                retryWrites=False,  # the writer tries again itself, and has to know when it must
                serverSelectionTimeoutMS=_CONNECT_MILLISECONDS,
                connectTimeoutMS=_CONNECT_MILLISECONDS,
                socketTimeoutMS=_ANSWER_MILLISECONDS,
            )
            self._database = self._client.get_default_database(_DATABASE)
        except (ConfigurationError, ValueError):
            # The driver's words may hold a part of the password.
            raise InvalidError("MONGODB_URL: must read mongodb://user:password@host:27017/database") from None

    def collection(self, model: type[Document]) -> Collection:
        """The model's collection, for writes that need no model."""
        return self._database[str(model.Settings.name)]

    async def prepare(self, *models: type[Document]) -> None:
        """Tie the models to this database and make their indexes. Raises `UnavailableError`."""
        with translated():
            await init_beanie(database=self._database, document_models=list(models))

    async def ensure_expiry(self, model: type[Document], field: str, after: timedelta) -> None:
        """Have the server delete documents when `field` is that long ago, also when it was another time before."""
        name, seconds = f"{field}_expiry", int(after.total_seconds())
        with translated():
            try:
                await self.collection(model).create_index([(field, 1)], name=name, expireAfterSeconds=seconds)
            except OperationFailure as error:
                if error.code not in _INDEX_DIFFERS:
                    raise
                index = {"name": name, "expireAfterSeconds": seconds}
                await self._database.command("collMod", self.collection(model).name, index=index)

    async def list_indexes(self, model: type[Document]) -> Mapping[str, Mapping[str, Any]]:
        """The indexes that are there, by name, each with its options. Raises `UnavailableError`."""
        with translated():
            found: Mapping[str, Mapping[str, Any]] = await self.collection(model).index_information()
        return found

    async def insert_many(self, model: type[Document], documents: list[dict[str, Any]]) -> int:
        """Insert what is not there yet and return how many documents the server refused. Raises `UnavailableError`."""
        with translated():
            try:
                await self.collection(model).insert_many(documents, ordered=False)
            except BulkWriteError as error:
                refusals = (error.details or {}).get("writeErrors", [])
                return sum(refusal["code"] != _DUPLICATE_KEY for refusal in refusals)
        return 0

    async def ping(self) -> None:
        """Returns when the server answers. Raises `UnavailableError`."""
        with translated():
            await self._client.admin.command("ping")

    async def close(self) -> None:
        """Close every connection; a server that does not say goodbye is left after a second."""
        # The driver says goodbye in the caller's thread and waits; a thread of a pool would hold up the exit too.
        closing = Thread(target=self._client.close, name="mongo close", daemon=True)
        closing.start()
        await asyncio.to_thread(closing.join, _CLOSE_SECONDS)


@contextmanager
def translated() -> Iterator[None]:
    """Whatever the driver raises, away, overloaded or refusing to let us in, means that the log cannot be used now."""
    try:
        yield
    except PyMongoError as error:
        raise UnavailableError("The request log does not answer; try again soon.") from error
