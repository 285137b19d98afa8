"""The Lua that changes the store: each script is one atomic step.

Every script may be sent again after a lost reply: what it did is not done twice.
"""

import hashlib
from dataclasses import dataclass, field

from proctor_server.store import keys
from proctor_server.store.counters import TALLY
from proctor_server.store.delivery import DELIVERY


@dataclass(frozen=True)
class Script:
    """A script's text, with the digest that Redis knows it by."""

    text: str
    sha: str = field(init=False)

    def __post_init__(self) -> None:
        digest = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()
        object.__setattr__(self, "sha", digest)


_KEYS = "\n".join(
    f"local {name} = '{value}'"
    for name, value in vars(keys).items()
    if name.isupper() and isinstance(value, str | int)
)

# Turns between callers: start-time fair queueing (Goyal, Vin and Cheng, 1996). RQ's queue holds as
# many chunks as there are workers and AHEAD more; the others are held per caller, and the next to
# go is of the caller who had least, for its share.
_TURNS = """
local AHEAD = 2
local function hold(caller, chunk, cost)
  redis.call('RPUSH', HELD .. caller, chunk .. ' ' .. cost)
  if not redis.call('ZSCORE', TURNS, caller) then
    local clock = tonumber(redis.call('GET', CLOCK) or '0')
    local finish = tonumber(redis.call('HGET', FINISHES, caller) or '0')
    redis.call('ZADD', TURNS, string.format('%.9f', math.max(clock, finish)), caller)
  end
end
local function release(queue)
  local room = redis.call('ZCARD', WORKERS) + AHEAD - redis.call('LLEN', queue)
  while room > 0 do
    local turn = redis.call('ZRANGE', TURNS, 0, 0, 'WITHSCORES')
    if not turn[1] then return end
    local caller, start = turn[1], turn[2]
    local entry = redis.call('LPOP', HELD .. caller)
    if entry then
      local chunk, cost = string.match(entry, '^(%S+) (%S+)$')
      local finish = string.format('%.9f', tonumber(start) + tonumber(cost))
      redis.call('RPUSH', queue, chunk)
      redis.call('SET', CLOCK, start)
      redis.call('HSET', FINISHES, caller, finish)
      redis.call('ZADD', TURNS, finish, caller)
      room = room - 1
    end
    if redis.call('EXISTS', HELD .. caller) == 0 then redis.call('ZREM', TURNS, caller) end
  end
end
"""

ACCEPT = Script(
    _KEYS
    + DELIVERY
    + _TURNS
    + """
-- ARGV[1]: JSON {now, ttl, limit, expect, units, known, tests, orphan_ttl, batches, chunks,
-- commands, queue} then, as bytes: per batch its items, keys and groups of sources; per problem
-- version its tests; per chunk its units, keys and timeout; then the commands that make the
-- chunks' jobs, each with its length first. -> {"ok", pending, ended batches}
-- | {"known", batch number, "id digest"} | {"stale", states} | {"full", pending}
-- | {"busy", batch number, queued}. Only "ok" has changed anything.
local a = cjson.decode(ARGV[1])
local at = 1
local function arg() at = at + 1; return ARGV[at] end
local pending = tonumber(redis.call('GET', PENDING) or '0')
-- Sent again after a lost reply.
if redis.call('EXISTS', BATCH .. a.batches[1].id) == 1 then return {'ok', pending, {}} end
for i, b in ipairs(a.batches) do
  if b.idem ~= '' then
    local known = redis.call('GET', IDEMPOTENCY .. b.idem)
    if known then return {'known', i - 1, known} end
  end
end
local queued = {}
for i, b in ipairs(a.batches) do
  local before = queued[b.caller] or tonumber(redis.call('HGET', QUEUED, b.caller) or '0')
  if b.most >= 0 and before + #b.units > b.most then return {'busy', i - 1, before} end
  queued[b.caller] = before + #b.units
end
-- n: new, f: in flight, c: its outcome is known
local states, outcomes, fresh = {}, {}, 0
for i, key in ipairs(a.units) do
  local outcome = redis.call('GET', OUTCOME .. key)
  if outcome then
    states[i], outcomes[i] = 'c', outcome
  elseif redis.call('EXISTS', WAITERS .. key) == 1 then
    states[i] = 'f'
  else
    states[i] = 'n'
    fresh = fresh + 1
  end
end
local found = table.concat(states)
if found ~= a.expect then return {'stale', found} end
if pending + fresh > a.limit then return {'full', pending} end
for _, b in ipairs(a.batches) do
  redis.call('SET', ITEMS .. b.id, arg())
  redis.call('HSET', BATCH .. b.id, 'state', 'running', 'total', b.total, 'completed', 0,
    'created_at', b.created, 'idem', b.idem, 'caller', b.caller, 'request', b.request,
    'keys', arg())
  for group = 0, b.groups - 1 do redis.call('HSET', SOURCES .. b.id, group, arg()) end
  redis.call('ZADD', BATCHES .. b.caller, b.created, b.id)
  redis.call('ZADD', POSTERS, 0, b.caller)
  redis.call('HINCRBY', QUEUED, b.caller, #b.units)
  if b.deadline ~= '' then redis.call('ZADD', DEADLINES, b.deadline, b.id) end
  if b.idem ~= '' then redis.call('SET', IDEMPOTENCY .. b.idem, b.id .. ' ' .. b.digest) end
end
for _, version in ipairs(a.tests) do
  local tests = arg()
  if redis.call('EXISTS', IDS .. version) == 1 then
    redis.call('SET', TESTS .. version, tests, 'NX')
  else
    redis.call('SET', TESTS .. version, tests, 'EX', a.orphan_ttl)
  end
end
for _, b in ipairs(a.batches) do
  for index, unit in ipairs(b.units) do
    index = index - 1
    local outcome = outcomes[unit + 1]
    if outcome then
      local space = string.find(outcome, ' ')
      local of = a.known[tostring(unit)]
      of.verdict = string.sub(outcome, 1, space - 1)
      deliver(b.id, index, 1, a.now, string.sub(outcome, space + 1), of)
    else
      redis.call('RPUSH', WAITERS .. a.units[unit + 1], b.id .. ' ' .. index)
    end
  end
end
for _, chunk in ipairs(a.chunks) do
  redis.call('HSET', CHUNK .. chunk.id, 'units', arg(), 'keys', arg(), 'timeout', arg(),
    'made', a.now, 'revived', 0)
  redis.call('ZADD', CHUNKS, a.now, chunk.id)
  hold(chunk.caller, chunk.id, chunk.cost)
end
for _ = 1, a.commands do
  local n = tonumber(arg())
  local command = {}
  for i = 1, n do command[i] = arg() end
  redis.call(unpack(command))
end
release(a.queue)
settle(a.now, a.ttl)
return {'ok', redis.call('INCRBY', PENDING, fresh), ended}
"""
)

