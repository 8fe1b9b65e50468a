"""Events: what happened to a job, numbered, kept for replay and published to the api processes.

Each job has one Redis Stream. An entry's id is `<seq>-0`, so replaying after a number is one range read. Epoch and
attempt travel with every entry: an append by an outdated attempt is refused, and a stream that was lost starts again
under a new epoch, which tells clients that numbers before it are gone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from secrets import token_hex
from typing import Any
from uuid import UUID

from arq.connections import ArqRedis
from pydantic import BaseModel, ConfigDict, TypeAdapter
from pydantic_core import to_json

from common.config import CommonSettings
from common.event_type import EventType as EventType
from common.event_type import is_terminal as is_terminal
from common.metrics.job_metrics import JobMetrics
from common.redis import RedisKeys, Script, ScriptCall, run_scripts

_IDLE_STREAM_SECONDS = 7 * 24 * 3600


def _mark(event: "NewEvent") -> int:
    """What an event does to its log; the script below reads these numbers."""
    if event.type == EventType.QUEUED:
        return 2
    return 3 if event.ends_attempt else int(is_terminal(event.type))


@lru_cache(maxsize=10_000)
def _id(value: UUID) -> str:
    """An id as text; a job that streams has many events."""
    return str(value)


def job_room(job_id: UUID | str) -> str:
    return f"job:{job_id}"


def user_room(user_id: UUID | str) -> str:
    return f"user:{user_id}"


class Event(BaseModel):
    """One numbered fact about a job, as every door delivers it."""

    model_config = ConfigDict(frozen=True)

    job_id: UUID
    owner_id: UUID
    epoch: str
    seq: int
    type: str
    ts: datetime
    attempt: int
    data: dict[str, Any]

    def public(self) -> dict[str, Any]:
        """The JSON object that clients get."""
        return self.model_dump(mode="json", exclude={"owner_id"})


_EVENTS = TypeAdapter(list[Event])


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event before the log numbered it.

    `attempt` is the fence of the writer; `ends_attempt` closes the log to everything else of this attempt but
    the end of the job itself (cancelled or expired while it waits).
    """

    job_id: UUID
    owner_id: UUID
    type: str
    attempt: int
    data: Mapping[str, Any] = field(default_factory=dict)
    ends_attempt: bool = False
    ts: datetime = field(default_factory=lambda: datetime.now(UTC))

    def halves(self) -> tuple[bytes, bytes]:
        """The event's JSON cut where the log inserts epoch and number."""
        head = b'{"job_id":"%b","owner_id":"%b","epoch":"' % (_id(self.job_id).encode(), _id(self.owner_id).encode())
        tail = b',"type":"%b","ts":%b,"attempt":%d,"data":%b}' % (
            self.type.replace("\x1f", "").encode(),
            to_json(self.ts),
            self.attempt,
            to_json(self.data, inf_nan_mode="null"),
        )
        return head, tail


@dataclass(frozen=True, slots=True)
class EventPage:
    """Events after a number. `recovered` is false when the gap cannot be filled; a snapshot must replace it."""

    events: tuple[Event, ...]
    epoch: str | None
    seq: int
    recovered: bool


# KEYS: channel. ARGV: new epoch, max length, ttl, idle ttl, and the events as one text, each of its fields ended by a
# separator that JSON never holds: stream, its owner's stream or nothing, attempt, mark (1: the job ended; 2: an ended
# job is queued again; 3: the attempt ended, the job goes on), head, tail. ARGV 6 says that an earlier try may have
# succeeded unheard: what is there already keeps its number; 7 are the most bytes, 8 the most events of an owner's
# stream, which is there while somebody listens. Each entry holds the bytes of all until it, so that the place to cut at
# is found by halving. Returns the number given to each event, 0 where it was refused.
_APPEND = Script("""
local numbers, batch, tails, i = {}, {}, {}, 0
local function earlier(stream, tail)
  if ARGV[6] ~= '1' then return nil end
  for _, entry in ipairs(redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 100)) do
    if string.sub(entry[2][8], -#tail) == tail then return tonumber(string.match(entry[1], '^(%d+)')) end
  end
end
local function cut(stream, seq, bytes)
  local most, first = tonumber(ARGV[7]), redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
  local low, high = tonumber(string.match(first[1], '^(%d+)')), seq - 1
  if bytes - tonumber(first[2][10] or 0) <= most then return end
  while low < high do
    local middle = math.floor((low + high) / 2)
    local entry = redis.call('XRANGE', stream, middle .. '-0', '+', 'COUNT', 1)[1]
    if bytes - tonumber(entry[2][10] or 0) > most then low = middle + 1 else high = middle end
  end
  redis.call('XTRIM', stream, 'MINID', (low + 1) .. '-0')
end
for stream, user, attempt, mark, head, tail in string.gmatch(ARGV[5], string.rep('([^\\31]*)\\31', 6)) do
  i, attempt, mark = i + 1, tonumber(attempt), tonumber(mark)
  local seq, epoch, bytes, open, foreign = 0, ARGV[1], 0, true, false
  local last = tails[stream]
  if not last then
    local found = redis.pcall('XREVRANGE', stream, '+', '-', 'COUNT', 1)
    foreign = found.err ~= nil  -- a key of another type must not stop the script half way
    local entry = found[1]
    last = entry and {tonumber(string.match(entry[1], '^(%d+)')), entry[2][2], tonumber(entry[2][4]), entry[2][6],
                      tonumber(entry[2][10] or 0)}
  end
  if last then
    local before, state = last[3], last[4]
    seq, epoch, bytes = last[1], last[2], last[5]
    open = attempt > before or (attempt == before and
           (mark == 2 or (state ~= '1' and (state ~= '3' or mark == 1))))
  end
  local known = not foreign and earlier(stream, tail)
  if known then
    numbers[i] = known
  elseif open and not foreign then
    seq = seq + 1
    local json = head .. epoch .. '","seq":' .. seq .. tail
    local step, before = ARGV[7] / 16, bytes
    bytes = bytes + #json
    redis.call('XADD', stream, 'MAXLEN', '~', ARGV[2], seq .. '-0', 'e', epoch, 'a', attempt, 't', mark, 'j', json,
               'b', bytes)
    if seq > 1 and math.floor(bytes / step) > math.floor(before / step) then cut(stream, seq, bytes) end
    if user ~= '' then redis.pcall('XADD', user, 'NOMKSTREAM', 'MAXLEN', '~', ARGV[8], '*', 'j', json) end
    tails[stream] = {seq, epoch, attempt, tostring(mark), bytes}
    if seq == 1 or mark == 1 or mark == 2 then redis.call('EXPIRE', stream, mark == 1 and ARGV[3] or ARGV[4]) end
    batch[#batch + 1] = json
    numbers[i] = seq
  else
    numbers[i] = 0
  end
end
if #batch > 0 then redis.call('PUBLISH', KEYS[1], '[' .. table.concat(batch, ',') .. ']') end
return numbers
""")


