"""Hints: entries in arq's queues that say "look at this row". Losing, doubling or delaying one is harmless.

arq's layout is kept (a sorted set of ids per queue, a JSON body per id), so that arq's own tools can look at it.
What waits in a queue is due; scores say in which order. Bodies carry a job id and a dispatch number, nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import time_ns
from uuid import UUID

from arq.connections import ArqRedis
from pydantic_core import to_json

from common.redis import RedisKeys, Script, ScriptCall, run_scripts

_BODY_TTL = timedelta(days=1)
_PLACES_PER_PRIORITY = 10

# A queue is served by start tags (start-time fair queueing, Goyal, Vin and Cheng 1996): each owner's hints are
# numbered on from that owner's last one or from what is served now, so a long backlog delays nobody else.
# Told of new hints are only so many workers with nothing to take, and one more, should one of them be stuck: all of
# them would look for each lone job. When nobody is known to be idle and nothing waited, whoever listens is told.
# KEYS, per queue: queue, later, lanes, clock, idle. ARGV: body ttl in ms, wake channels, and the hints as one JSON list
# of [queue index, id, body key, body, owner, places ahead, due in ms (0: now)]. Returns which were not waiting already.
_ENQUEUE = Script("""
local fresh, added = {}, {}
for i, hint in ipairs(cjson.decode(ARGV[#ARGV])) do
  local index, id, body_key, body, owner, ahead, due = unpack(hint)
  local queue, later, lanes, clock = unpack(KEYS, index * 5 + 1, index * 5 + 4)
  redis.call('SET', body_key, body, 'PX', ARGV[1])
  added[i] = 1
  if due > 0 then
    redis.call('ZADD', later, due, id)
  elseif not redis.call('ZSCORE', queue, id) then
    local served = tonumber(redis.call('GET', clock) or 0)
    local tag = math.max(served, tonumber(redis.call('HGET', lanes, owner) or 0))
    redis.call('HSET', lanes, owner, tag + 1)
    redis.call('ZADD', queue, tag - ahead, id)
    redis.call('ZREM', later, id)
    fresh[index] = (fresh[index] or 0) + 1
  else
    added[i] = 0
  end
end
for index, count in pairs(fresh) do
  local woken = 0
  while woken <= count do
    local found = redis.pcall('ZPOPMAX', KEYS[index * 5 + 5])
    if not found[1] then break end
    if redis.call('PUBLISH', found[1], '1') > 0 then woken = woken + 1 end
  end
  if woken == 0 and redis.call('ZCARD', KEYS[index * 5 + 1]) <= count then
    redis.call('PUBLISH', ARGV[index + 2], '1')
  end
end
return added
""")

# KEYS: later of each queue. ARGV: how keys of bodies begin, and for each queue the settled ids, run together.
_SETTLE = Script("""
for q, later in ipairs(KEYS) do
  local ids, bodies = {}, {}
  for id in string.gmatch(ARGV[q + 1], string.rep('.', 36)) do
    ids[#ids + 1], bodies[#bodies + 1] = id, ARGV[1] .. id
    if #ids == 1000 then
      redis.call('ZREM', later, unpack(ids))
      redis.call('UNLINK', unpack(bodies))
      ids, bodies = {}, {}
    end
  end
  if #ids > 0 then
    redis.call('ZREM', later, unpack(ids))
    redis.call('UNLINK', unpack(bodies))
  end
end
""")

# KEYS: quarantine, then the five of each queue in the order of service. ARGV: how many, redelivery in ms, and where the
# taker listens. What is taken moves to `later` and comes back by itself when nobody settles it. Who gets less than
# asked for is idle; of these the latest thousand are known, as some are gone.
_TAKE = Script("""
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local left, taken = tonumber(ARGV[1]), {}
local function is_zset(key)
  local kind = redis.call('TYPE', key).ok
  if kind == 'none' or kind == 'zset' then return true end
  redis.call('RENAME', key, KEYS[1] .. ':' .. now .. ':' .. key)
end
for q = 1, #KEYS - 1, 5 do
  if left <= 0 then break end
  local queue, later, lanes, clock = KEYS[q + 1], KEYS[q + 2], KEYS[q + 3], KEYS[q + 4]
  if is_zset(queue) and is_zset(later) then
    local served = tonumber(redis.call('GET', clock) or 0)
    for _, id in ipairs(redis.call('ZRANGEBYSCORE', later, '-inf', now, 'LIMIT', 0, left)) do
      redis.call('ZREM', later, id)
      redis.call('ZADD', queue, 'NX', served, id)
    end
    local popped, put_off = redis.call('ZPOPMIN', queue, left), {}
    for i = 1, #popped, 2 do
      local id = popped[i]
      if #id == 36 and string.match(id, '^[%x-]+$') then
        put_off[#put_off + 1] = now + ARGV[2]
        put_off[#put_off + 1] = id
        taken[#taken + 1] = (q - 1) / 5
        taken[#taken + 1] = id
        left = left - 1
        served = math.max(served, tonumber(popped[i + 1]))
      else
        redis.call('LPUSH', KEYS[1], id)
        redis.call('LTRIM', KEYS[1], 0, 999)
      end
    end
    if #put_off > 0 then redis.call('ZADD', later, unpack(put_off)) end
    if #popped > 0 then
      if redis.call('EXISTS', queue) == 1 then redis.call('SET', clock, served)
      else redis.call('DEL', clock, lanes) end
    end
  end
end
for q = 6, ARGV[3] ~= '' and #KEYS or 0, 5 do
  if left <= 0 then redis.pcall('ZREM', KEYS[q], ARGV[3])
  elseif redis.pcall('ZADD', KEYS[q], now, ARGV[3]) == 1 then redis.call('ZREMRANGEBYRANK', KEYS[q], 0, -1001) end
end
return taken
""")


@dataclass(frozen=True, slots=True)
class Hint:
    """One dispatch of one job. `due` is a moment in the future, or None for now; priority moves it ahead."""

    job_id: UUID
    owner_id: UUID
    kind: str
    queue: str
    priority: int = 0
    due: datetime | None = None
    dispatch_no: int = 1

    def body(self) -> bytes:
        """arq's job definition: function, arguments, enqueue time in Unix milliseconds."""
        args = [str(self.job_id), self.dispatch_no]
        return to_json({"t": None, "f": self.kind, "a": args, "k": {}, "et": time_ns() // 1_000_000})


@dataclass(frozen=True, slots=True)
class TakenHint:
    """A hint that a worker took and has to settle."""

    job_id: UUID
    queue: str


@dataclass(frozen=True, slots=True)
class Look:
    """What one glance at Redis shows; without the epoch key it has lost its memory."""

    is_waiting: bool
    has_memory: bool


class HintQueue:
    """The Redis side of dispatch. Every method may raise `redis.RedisError`; callers go on without it."""

    def __init__(self, redis: ArqRedis, keys: RedisKeys) -> None:
        self._redis = redis
        self._keys = keys

    async def enqueue(self, hints: Sequence[Hint]) -> list[bool]:
        """Write hints and wake idle workers of their queues, as many as there are hints and one more: one round trip.

        A hint that waits already stays where it is, and its answer is False.
        """
        if not hints:
            return []
        [added] = await run_scripts(self._redis, self.enqueuing(hints))
        return [bool(flag) for flag in added]

    def enqueuing(self, hints: Sequence[Hint]) -> ScriptCall:
        """The call behind `enqueue`, for a caller that sends more in the same round trip."""
        queues = list(dict.fromkeys(hint.queue for hint in hints))
        keys = [key for name in queues for key in self._all_keys(name)]
        rows = [self._row(hint, queues.index(hint.queue)) for hint in hints]
        channels = [self._keys.wake_channel(name) for name in queues]
        return ScriptCall(_ENQUEUE, keys, [int(_BODY_TTL.total_seconds() * 1000), *channels, to_json(rows)])

    def _all_keys(self, queue: str) -> tuple[str, ...]:
        return (*self._keys.queue_keys(queue), self._keys.idle(queue))

    def _row(self, hint: Hint, queue_index: int) -> tuple[int | str | bytes, ...]:
        job_id = str(hint.job_id)
        due = int(hint.due.timestamp() * 1000) if hint.due else 0
        ahead = hint.priority * _PLACES_PER_PRIORITY
        return queue_index, job_id, self._keys.hint(job_id), hint.body(), str(hint.owner_id), ahead, due

    async def take(
        self,
        queues: Sequence[str],
        limit: int,
        *,
        redelivery: timedelta,
        settled: Sequence[TakenHint] = (),
        listens_at: str = "",
    ) -> list[TakenHint]:
        """Up to `limit` due hints, queues in the given order; unsettled ones come back after `redelivery`.

        `settled` are removed in the same round trip, because their rows were looked at. Entries that are not job
        ids are moved to the quarantine list. A caller that gets less than it asked for is told of new hints through
        the channel `listens_at`, until one of these messages or a full answer.
        """
        keys = [self._keys.quarantine, *(key for name in queues for key in self._all_keys(name))]
        call = ScriptCall(_TAKE, keys, [limit, int(redelivery.total_seconds() * 1000), listens_at])
        *_, flat = await run_scripts(self._redis, *([self._settling(settled)] if settled else []), call)
        hints, malformed = [], []
        for index, raw in zip(flat[::2], flat[1::2], strict=True):
            job_id = _read_id(raw)
            if job_id is None:
                malformed.append((queues[index], raw))
            else:
                hints.append(TakenHint(job_id, queues[index]))
        for queue, raw in malformed:
            pipe = self._redis.pipeline(transaction=False)
            pipe.zrem(self._keys.later(queue), raw)
            pipe.lpush(self._keys.quarantine, raw)
            await pipe.execute()
        return hints

    async def leave(self, queues: Sequence[str], listens_at: str) -> None:
        """Wake this one no more: it takes nothing now."""
        pipe = self._redis.pipeline(transaction=False)
        for name in queues:
            pipe.zrem(self._keys.idle(name), listens_at)
        await pipe.execute()

    async def look(self, queues: Sequence[str]) -> Look:
        """Whether hints wait in these queues, and whether Redis still has its memory: one command."""
        hints = [key for name in queues for key in (self._keys.queue(name), self._keys.later(name))]
        # EXISTS counts a key as often as it is named, so that one number answers both questions.
        weight = len(hints) + 1
        found = int(await self._redis.exists(*[self._keys.broker_epoch] * weight, *hints))
        return Look(is_waiting=found % weight > 0, has_memory=found >= weight)

    async def settle(self, hints: Sequence[TakenHint]) -> None:
        """Remove hints whose rows were looked at."""
        if hints:
            await run_scripts(self._redis, self._settling(hints))

    def _settling(self, hints: Sequence[TakenHint]) -> ScriptCall:
        ids: dict[str, list[str]] = {}
        for hint in hints:
            ids.setdefault(hint.queue, []).append(str(hint.job_id))
        keys = [self._keys.later(name) for name in ids]
        return ScriptCall(_SETTLE, keys, [self._keys.hint(""), *map("".join, ids.values())])


def _read_id(raw: bytes) -> UUID | None:
    """The job id, if `raw` is written as we write one: settling removes what it writes again."""
    try:
        job_id = UUID(raw.decode())
    except ValueError:
        return None
    return job_id if str(job_id).encode() == raw else None