COMPLETE = Script(
    _KEYS
    + DELIVERY
    + """
-- ARGV: now, results ttl, outcome ttl, then per unit: key, facts (verdict, language, problem
-- version, started, seconds in sandboxes, twin, cause of an IE), outcome JSON. The twin of a fresh
-- unit is the key of its equal that is not; else "-", or "!" where the outcome is not to be kept.
-- -> {how many units were answered by this call, ended batches, per IE {key, some who waited}}
-- The first answer of a unit counts.
local answered, failed = 0, {}
for i = 4, #ARGV, 3 do
  local key, outcome = ARGV[i], ARGV[i + 2]
  local of, started, run, twin = {}
  of.verdict, of.language, of.version, started, run, twin, of.cause =
    string.match(ARGV[i + 1], '^(%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (.*)$')
  local waiters = redis.call('LRANGE', WAITERS .. key, 0, -1)
  if #waiters > 0 then
    redis.call('DEL', WAITERS .. key)
    answered = answered + 1
    took('r', tonumber(run))
    if of.verdict == 'IE' then
      failed[#failed + 1] = {key, unpack(waiters, 1, 3)}
    elseif twin ~= '!' then
      local kept = key
      if twin ~= '-' then
        kept = twin
        local before = redis.call('GET', OUTCOME .. twin)
        if before then
          local j = judge(of.version)
          j.reruns = j.reruns + 1
          if string.match(before, '^%S+') ~= of.verdict then j.flaky = j.flaky + 1 end
        end
      end
      if tonumber(ARGV[3]) > 0 then
        redis.call('SET', OUTCOME .. kept, of.verdict .. ' ' .. outcome, 'EX', ARGV[3], 'NX')
      end
    end
    for n, waiter in ipairs(waiters) do
      local space = string.find(waiter, ' ')
      deliver(string.sub(waiter, 1, space - 1), string.sub(waiter, space + 1),
        n == 1 and 0 or 1, started, outcome, of)
    end
  end
end
if answered > 0 then redis.call('DECRBY', PENDING, answered) end
settle(ARGV[1], ARGV[2])
return {answered, ended, failed}
"""
)

NOTE_CHUNK = Script(
    _KEYS
    + TALLY
    + """
-- ARGV: the seconds that a chunk took.
took('k', tonumber(ARGV[1]))
add(STATS, tallied())
"""
)

RELEASE = Script(
    _KEYS
    + _TURNS
    + """
-- ARGV: RQ's queue.
release(ARGV[1])
"""
)