class EventLog:
    """Appends to and reads from the per-job streams."""

    def __init__(self, redis: ArqRedis, keys: RedisKeys, settings: CommonSettings, metrics: JobMetrics) -> None:
        self._redis = redis
        self._keys = keys
        self._metrics = metrics
        self._limits = (
            str(settings.event_log_max_events),
            str(int(settings.event_log_retention.total_seconds())),
            str(_IDLE_STREAM_SECONDS),
        )
        self._more_limits = (str(settings.event_log_max_bytes), str(settings.user_log_max_events))

    async def append(self, events: Sequence[NewEvent], *, is_retry: bool = False) -> list[int]:
        """Number, keep and publish `events` in one step; 0 marks an event whose attempt is outdated or ended.

        Raises `redis.RedisError` when Redis is away: callers decide what that means (the row is the truth).
        """
        if not events:
            return []
        [numbers] = await run_scripts(self._redis, self.appending(events, is_retry=is_retry))
        return self.appended(numbers)

    def appended(self, numbers: Sequence[int]) -> list[int]:
        """The answer to `appending`, counted."""
        self._metrics.events_published.add(amount=len(numbers) - numbers.count(0))
        return list(numbers)

    def appending(self, events: Sequence[NewEvent], *, is_retry: bool = False) -> ScriptCall:
        """The call behind `append`, for a caller that sends more in the same round trip."""
        text = b"".join(self._row(event) for event in events)
        arguments: list[str | bytes | int | float] = [
            token_hex(4),
            *self._limits,
            text,
            int(is_retry),
            *self._more_limits,
        ]
        return ScriptCall(_APPEND, [self._keys.event_channel], arguments)

    def _row(self, event: NewEvent) -> bytes:
        head, tail = event.halves()
        stream = self._keys.events(_id(event.job_id)).encode()
        user = self._keys.user_events(_id(event.owner_id)).encode() if event.type.startswith("job.") else b""
        return b"%b\x1f%b\x1f%d\x1f%d\x1f%b\x1f%b\x1f" % (stream, user, event.attempt, _mark(event), head, tail)

    async def read(
        self, job_id: UUID, *, after_seq: int = 0, epoch: str | None = None, limit: int | None = None
    ) -> EventPage:
        """The events of `job_id` after a number, at most `limit`; the page's `seq` is the log's newest number.

        `epoch` is the one the client saw last; when it differs, or older events were trimmed away, the page holds
        what is left and says `recovered=False`.
        """
        key = self._keys.events(job_id)
        pipe = self._redis.pipeline(transaction=True)
        pipe.xrevrange(key, count=1)
        pipe.xrange(key, min=f"({max(after_seq, 0)}-0", count=limit)
        last, rows = await pipe.execute()
        if not last:
            return EventPage((), None, 0, recovered=after_seq == 0)
        current, seq = last[0][1][b"e"].decode(), int(last[0][0].partition(b"-")[0])
        if epoch is not None and epoch != current:
            return EventPage((), current, seq, recovered=False)
        events = tuple(parse_event(fields[b"j"]) for _, fields in rows)
        whole = events[0].seq == after_seq + 1 if events else after_seq == seq
        return EventPage(events, current, seq, recovered=whole)


def parse_event(raw: bytes | str) -> Event:
    """One event from the log or the channel. Raises `ValueError` when it is not one."""
    return Event.model_validate_json(raw)


def parse_batch(raw: bytes | str) -> list[Event]:
    """A published batch. Raises `ValueError` when it is not one."""
    return _EVENTS.validate_json(raw)
