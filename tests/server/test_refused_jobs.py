"""Jobs that are none of ours, put into the queue by whoever can write to Redis."""

import pickle
import time
import zlib
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest
import redis
from rq.serializers import JSONSerializer

from proctor_server.chunk_job import RUN_CHUNK, ChunkJob, ForeignJob
from proctor_server.queue import Chunk, ChunkQueue
from tests.server.conftest import Workers, post, results, wait_until

ID = "0123456789abcdef" * 2
QUEUE = "rq:queue:proctor"


def data(*parts: object) -> bytes:
    """What RQ would store of a job: function, instance, arguments, keyword arguments."""
    return zlib.compress(JSONSerializer.dumps(parts))  # type: ignore[no-untyped-call]


def call(name: str, *args: object) -> dict[str, bytes]:
    """The fields of a job that calls a function."""
    return {"data": data(name, None, args, {})}


class Touch:
    """Unpickled, it makes a file."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (Path(self.path),)  # type: ignore[return-value]


# Fields that are put over those of an honest job; MARK is a file that must not appear.
MARK = "MARK"
FOREIGN: dict[str, Mapping[str, bytes]] = {
    "a shell": call("subprocess.getoutput", f"touch {MARK}"),
    "a shell, uncompressed": {"data": zlib.decompress(call("os.system", f"touch {MARK}")["data"])},
    "code": call("builtins.exec", f"open('{MARK}', 'w')"),
    "a part of us": call("proctor_server.jobs.runner.get"),
    "another module of ours": call("proctor_server.queue.into_chunks"),
    "a module that acts when imported": call("antigravity.fly"),
    "a method of an instance": {"data": data("touch", {"py/object": "pathlib.Path"}, [], {})},
    "no argument": call(RUN_CHUNK),
    "two arguments": call(RUN_CHUNK, ID, ID),
    "an argument that is no string": call(RUN_CHUNK, {"id": ID}),
    "another chunk": call(RUN_CHUNK, "f" * 32),
    "keywords": {"data": data(RUN_CHUNK, None, [ID], {"chunk_id": ID})},
    "a bomb": {"data": zlib.compress(b"[" * 50_000_000)},
    "no JSON": {"data": b"\xff\xfe"},
    "called on success": {"success_callback_name": b"builtins.exit"},
    "called on failure": {"failure_callback_name": b"builtins.exit"},
    "called when stopped": {"stopped_callback_name": b"builtins.exit"},
    "posted to an address": {"webhooks": b'[{"url": "http://127.0.0.1:1/"}]'},
    "waits for another": {"dependency_ids": b'["x"]', "dependency_id": b"x"},
    "of a group": {"group_id": b"g"},
    "again and again": {"repeats_left": b"1000", "repeat_intervals": b"[1]"},
    "retried for ever": {"retries_left": b"1000000"},
    "retried later": {"retry_intervals": b"[60]"},
    "rate-limited": {"rate_limit_key": b"k", "rate_limit_concurrency": b"1"},
    "with odd meta": {"meta": b'{"a": 1}'},
    "with a result": {"result": b'"x"'},
    "with a field of its own": {"py/reduce": b"x"},
    "with an odd timeout": {"timeout": b"soon"},
    "with an odd state": {"status": b"odd"},
    "with an odd time": {"created_at": b"yesterday"},
}


def enqueue(client: "redis.Redis", job_id: str, fields: Mapping[str, bytes], mark: Path) -> None:
    """Put an honest job with these fields in place of its own at the front of the queue."""
    queue = ChunkQueue("proctor", client)
    for command in queue.commands([Chunk(job_id, [], 600)]):
        client.execute_command(*command)  # type: ignore[no-untyped-call]
    for name, value in fields.items():
        client.hset(f"rq:job:{job_id}", name, _pointed(value, mark))
    client.lpush(QUEUE, job_id)


def _pointed(value: bytes, mark: Path) -> bytes:
    """The value with MARK replaced, also in what is compressed."""
    if value.startswith(b"x\x9c") and len(value) < 1000:
        return zlib.compress(zlib.decompress(value).replace(MARK.encode(), str(mark).encode()))
    return value.replace(MARK.encode(), str(mark).encode())


def refused(api: httpx.Client) -> int:
    """How many /metrics says."""
    (line,) = [
        line
        for line in api.get("/metrics").text.splitlines()
        if line.startswith("proctor_jobs_refused_total ")
    ]
    return int(float(line.split()[1]))


def left(client: "redis.Redis") -> list[bytes]:
    """Keys that stand for jobs, wherever they are."""
    kinds = ("job", "wip", "failed", "execution", "executions", "results", "queue", "deferred")
    return [
        key
        for kind in kinds
        for key in client.scan_iter(f"rq:{kind}:*")
        # A set of ids that a worker's clean-up leaves for a while; it names no job's record.
        if not key.endswith(b":executions")
    ]


def test_foreign_jobs_are_refused_and_honest_ones_behind_them_are_done(
    api: httpx.Client, two: str, workers: Workers, redis_client: "redis.Redis", tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    batch = post(api, "ac 1", "ac 2")
    for number, fields in enumerate(FOREIGN.values()):
        enqueue(redis_client, f"{number:032x}", fields, mark)
    assert redis_client.llen(QUEUE) > len(FOREIGN)
    assert refused(api) == 0
    workers.start()
    assert [line["verdict"] for line in results(api, batch)[:-1]] == ["AC", "AC"]
    wait_until(lambda: not left(redis_client), "no job is left")
    assert refused(api) == len(FOREIGN)
    assert not mark.exists()
    log = workers.errors()
    for number in range(len(FOREIGN)):
        assert log.count(f"{number:032x}") == 1
    for word in (str(mark), "getoutput", "exec", "builtins", "Traceback"):
        assert word not in log


@pytest.mark.parametrize("difference", FOREIGN)
def test_no_record_but_ours_is_read(
    redis_client: "redis.Redis", tmp_path: Path, difference: str
) -> None:
    enqueue(redis_client, ID, {}, tmp_path)
    assert ChunkJob.fetch(ID, redis_client, JSONSerializer).args == [ID]
    enqueue(redis_client, ID, FOREIGN[difference], tmp_path / "mark")
    with pytest.raises(ForeignJob):
        ChunkJob.fetch(ID, redis_client, JSONSerializer)


def test_a_pickle_is_not_opened(
    api: httpx.Client, worker: Workers, redis_client: "redis.Redis", tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    bomb = pickle.dumps((RUN_CHUNK, None, (Touch(str(mark)),), {}))
    pickle.loads(bomb)  # noqa: S301 -- it does what it is meant to
    assert mark.exists()
    mark.unlink()
    enqueue(redis_client, ID, {"data": bomb}, mark)
    wait_until(lambda: refused(api) == 1, "it is refused")
    assert not mark.exists()


@pytest.mark.parametrize(
    "job_id", [b"odd", b"a-b", b"\xff\xfe", b"a:b", b"x" * 100_000, b"", b"a\nb"]
)
def test_an_id_that_is_no_chunks_does_not_stop_the_worker(
    api: httpx.Client, two: str, worker: Workers, redis_client: "redis.Redis", job_id: bytes
) -> None:
    redis_client.hset(b"rq:job:" + job_id, mapping={"data": b"\xff"})
    redis_client.rpush(QUEUE, job_id)
    assert len(results(api, post(api, "ac"))) == 2
    assert redis_client.llen(f"{QUEUE}:intermediate") == 0
    assert not redis_client.exists(b"rq:job:" + job_id)
    assert refused(api) == 1
    assert worker.errors().count(" is refused") == 1
    assert len(worker.errors()) < 1000


def test_an_id_without_a_record_is_no_offence(
    api: httpx.Client, two: str, worker: Workers, redis_client: "redis.Redis"
) -> None:
    redis_client.rpush(QUEUE, ID)  # as when another worker ended the job meanwhile
    assert len(results(api, post(api, "ac"))) == 2
    assert refused(api) == 0


def test_an_abandoned_job_is_cleaned_up_without_its_callback(
    api: httpx.Client, two: str, workers: Workers, redis_client: "redis.Redis", tmp_path: Path
) -> None:
    # RQ's clean-up calls an abandoned job's failure callback: here a module that makes a file.
    mark, module = tmp_path / "mark", tmp_path / "evil.py"
    module.write_text(f"open({str(mark)!r}, 'w')\ndef act(*_): pass\n")
    fields = {"failure_callback_name": b"evil.act", "status": b"started"}
    enqueue(redis_client, ID, fields, mark)
    redis_client.delete(QUEUE)
    redis_client.zadd("rq:wip:proctor", {f"{ID}:{'0' * 32}": time.time() - 1})
    workers.start(PYTHONPATH=f"{workers.environment['PYTHONPATH']}:{tmp_path}")
    wait_until(lambda: refused(api) == 1, "it is refused")
    assert len(results(api, post(api, "ac"))) == 2
    assert not mark.exists()
    wait_until(lambda: not left(redis_client), "no job is left")


def test_a_tampered_job_is_refused_and_its_chunk_is_done_nevertheless(
    api: httpx.Client, two: str, workers: Workers, redis_client: "redis.Redis"
) -> None:
    batch = post(api, "ac")
    (job,) = (raw.decode() for raw in redis_client.lrange(QUEUE, 0, -1))  # type: ignore[union-attr]
    redis_client.hset(f"rq:job:{job}", "failure_callback_name", "os.abort")
    # As if it had been made a minute ago, so that the sweep looks for its job at once.
    redis_client.zadd("proctor:chunks", {job: time.time() - 60})
    workers.start()
    wait_until(lambda: refused(api) == 1, "it is refused")
    assert [line["verdict"] for line in results(api, batch, wait=25)[:-1]] == ["AC"]


def test_a_worker_takes_no_commands(
    api: httpx.Client, two: str, worker: Workers, redis_client: "redis.Redis"
) -> None:
    (key,) = redis_client.scan_iter("proctor:worker:*")
    name = key.decode().removeprefix("proctor:worker:")
    assert redis_client.publish(f"rq:pubsub:{name}", '{"command": "shutdown"}') == 0
    assert len(results(api, post(api, "ac"))) == 2
