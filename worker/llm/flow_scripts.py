"""The Lua of `flow.py`: what decides over all workers at once whether a call may go out.

A scope (a model, or a tenant with a model) has four keys. `window` counts requests and tokens in 61 cells, each a
sixtieth of the window, so that no window of that length ever sees more than the limit. `slots` are the calls under way,
each with the end of its lease. `line` are those that were refused, in the order in which they go next. `tags` holds
when each of them comes back (`w:`), how often it was refused at the head of the line (`c:`), and the last place in the
order of each tenant (`t:`).

The line is served by start tags, as the queues are (`common/queue/hints.py`): a tenant with many waiting calls delays
nobody else. Who is refused gets the time at which its place in the line is due, so a thousand never come back at once.
Whoever comes when others are due lets them go first. Calls are served out of order, too: a newcomer's place counts from
the head of the line, not from the last that was served. A head that was refused thrice holds up all others: without
that a large call would wait for ever while small ones pass.
"""

from common.redis import Script

# KEYS: cooldown, then of each scope: window, slots, line, tags.
# ARGV: permit, waiter, tenant, tokens, window in ms, lease in ms, longest delay in ms, jitter from 0 to 1,
# then of each scope its limits of requests, tokens and calls under way (0: none).
# Returns {'granted', cell} or {reason, delay in ms}.
ACQUIRE = Script("""
local SPAN, LOOK, GRACE, FORGET, APART, PATIENT, UNKNOWN = 61, 32, 5000, 60000, 20, 3, 200
local permit, waiter, tenant = ARGV[1], ARGV[2], ARGV[3]
local need, width, lease = tonumber(ARGV[4]), tonumber(ARGV[5]) / 60, tonumber(ARGV[6])
local longest, jitter = tonumber(ARGV[7]), tonumber(ARGV[8])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local cell = math.floor(now / width)

local cooled = redis.call('PTTL', KEYS[1])
if cooled > 0 then
  local place = redis.call('HINCRBY', KEYS[1], 'waiting', 1)
  return {'cooldown', cooled + math.floor(math.min(place * APART, longest) + jitter * APART)}
end

local function roll(window)
  local at = tonumber(redis.call('HGET', window, 'at') or cell)
  if cell - at >= SPAN then
    local hold = redis.call('HGET', window, 'hold')
    redis.call('DEL', window)
    if hold then redis.call('HSET', window, 'hold', hold) end
  else
    for each = at + 1, cell do
      for _, metric in ipairs({'r', 't'}) do
        local old = redis.call('HGET', window, metric .. each % SPAN)
        if old then
          redis.call('HINCRBY', window, metric, -old)
          redis.call('HDEL', window, metric .. each % SPAN)
        end
      end
    end
  end
  redis.call('HSET', window, 'at', math.max(at, cell))
end

local function wait_for(cells, metric, limit, amount)
  local rounds = math.floor((amount - 1) / limit)
  local wait = rounds * SPAN * width
  local excess = (cells[metric] or 0) + amount - rounds * limit - limit
  if excess <= 0 then return wait end
  for each = cell - SPAN + 1, cell do
    excess = excess - (cells[metric .. each % SPAN] or 0)
    if excess <= 0 then return wait + (each + SPAN) * width - now end
  end
  return wait + SPAN * width
end

local function forget(scope, name)
  redis.call('ZREM', scope.line, name)
  redis.call('HDEL', scope.tags, 'w:' .. name, 'c:' .. name)
end

local function due_before(scope)
  local front = redis.call('ZRANGE', scope.line, 0, LOOK - 1, 'WITHSCORES')
  local count = 0
  for i = 1, #front, 2 do
    if front[i] ~= waiter and tonumber(front[i + 1]) < scope.tag then
      local known = redis.call('HMGET', scope.tags, 'w:' .. front[i], 'c:' .. front[i])
      local overdue = now - tonumber(known[1] or 0)
      if overdue > FORGET then
        forget(scope, front[i])
      elseif overdue <= GRACE then
        if tonumber(known[2] or 0) >= PATIENT then return math.huge end
        if overdue >= 0 then count = count + 1 end
      end
    end
  end
  return count
end

local function delay_of(scope)
  local flat, cells = redis.call('HGETALL', scope.window), {}
  local place = redis.call('ZCOUNT', scope.line, '-inf', '(' .. scope.tag)
  scope.place = place
  for i = 1, #flat, 2 do cells[flat[i]] = tonumber(flat[i + 1]) end
  local delay = 0
  if scope.requests > 0 then delay = wait_for(cells, 'r', scope.requests, place + 1) end
  if scope.tokens > 0 then
    delay = math.max(delay, wait_for(cells, 't', scope.tokens, (place + 1) * math.min(need, scope.tokens)))
  end
  if scope.concurrency > 0 and scope.free <= place then
    delay = math.max(delay, (cells.hold or UNKNOWN) * (place + 1) / scope.concurrency)
  end
  return delay
end

local scopes, refused, reason, delay = {}, {}, nil, 0
for i = 2, #KEYS, 4 do
  local at = 8 + (i - 2) / 4 * 3
  local scope = {window = KEYS[i], slots = KEYS[i + 1], line = KEYS[i + 2], tags = KEYS[i + 3],
    requests = tonumber(ARGV[at + 1]), tokens = tonumber(ARGV[at + 2]), concurrency = tonumber(ARGV[at + 3])}
  scopes[#scopes + 1] = scope
  roll(scope.window)
  local used = redis.call('HMGET', scope.window, 'r', 't')
  local room = math.huge
  if scope.requests > 0 then room = scope.requests - (used[1] or 0) end
  if scope.tokens > 0 then
    room = math.min(room, math.floor((scope.tokens - (used[2] or 0)) / math.min(need, scope.tokens)))
  end
  local short = 'rate'
  if scope.concurrency > 0 then
    redis.call('ZREMRANGEBYSCORE', scope.slots, '-inf', now)
    scope.free = scope.concurrency - redis.call('ZCARD', scope.slots)
    if scope.free < room then room, short = scope.free, 'concurrency' end
  end
  scope.tag = tonumber(redis.call('ZSCORE', scope.line, waiter) or nil)
  scope.is_new = not scope.tag
  scope.has_line = redis.call('EXISTS', scope.line) == 1
  if scope.is_new then
    local tags = redis.call('HMGET', scope.tags, 'served', 't:' .. tenant)
    local head = redis.call('ZRANGE', scope.line, 0, 0, 'WITHSCORES')
    local reached = math.min(tonumber(tags[1] or 0), tonumber(head[2] or 0))
    scope.tag = math.max(reached, tonumber(tags[2] or 0)) + (scope.tokens > 0 and need or 1)
  end
  if room < 1 or scope.has_line and room <= due_before(scope) then
    refused[#refused + 1] = scope
    local wait = delay_of(scope)
    if not reason or wait > delay then reason, delay = short, wait end
  end
end

if reason then
  delay = math.max(math.min(delay, longest), APART)
  delay = math.floor(delay + jitter * math.max(delay / 10, APART))
  for _, scope in ipairs(refused) do
    redis.call('ZADD', scope.line, scope.tag, waiter)
    redis.call('HSET', scope.tags, 'w:' .. waiter, now + delay)
    if scope.is_new then redis.call('HSET', scope.tags, 't:' .. tenant, scope.tag) end
    if scope.place == 0 then redis.call('HINCRBY', scope.tags, 'c:' .. waiter, 1) end
    redis.call('PEXPIRE', scope.line, 2 * longest + FORGET)
    redis.call('PEXPIRE', scope.tags, 2 * longest + FORGET)
  end
  return {reason, delay}
end

for _, scope in ipairs(scopes) do
  if scope.requests > 0 then
    redis.call('HINCRBY', scope.window, 'r', 1)
    redis.call('HINCRBY', scope.window, 'r' .. cell % SPAN, 1)
  end
  if scope.tokens > 0 then
    redis.call('HINCRBY', scope.window, 't', need)
    redis.call('HINCRBY', scope.window, 't' .. cell % SPAN, need)
  end
  redis.call('PEXPIRE', scope.window, math.floor(2 * SPAN * width) + FORGET)
  if scope.concurrency > 0 then
    redis.call('ZADD', scope.slots, now + lease, permit)
    redis.call('PEXPIRE', scope.slots, 2 * lease)
  end
  if scope.has_line then
    forget(scope, waiter)
    if redis.call('EXISTS', scope.line) == 0 then
      redis.call('DEL', scope.tags)
    else
      if scope.is_new then redis.call('HSET', scope.tags, 't:' .. tenant, scope.tag) end
      local served = tonumber(redis.call('HGET', scope.tags, 'served') or 0)
      redis.call('HSET', scope.tags, 'served', math.max(served, scope.tag))
    end
  end
end
return {'granted', cell}
""")

