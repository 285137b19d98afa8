"""The model of the queue, and what it predicts of this machine."""

import json
from pathlib import Path

import pytest
from bench.costs import DOCUMENTED, measured
from bench.simulate import burst, conclusion, limit, row
from bench.simulation import Fleet, Seen, by_the_queue, of_size, simulated

SLOW_S = 0.01
FAST = DOCUMENTED


def test_every_program_is_answered_once_and_takes_its_time() -> None:
    posts = [[SLOW_S] * 50, [SLOW_S] * 50]
    seen = simulated(posts, Fleet(workers=4), FAST)
    assert len(seen.answered_s) == 100
    assert max(seen.answered_s) == seen.makespan_s > 100 * SLOW_S / 4


def test_more_workers_are_faster_until_redis_is_the_limit() -> None:
    posts = burst(800, FAST, endless_share=0.0)
    spans = [simulated(posts, Fleet(workers), FAST) for workers in (2, 20)]
    assert spans[0].makespan_s > 5 * spans[1].makespan_s
    assert limit(Fleet(2), spans[0]) == "workers"
    one_by_one = simulated(posts, Fleet(500), FAST, of_size(1))
    assert limit(Fleet(500), one_by_one) == "Redis"


def test_a_program_that_never_ends_holds_up_its_chunk() -> None:
    posts = [[SLOW_S] * 63 + [5.0]]
    alone = simulated(posts, Fleet(64), FAST, of_size(1))
    together = simulated(posts, Fleet(64), FAST, of_size(64))
    assert together.makespan_s > alone.makespan_s > 5.0
    assert limit(Fleet(64), together) == "stragglers"


def test_chunks_are_those_of_the_product() -> None:
    sizes = by_the_queue(2000, 2, 0)
    assert sum(sizes) == 2000
    assert sizes[0] == 64
    assert sizes[-1] <= 4
    assert of_size(64)(130, 2, 0) == [64, 64, 2]


def test_workers_on_one_core_share_it() -> None:
    posts = [[SLOW_S] * 100]
    shared = simulated(posts, Fleet(4, cores=1), FAST)
    assert shared.makespan_s > 100 * SLOW_S


def test_a_record_of_the_bench_tells_a_chunk_from_a_program(tmp_path: Path) -> None:
    record = tmp_path / "latest.json"
    chunks = len(by_the_queue(2000, 2, 0))
    part = {"sandbox": 4.0, "engine": 0.2, "client": 0.1}
    batch = part | {"api": 0.003 + 1999 * 0.0001, "worker": 0.5}
    batch["redis"] = chunks * 0.001 + (2000 - chunks) * 0.0001
    single = part | {"api": 200 * 0.003, "redis": 200 * 0.001, "worker": 200 * 0.003}
    said = {"single": single, "trivial": batch}
    programs = {"single": 200, "trivial": 2000}
    record.write_text(json.dumps({"workers": 2, "cpu_seconds": said, "cpu_programs": programs}))
    costs = measured(record)
    assert costs.redis_per_submission_s == pytest.approx(0.0001)
    assert costs.redis_per_chunk_s == pytest.approx(0.0009)
    assert costs.api_per_submission_s == pytest.approx(0.0001)
    assert costs.api_per_request_s == pytest.approx(0.0029)
    assert costs.sandbox_s == pytest.approx(0.0021)


def test_the_conclusion_names_the_limit_of_each_size() -> None:
    seen = Seen(makespan_s=2.0, answered_s=[1.0] * 200, redis_busy_s=1.9, worker_work_s=10.0)
    said = row(Fleet(100), seen)
    assert (said["limit"], said["redis_busy"], said["p99_s"]) == ("Redis", 0.95, 1.0)
    assert "Redis at 100;" in conclusion([said], FAST)
