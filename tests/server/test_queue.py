"""The queue: how units become chunks, and what a job may be."""

import time

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st
from rq.serializers import JSONSerializer

from proctor_server.chunk_job import RUN_CHUNK, ChunkJob
from proctor_server.queue import (
    MAX_TESTS,
    MAX_UNITS,
    Chunk,
    ChunkQueue,
    Size,
    into_chunks,
)
from proctor_server.units import Unit


def units(count: int, tests: int = 1, language: str = "python") -> list[tuple[Unit, Size]]:
    size = Size(tests, tests * 10.0)
    return [(Unit.of(language, f"{i} {language}", "v"), size) for i in range(count)]


@pytest.mark.parametrize(
    ("count", "workers", "backlog", "chunks"),
    [
        (0, 2, 0, []),
        (1, 2, 0, [1]),
        (1, 0, 0, [1]),  # nobody there yet
        (1, 2, 10_000, [1]),
        (8, 2, 0, [1] * 8),
        (16, 2, 0, [3] * 5 + [1]),
        (10, 2, 1000, [10]),  # the others are kept busy anyway: one job for all that came together
        (100, 2, 0, [17, 14, 12, 10, 8, 6, 6, 4, 4, 4, 4, 4, 4, 3]),  # small towards the end
        (1000, 2, 10_000, [64] * 15 + [40]),  # its end is not the queue's
    ],
)
def test_chunks_grow_with_the_work_there_is(
    count: int, workers: int, backlog: int, chunks: list[int]
) -> None:
    made = into_chunks(units(count), workers, backlog)
    assert [len(chunk.units) for chunk in made] == chunks


def test_programs_of_many_tests_make_small_chunks() -> None:
    made = into_chunks(units(40, tests=100), 1, 10_000)
    assert [len(chunk.units) for chunk in made] == [MAX_TESTS // 100] * 6 + [4]
    assert [len(chunk.units) for chunk in into_chunks(units(2, tests=2000), 1, 10_000)] == [1, 1]


def test_a_chunk_is_of_one_language() -> None:
    mixed = units(5) + units(5, language="cpp") + units(5, language="c")
    mixed = mixed[::3] + mixed[1::3] + mixed[2::3]
    made = into_chunks(mixed, 1, 1000)
    assert sorted({unit.language for unit in chunk.units}.pop() for chunk in made) == [
        "c",
        "cpp",
        "python",
    ]


def test_the_timeout_is_beyond_the_worst_that_programs_can_do() -> None:
    (chunk,) = into_chunks(units(3, tests=2), 1, 1000)
    # 3 programs of 2 tests of 10 s, three times over, and as much for sandboxes lost.
    assert chunk.timeout_s > 3 * 2 * 10 * 3


@given(
    st.lists(st.tuples(st.integers(1, 3000), st.sampled_from(["python", "cpp"])), max_size=200),
    st.integers(0, 64),
    st.integers(0, 100_000),
)
def test_every_unit_is_in_one_chunk(
    wanted: list[tuple[int, str]], workers: int, backlog: int
) -> None:
    given_units = [
        (Unit.of(language, str(i), "v"), Size(tests, 1.0))
        for i, (tests, language) in enumerate(wanted)
    ]
    made = into_chunks(given_units, workers, backlog)
    assert sorted(unit.key for chunk in made for unit in chunk.units) == sorted(
        unit.key for unit, _ in given_units
    )
    assert all(0 < len(chunk.units) <= MAX_UNITS for chunk in made)
    assert len({chunk.id for chunk in made}) == len(made)


def test_the_commands_are_an_rq_job_that_can_be_retried(redis_client: "redis.Redis") -> None:
    queue = ChunkQueue("proctor", redis_client)
    chunk = Chunk("c1", [units(1)[0][0]], 120)
    for command in queue.commands([chunk]):
        redis_client.execute_command(*command)  # type: ignore[no-untyped-call]
    assert queue.job_ids == []  # it is put there when it is its turn
    job = ChunkJob.fetch("c1", redis_client, serializer=JSONSerializer)
    assert (job.func_name, job.args, job.timeout, job.retries_left) == (RUN_CHUNK, ["c1"], 120, 2)
    assert job.result_ttl == 0


def test_what_had_its_turn_goes_to_the_front(redis_client: "redis.Redis") -> None:
    queue = ChunkQueue("proctor", redis_client)
    queue.push_job_id("c1")
    for command in queue.commands_again([Chunk("c2", [units(1)[0][0]], 120)]):
        redis_client.execute_command(*command)  # type: ignore[no-untyped-call]
    assert queue.job_ids == ["c2", "c1"]


def test_nothing_is_sent_by_making_commands(redis_client: "redis.Redis") -> None:
    queue = ChunkQueue("proctor", redis_client)
    queue.commands([Chunk("c1", [], 1)])
    assert redis_client.dbsize() == 0
    assert queue.commands([]) == []


def test_making_many_commands_is_quick(redis_client: "redis.Redis") -> None:
    queue = ChunkQueue("proctor", redis_client)
    chunks = [Chunk(str(i), [], 1) for i in range(200)]
    queue.commands(chunks[:1])
    began = time.process_time()
    queue.commands(chunks)
    # 0.2 ms a job was measured; ten times that would be a batch's largest cost.
    assert time.process_time() - began < 0.4