TAKE = Script(
    _KEYS
    + """
-- ARGV: chunk id. -> {units JSON, which are still waited for as "1" and "0", timeout, made,
-- revived, a batch that waits} or nil
local chunk = redis.call('HMGET', CHUNK .. ARGV[1], 'units', 'keys', 'timeout', 'made', 'revived')
if not chunk[1] then return false end
local wanted, batch = {}, ''
for key in string.gmatch(chunk[2], '%S+') do
  wanted[#wanted + 1] = redis.call('EXISTS', WAITERS .. key)
  if batch == '' and wanted[#wanted] == 1 then
    batch = string.match(redis.call('LRANGE', WAITERS .. key, 0, 0)[1], '^%S+')
  end
end
return {chunk[1], table.concat(wanted), chunk[3], chunk[4], chunk[5], batch}
"""
)

_CANCEL = """
local function cancel(batch, now, ttl)
  local of = redis.call('HMGET', BATCH .. batch, 'state', 'keys')
  if of[1] ~= 'running' then return of[1] end
  local index, ended, freed = 0, 0, 0
  for key in string.gmatch(of[2], '%S+') do
    if redis.call('SETBIT', SEEN .. batch, index, 1) == 0 then
      ended = ended + 1
      redis.call('RPUSH', DONE .. batch, index .. ' c 0 ')
      redis.call('LREM', WAITERS .. key, 0, batch .. ' ' .. index)
      if redis.call('EXISTS', WAITERS .. key) == 0 then freed = freed + 1 end
    end
    index = index + 1
  end
  unqueue(batch, ended)
  if freed > 0 then redis.call('DECRBY', PENDING, freed) end
  redis.call('HSET', BATCH .. batch, 'state', 'cancelled')
  expire(batch, now, ttl)
  redis.call('PUBLISH', NEWS, batch .. '!')
  note_end(batch)
  return of[1]
end
"""

CANCEL = Script(
    _KEYS
    + DELIVERY
    + _CANCEL
    + """
-- ARGV: batch id, now, results ttl. -> {the batch's state before or nil, ended batches}
return {cancel(ARGV[1], ARGV[2], ARGV[3]), ended}
"""
)

CANCEL_OVERDUE = Script(
    _KEYS
    + DELIVERY
    + _CANCEL
    + """
-- ARGV: now, results ttl, how many at most. -> {how many deadlines were over, ended batches}
local overdue = redis.call('ZRANGEBYSCORE', DEADLINES, '-inf', ARGV[1], 'LIMIT', 0, ARGV[3])
for _, batch in ipairs(overdue) do
  cancel(batch, ARGV[1], ARGV[2])
  redis.call('ZREM', DEADLINES, batch)
end
return {#overdue, ended}
"""
)

FORGET = Script(
    _KEYS
    + """
-- ARGV: now, how many at most. Takes batches whose results are gone off the lists of batches.
-- -> how many these were
local gone = redis.call('ZRANGEBYSCORE', ENDED, '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
for _, entry in ipairs(gone) do
  local batch, caller = string.match(entry, '^(%S+) (.*)$')
  redis.call('ZREM', ENDED, entry)
  redis.call('ZREM', BATCHES .. caller, batch)
  if redis.call('EXISTS', BATCHES .. caller) == 0 then redis.call('ZREM', POSTERS, caller) end
end
return #gone
"""
)

PAGE = Script(
    _KEYS
    + """
-- ARGV: batch id, first entry, last entry. -> {state, entries} or nil
local state = redis.call('HGET', BATCH .. ARGV[1], 'state')
if not state then return false end
return {state, redis.call('LRANGE', DONE .. ARGV[1], ARGV[2], ARGV[3])}
"""
)

PUT_PROBLEM = Script(
    _KEYS
    + """
-- ARGV: orphan ttl, then per problem: id, version, head, info, reference, tests.
-- -> how many were new or changed
local changed = 0
for i = 2, #ARGV, 6 do
  local id, version, head, info = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local before = redis.call('GET', PROBLEM .. id)
  if before ~= head or redis.call('GET', INFO .. id) ~= info
    or (redis.call('GET', REFERENCE .. id) or '') ~= ARGV[i + 4] then
    changed = changed + 1
  end
  if before then
    local old = cjson.decode(before).version
    if old ~= version then
      redis.call('SREM', IDS .. old, id)
      if redis.call('EXISTS', IDS .. old) == 0 then
        redis.call('EXPIRE', TESTS .. old, ARGV[1])
        redis.call('DEL', JUDGED .. old)
      end
    end
  end
  redis.call('SET', TESTS .. version, ARGV[i + 5])
  redis.call('SADD', IDS .. version, id)
  redis.call('SET', PROBLEM .. id, head)
  redis.call('SET', INFO .. id, info)
  if ARGV[i + 4] == '' then
    redis.call('DEL', REFERENCE .. id)
  else
    redis.call('SET', REFERENCE .. id, ARGV[i + 4])
  end
  redis.call('ZADD', PROBLEMS, 0, id)
end
return changed
"""
)
