"""Hints: entries in arq's queues that say "look at this row". Losing, doubling or delaying one is harmless.

arq's layout is kept (a sorted set of ids per queue, scores in Unix milliseconds, a JSON body per id), so that arq's
own tools can look at it. Bodies are JSON and carry a job id and a dispatch number, nothing else.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from arq.connections import ArqRedis
from pydantic_core import to_json
from redis.asyncio.client import Pipeline

from common.redis import RedisKeys

_BODY_TTL = timedelta(days=1)

# KEYS: quarantine, then the queues in order. ARGV: how many, redelivery in ms.
# Takes what is due and moves it into the future: it comes back by itself when nobody settles it.
_TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local left, taken = tonumber(ARGV[1]), {}
for i = 2, #KEYS do
  if left <= 0 then break end
  if redis.call('TYPE', KEYS[i]).ok ~= 'zset' then
    if redis.call('EXISTS', KEYS[i]) == 1 then redis.call('RENAME', KEYS[i], KEYS[1] .. ':' .. now .. ':' .. i) end
  else
    for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[i], '-inf', now, 'LIMIT', 0, left)) do
      if #id == 36 and string.match(id, '^[%x-]+$') then
        redis.call('ZADD', KEYS[i], now + ARGV[2], id)
        taken[#taken + 1] = i - 2
        taken[#taken + 1] = id
        left = left - 1
      else
        redis.call('ZREM', KEYS[i], id)
        redis.call('LPUSH', KEYS[1], id)
        redis.call('LTRIM', KEYS[1], 0, 999)
      end
    end
  end
end
return taken
"""


@dataclass(frozen=True, slots=True)
class Hint:
    """One dispatch of one job; due at `at`, which also orders it within its queue."""

    job_id: UUID
    kind: str
    queue: str
    at: datetime
    dispatch_no: int = 1

    @property
    def score(self) -> int:
        return int(self.at.timestamp() * 1000)

    def body(self) -> bytes:
        """arq's job definition: function, arguments, enqueue time."""
        args = [str(self.job_id), self.dispatch_no]
        return to_json({"t": None, "f": self.kind, "a": args, "k": {}, "et": self.score})


@dataclass(frozen=True, slots=True)
class TakenHint:
    """A hint that a worker took and has to settle."""

    job_id: UUID
    queue: str


class HintQueue:
    """The Redis side of dispatch. Every method may raise `redis.RedisError`; callers go on without it."""

    def __init__(self, redis: ArqRedis, keys: RedisKeys) -> None:
        self._redis = redis
        self._keys = keys
        self._take = redis.register_script(_TAKE)

    async def enqueue(self, hints: Sequence[Hint]) -> None:
        """Write hints and wake the workers of their queues, in one round trip."""
        pipe = self._redis.pipeline(transaction=False)
        self.add_to(pipe, hints)
        await pipe.execute()

    def add_to(self, pipe: Pipeline, hints: Iterable[Hint]) -> None:
        """Append the commands of `enqueue` to a pipeline."""
        scores: dict[str, dict[str, int]] = defaultdict(dict)
        for hint in hints:
            job_id = str(hint.job_id)
            scores[hint.queue][job_id] = hint.score
            pipe.set(self._keys.hint(job_id), hint.body(), px=_BODY_TTL)
        for queue, entries in scores.items():
            pipe.zadd(self._keys.queue(queue), entries)
            pipe.publish(self._keys.wake_channel(queue), b"1")

    async def take(self, queues: Sequence[str], limit: int, *, redelivery: timedelta) -> list[TakenHint]:
        """Up to `limit` due hints, queues in the given order; unsettled ones come back after `redelivery`.

        Entries that are not job ids are moved to the quarantine list.
        """
        keys = [self._keys.quarantine, *(self._keys.queue(name) for name in queues)]
        args = [limit, int(redelivery.total_seconds() * 1000)]
        flat = await self._take(keys=keys, args=args)
        pairs = zip(flat[::2], flat[1::2], strict=True)
        hints, malformed = [], []
        for index, raw in pairs:
            try:
                hints.append(TakenHint(UUID(raw.decode()), queues[index]))
            except ValueError:
                malformed.append((queues[index], raw))
        for queue, raw in malformed:
            pipe = self._redis.pipeline(transaction=False)
            pipe.zrem(self._keys.queue(queue), raw)
            pipe.lpush(self._keys.quarantine, raw)
            await pipe.execute()
        return hints

    async def settle(self, hints: Sequence[TakenHint]) -> None:
        """Remove hints whose rows were looked at."""
        if not hints:
            return
        by_queue: dict[str, list[str]] = defaultdict(list)
        for hint in hints:
            by_queue[hint.queue].append(str(hint.job_id))
        pipe = self._redis.pipeline(transaction=False)
        for queue, ids in by_queue.items():
            pipe.zrem(self._keys.queue(queue), *ids)
            pipe.unlink(*(self._keys.hint(job_id) for job_id in ids))
        await pipe.execute()
