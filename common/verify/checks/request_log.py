"""MongoDB: the indexes of the request log, without which reading is slow and nothing ever expires."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from pydantic import TypeAdapter

from common.config import Duration
from common.database.model.log import RequestLog
from common.database.mongo import Mongo
from common.repository.log import RequestLogRepository
from common.verify.check import Problem, Stores

_EXPIRY = "ts_expiry"
_RETENTION: TypeAdapter[timedelta] = TypeAdapter(Duration)


@dataclass(frozen=True, slots=True)
class RequestLogCheck:
    """Indexes are made when the api starts; somebody may have dropped them since."""

    name: str = "request-log-indexes"
    store: str = "MongoDB"
    promise: str = "the request log has its indexes, and expires after REQUEST_LOG_RETENTION"

    def is_for(self, stores: Stores) -> bool:
        """MongoDB is optional."""
        return stores.settings.mongodb_url is not None

    async def find(self, stores: Stores) -> list[Problem]:
        """Indexes that are missing, and an expiry after another time."""
        async with _opened(stores) as mongo:
            indexes = await mongo.list_indexes(RequestLog)
        names = [index.document["name"] for index in RequestLog.Settings.indexes]
        found = [Problem(name, f"the index {name} is missing") for name in names if name not in indexes]
        seconds, wanted = indexes.get(_EXPIRY, {}).get("expireAfterSeconds"), _retention(stores).total_seconds()
        if seconds != wanted:
            found.append(Problem(_EXPIRY, f"entries expire after {seconds} s instead of {wanted:.0f} s"))
        return found

    async def mend(self, stores: Stores, _problems: Sequence[Problem]) -> None:
        """Make them."""
        async with _opened(stores) as mongo:
            await RequestLogRepository(mongo, retention=_retention(stores)).prepare()


@asynccontextmanager
async def _opened(stores: Stores) -> AsyncIterator[Mongo]:
    assert stores.settings.mongodb_url is not None
    mongo = Mongo(stores.settings.mongodb_url.get_secret_value())
    try:
        yield mongo
    finally:
        await mongo.close()


def _retention(stores: Stores) -> timedelta:
    return _RETENTION.validate_python(stores.environ.get("REQUEST_LOG_RETENTION") or timedelta(days=30))


CHECKS = [RequestLogCheck()]