# KEYS: of each scope window and slots. ARGV: permit, cell, change of requests, change of tokens, ms under way.
SETTLE = Script("""
local SPAN = 61
local cell = tonumber(ARGV[2])
for i = 1, #KEYS, 2 do
  local window, slots = KEYS[i], KEYS[i + 1]
  if redis.call('ZREM', slots, ARGV[1]) == 1 then
    local hold = tonumber(redis.call('HGET', window, 'hold') or ARGV[5])
    redis.call('HSET', window, 'hold', math.floor(hold * 0.8 + ARGV[5] * 0.2))
  end
  local at = tonumber(redis.call('HGET', window, 'at') or nil)
  for metric, change in pairs({r = tonumber(ARGV[3]), t = tonumber(ARGV[4])}) do
    local name = metric .. cell % SPAN
    if change ~= 0 and at and at - cell < SPAN and redis.call('HEXISTS', window, name) == 1 then
      change = math.max(change, -redis.call('HGET', window, name))
      redis.call('HINCRBY', window, name, change)
      redis.call('HINCRBY', window, metric, change)
    end
  end
end
""")

# KEYS: slots of each scope. ARGV: permit, lease in ms. A slot that was lost stays lost.
RENEW = Script("""
local time = redis.call('TIME')
local ends = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[2]
for _, slots in ipairs(KEYS) do
  redis.call('ZADD', slots, 'XX', ends, ARGV[1])
  redis.call('PEXPIRE', slots, 2 * ARGV[2])
end
""")

# KEYS: cooldown. ARGV: ms. Only ever makes it longer.
COOL_DOWN = Script("""
redis.call('HSETNX', KEYS[1], 'waiting', 0)
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[1]) then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
""")
