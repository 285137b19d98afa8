"""The one kind of job there is: `run_chunk` on one chunk, and nothing else that RQ offers.

RQ does what a job's record in Redis says: it imports and calls any function, before, after or
instead, posts to any address, and puts other jobs into queues. Whoever can write to Redis can
write such a record. So a record is compared with those that we write before RQ reads it.
"""

import re
import zlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from rq.exceptions import NoSuchJobError
from rq.job import Job
from rq.serializers import JSONSerializer

from proctor_server import jobs

if TYPE_CHECKING:
    from redis.client import Pipeline

RUN_CHUNK = f"{jobs.__name__}.{jobs.run_chunk.__name__}"
# A chunk that a worker died over is taken up again so often; an interval would need a scheduler.
RETRIES = 2
# The same for what was one of several in such a chunk: for it that was the first of three deaths.
RETRIES_AGAIN = 1

# What RQ notes of a job of ours in its life. None of it names anything that is imported.
_PLAIN = frozenset(
    b"created_at enqueued_at started_at ended_at last_heartbeat worker_name origin description "
    b"status timeout result_ttl failure_ttl".split()
)
# What it writes too, and only with these values.
_CALLBACKS = (b"success_callback_name", b"failure_callback_name", b"stopped_callback_name")
_FIXED = dict.fromkeys((*_CALLBACKS, b"group_id"), b"")
_FIXED |= {b"retry_intervals": b"[0]", b"enqueue_at_front_on_retry": b"1"}
_COUNTS = (b"retries_left", b"number_of_retries")
# Of ours, compressed, it has about 100 bytes; a bomb of this size makes no more than 1 MB.
_MOST_DATA_BYTES = 1024
_ID = re.compile(rb"[0-9a-f]{32}")
_RECORDS = (
    b"rq:job:%s rq:job:%s:dependents rq:job:%s:dependencies rq:executions:%s rq:results:%s"
).split()


class ForeignJob(NoSuchJobError):
    """Raised when a job's record is none that this package writes; says in what it differs.

    For RQ there is no such job: its clean-up passes over it.
    """


class ChunkJob(Job):
    """A job that can only run run_chunk. Read from Redis, it raises ForeignJob for any other."""

    @property
    def func(self) -> Callable[[str], None]:
        return jobs.run_chunk

    def restore(self, raw_data: Mapping[bytes, bytes]) -> None:
        """Take over a record as it is in Redis. Raises ForeignJob, NoSuchJobError."""
        if b"data" in raw_data:
            difference = _difference(self.id, raw_data)
            if difference is not None:
                raise ForeignJob(difference)
        try:
            super().restore(raw_data)
        except NoSuchJobError:
            raise
        except Exception as error:  # RQ raises whatever odd bytes lead to
            # Without the cause: what it says quotes the record.
            raise ForeignJob(f"can't be read ({type(error).__name__})") from None


def is_chunk_id(raw: bytes) -> bool:
    """Whether this can be the id of a chunk, and so of its job."""
    return _ID.fullmatch(raw) is not None


def remove(raw_id: bytes, pipe: "Pipeline") -> None:
    """Remove every record of a job, whatever bytes its id is."""
    pipe.delete(*(key % raw_id for key in _RECORDS))


def _difference(job_id: str, record: Mapping[bytes, bytes]) -> str | None:
    """In what a record differs from ours, in words without any of its values; None: in nothing."""
    data = record[b"data"]
    if len(data) > _MOST_DATA_BYTES or _plain(data) != _data(job_id):
        return "names another function, or other arguments than its chunk"
    for name, value in record.items():
        if name in _FIXED:
            if value != _FIXED[name]:
                return f"has a {name.decode()}"
        elif name in _COUNTS:
            if not value.isdigit() or int(value) > RETRIES:
                return f"has a {name.decode()} of its own"
        elif name not in _PLAIN and name != b"data":
            return "has a field that no job of ours has"
    return None


def _data(job_id: str) -> bytes:
    """What RQ calls a job's data: function, instance, arguments and keyword arguments."""
    made: bytes = JSONSerializer.dumps(  # type: ignore[no-untyped-call]
        (RUN_CHUNK, None, (job_id,), {})
    )
    return made


def _plain(data: bytes) -> bytes:
    try:
        return zlib.decompress(data)
    except zlib.error:
        return data
