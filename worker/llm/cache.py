"""Equal questions, equal answers: whole answers of models in Redis, for as long as the setting says."""

from typing import Any
from uuid import UUID

from arq.connections import ArqRedis
from loguru import logger
from pydantic_core import from_json, to_json
from redis import RedisError

from common.ports import ChatRequest
from common.redis import RedisKeys
from worker.config import WorkerSettings

_AWAY = (RedisError, OSError, TimeoutError)


class AnswerCache:
    """Answers of a tenant are for that tenant alone. Without Redis there are none."""

    def __init__(self, settings: WorkerSettings, redis: ArqRedis, keys: RedisKeys) -> None:
        self._lifetime = settings.llm_cache_lifetime
        self._redis = redis
        self._keys = keys

    def serves(self, request: ChatRequest) -> bool:
        """Whether an equal earlier answer will do: by the request's own word, else with temperature 0."""
        wanted = request.temperature == 0 if request.may_cache is None else request.may_cache
        return bool(self._lifetime) and wanted

    async def find(self, tenant_id: UUID, model: str, input_hash: str) -> Any:
        """The stored answer, or None."""
        try:
            found = await self._redis.get(self._keys.llm_answer(tenant_id, model, input_hash))
        except _AWAY as error:
            logger.debug("No cached answers without Redis: error={}", type(error).__name__)
            return None
        return None if found is None else from_json(found)

    async def keep(self, tenant_id: UUID, model: str, input_hash: str, answer: Any) -> None:
        """Keep an answer for the setting's time."""
        try:
            await self._redis.set(
                self._keys.llm_answer(tenant_id, model, input_hash), to_json(answer), px=self._lifetime
            )
        except _AWAY as error:
            logger.debug("An answer was not cached: error={}", type(error).__name__)
