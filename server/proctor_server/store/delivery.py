"""The Lua that gives outcomes to the batches that wait for them.

deliver() notes entries; settle() counts them per batch, problem and ten seconds, and ends what is
complete. The names of keys are those of keys.py, which scripts.py puts before this.
"""

from proctor.types import PASS_RATES
from proctor_server.store.counters import TALLY
from proctor_server.store.status import STATUS_FIELDS

DELIVERY = (
    TALLY
    + f"local STATUS_FIELDS = {{{', '.join(map(repr, STATUS_FIELDS))}}}\n"
    + f"local RATES = {len(PASS_RATES)}\n"
    + """
local touched, order, ended, judged = {}, {}, {}, {}
-- What results for one problem version come to.
local function judge(version)
  local j = judged[version]
  if not j then
    j = {submissions = 0, accepted = 0, ppm = 0, ie = 0, reruns = 0, flaky = 0}
    judged[version] = j
  end
  return j
end
-- Which of PASS_RATES it is, from 0.
local function rate(passed, total)
  if passed == 0 then return 0 end
  return passed == total and RATES - 1 or 1 + math.floor((RATES - 2) * passed / total)
end
local function note(counts, field) counts[field] = (counts[field] or 0) + 1 end
-- of: the verdict, language, problem version and, of an IE, cause.
local function deliver(batch, index, cached, started, outcome, of)
  if redis.call('SETBIT', SEEN .. batch, index, 1) == 1 then return end
  redis.call('RPUSH', DONE .. batch, index .. ' ' .. cached .. ' ' .. started .. ' ' .. outcome)
  local t = touched[batch]
  if not t then
    t = {n = 0, counts = {}, starts = {}}
    touched[batch] = t
    order[#order + 1] = batch
  end
  t.n = t.n + 1
  note(t.counts, 'v:' .. of.verdict)
  count('v:' .. of.verdict .. ':' .. of.language, 1)
  if cached == 1 then
    count('cached', 1)
  else
    t.starts[#t.starts + 1] = started
  end
  local j = judge(of.version)
  j.submissions = j.submissions + 1
  if of.verdict == 'AC' then j.accepted = j.accepted + 1 end
  if of.verdict == 'IE' then
    j.ie = j.ie + 1
    count('fault:' .. of.cause, 1)
  else
    local passed, total = string.match(outcome, '"passed":(%d+),"total":(%d+)')
    j.ppm = j.ppm + math.floor(passed / total * 1e6)
    note(t.counts, 'p:' .. rate(tonumber(passed), tonumber(total)))
  end
end
local function expire(batch, now, ttl)
  local of = redis.call('HMGET', BATCH .. batch, 'idem', 'caller')
  if of[1] and of[1] ~= '' then redis.call('EXPIRE', IDEMPOTENCY .. of[1], ttl) end
  for _, kind in ipairs({BATCH, ITEMS, DONE, SEEN, SOURCES}) do
    redis.call('EXPIRE', kind .. batch, ttl)
  end
  redis.call('ZADD', ENDED, now + ttl, batch .. ' ' .. (of[2] or ''))
  redis.call('ZREM', DEADLINES, batch)
end
local function unqueue(batch, n)
  local caller = redis.call('HGET', BATCH .. batch, 'caller')
  if caller and redis.call('HINCRBY', QUEUED, caller, -n) <= 0 then
    redis.call('HDEL', QUEUED, caller)
  end
end
-- What is logged of a batch that has ended: see status.py.
local function note_end(batch)
  local facts = redis.call('HMGET', BATCH .. batch, 'request', unpack(STATUS_FIELDS))
  table.insert(facts, 1, batch)
  ended[#ended + 1] = facts
end
-- Problems that are not stored, only posted inline, are not counted.
local function write_judged()
  for version, counts in pairs(judged) do
    if redis.call('EXISTS', IDS .. version) == 1 then
      add(JUDGED .. version, counts)
    end
  end
end
local function settle(now, ttl)
  for i, batch in ipairs(order) do
    local t = touched[batch]
    add(BATCH .. batch, t.counts)
    unqueue(batch, t.n)
    local completed = redis.call('HINCRBY', BATCH .. batch, 'completed', t.n)
    local of = redis.call('HMGET', BATCH .. batch, 'total', 'state', 'created_at')
    for _, started in ipairs(t.starts) do took('w', math.max(0, started - (of[3] or started))) end
    if of[2] == 'running' and completed >= tonumber(of[1]) then
      redis.call('HSET', BATCH .. batch, 'state', 'done')
      expire(batch, now, ttl)
      order[i] = batch .. '!'
      note_end(batch)
    end
  end
  if #order == 0 then return end
  redis.call('PUBLISH', NEWS, table.concat(order, ' '))
  local bucket = BUCKET .. (now - now % BUCKET_S)
  local new = redis.call('EXISTS', bucket) == 0
  local counts = tallied()
  add(bucket, counts)
  if new then redis.call('EXPIRE', bucket, BUCKET_TTL_S) end
  add(STATS, counts)
  write_judged()
end
"""
)
