"""Every key that Proctor has in Redis: its type, what it holds and how long it lives.

| key | type | holds | lives |
| --- | --- | --- | --- |
| problems | zset | problem ids, score 0 (paged by name) | for ever |
| problem:<id> | string | head: version, prefix, number of tests | for ever |
| info:<id> | string | ProblemInfo | for ever |
| reference:<id> | string | zlib JSON of the reference solution | for ever |
| tests:<version> | string | zlib JSON of what workers need of a Problem | while it is needed |
| ids:<version> | set | the problem ids of this version | for ever, while not empty |
| batch:<id> | hash | BatchStatus's fields, `keys` of its units | until done, then results_ttl_s |
| items:<id> | string | what a result line needs of each item | as batch:<id> |
| done:<id> | list | result entries in completion order | as batch:<id> |
| seen:<id> | bitmap | which items have an entry | as batch:<id> |
| sources:<id> | hash | programs, zlib JSON of some at a time: see sources.py | as batch:<id> |
| batches:<caller> | zset | batch ids by the Unix time of their acceptance | pruned |
| posters | zset | callers with batches, score 0 | pruned |
| ended | zset | "<batch> <caller>" by the Unix time at which its results go | pruned |
| idem:<digest> | string | batch id and body digest of an Idempotency-Key | as batch:<id> |
| waiters:<unit> | list | "<batch> <index>" of each item that waits for the unit | until answered |
| outcome:<unit> | string | verdict and outcome JSON, never an IE's; see `twin` | outcome_ttl_s |
| chunk:<id> | hash | units as JSON, their keys, timeout, made, revived | until all answered |
| chunks | zset | chunk ids by the time they were made | until all answered |
| held:<caller> | list | "<chunk id> <cost>" of chunks that wait for a turn | until released |
| turns | zset | callers with held chunks, by the virtual time of the next | until released |
| clock | float | the virtual time: where the last released chunk began | for ever |
| finishes | hash | per caller where its last released chunk ends in virtual time | for ever |
| queued | hash | per caller how many items have no result yet | while not 0 |
| deadlines | zset | batch ids by the Unix time at which they are cancelled | until ended |
| pending | int | units that are queued or running | for ever |
| stats | hash | counters since the store was made: see counters.py | for ever |
| bucket:<time> | hash | the same counters for ten seconds from a Unix time on | BUCKET_TTL_S |
| session:<digest> | string | digest of the key that a browser is logged in with | SESSION_TTL_S |
| judged:<version> | hash | ProblemCounts of a stored problem | for ever, while ids:<version> is |
| refused | int | jobs that were none of ours, since the store was made | for ever |
| worker:<name> | string | a worker's announcement | ANNOUNCEMENT_TTL_S |
| workers | zset | worker names by the time of their last announcement | pruned |
| cleaning | string | the name of the worker that cleans up | CLEANING_TTL_S |

RQ's own keys (rq:*) are beside these: a job's go with its chunk (a failed one's after a day), and

| rq:queues | set | the name of our queue | for ever |
| rq:workers | set | names of workers | pruned |
| rq:workers:<queue> | set | the same | pruned |

Nothing that stands for unfinished work has a lifetime.
"""

PREFIX = "proctor:"

PROBLEMS = PREFIX + "problems"
PROBLEM = PREFIX + "problem:"
INFO = PREFIX + "info:"
REFERENCE = PREFIX + "reference:"
TESTS = PREFIX + "tests:"
IDS = PREFIX + "ids:"

BATCH = PREFIX + "batch:"
ITEMS = PREFIX + "items:"
DONE = PREFIX + "done:"
SEEN = PREFIX + "seen:"
SOURCES = PREFIX + "sources:"
BATCHES = PREFIX + "batches:"
POSTERS = PREFIX + "posters"
ENDED = PREFIX + "ended"
IDEMPOTENCY = PREFIX + "idem:"

WAITERS = PREFIX + "waiters:"
OUTCOME = PREFIX + "outcome:"
CHUNK = PREFIX + "chunk:"
CHUNKS = PREFIX + "chunks"
HELD = PREFIX + "held:"
TURNS = PREFIX + "turns"
CLOCK = PREFIX + "clock"
FINISHES = PREFIX + "finishes"
QUEUED = PREFIX + "queued"
DEADLINES = PREFIX + "deadlines"
PENDING = PREFIX + "pending"
STATS = PREFIX + "stats"
BUCKET = PREFIX + "bucket:"
JUDGED = PREFIX + "judged:"
REFUSED = PREFIX + "refused"
SESSION = PREFIX + "session:"

WORKER = PREFIX + "worker:"
WORKERS = PREFIX + "workers"
CLEANING = PREFIX + "cleaning"

# One pub/sub channel; a message is the ids of batches that have news, separated by spaces, each
# with a "!" if the batch has ended.
NEWS = PREFIX + "news"

# What a bucket counts. They are kept for the hour that is shown, and a little more.
BUCKET_S = 10
HISTORY_S = 3600
BUCKET_TTL_S = HISTORY_S + 100
# Five missed announcements of 3 s each: a dead worker is off the list within that time.
ANNOUNCEMENT_TTL_S = 15
# A cleaner that dies holds the others up for no longer; cleaning takes milliseconds.
CLEANING_TTL_S = 10

# A working day: longer would outlive who sits there, shorter would ask for the key at lunch.
SESSION_TTL_S = 12 * 3600
