"""The pool over the fake. Nothing here sleeps: every wait is for a condition."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from proctor_sandbox.errors import LanguageUnavailable, SandboxLost, SandboxUnavailable
from proctor_sandbox.fake import FakeBackend, loses_sandbox
from proctor_sandbox.pool import Pool
from proctor_sandbox.programs import Program, StdinCase, Work
from proctor_sandbox.seam import Sandbox


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it never came about"
        time.sleep(0.001)


def run(sandbox: Sandbox, programs: int = 1, source: str = "pass") -> None:
    work = Work(Program("python", source), (StdinCase(b""),))
    assert len(list(sandbox.execute([work] * programs))) == programs


@pytest.fixture
def backend() -> FakeBackend:
    return FakeBackend({"lose": loses_sandbox(1000)})


@pytest.fixture
def pool(backend: FakeBackend) -> Iterator[Pool]:
    pool = Pool(backend, ["python"], max_programs=5, spares=1)
    yield pool
    pool.close()
    assert backend.live == []


def test_sandboxes_are_started_ahead(pool: Pool) -> None:
    until(lambda: pool.stats().idle == 2)
    assert pool.stats().started == {"python": 2}


def test_a_sandbox_given_back_is_used_again(pool: Pool) -> None:
    until(lambda: pool.stats().idle == 2)
    first = pool.lease("python")
    run(first)
    pool.give_back(first)
    assert pool.lease("python") is first
    assert pool.stats().started == {"python": 2}
    assert pool.stats().replaced == {}


def test_a_worn_sandbox_is_replaced(pool: Pool, backend: FakeBackend) -> None:
    until(lambda: pool.stats().idle == 2)
    sandbox = pool.lease("python")
    assert pool.programs_left(sandbox) == 5
    run(sandbox, programs=4)
    assert pool.programs_left(sandbox) == 1
    run(sandbox)
    assert pool.programs_left(sandbox) == 0
    pool.give_back(sandbox)
    until(lambda: pool.stats().idle == 2)
    until(lambda: sandbox not in backend.live)
    assert pool.stats().replaced == {"worn": 1}
    assert pool.stats().started == {"python": 3}


def test_max_programs_of_one_is_a_fresh_sandbox_for_each(backend: FakeBackend) -> None:
    pool = Pool(backend, max_programs=1, spares=0)
    seen = set()
    for _ in range(4):
        sandbox = pool.lease("python")
        run(sandbox)
        seen.add(sandbox.info.name)
        pool.give_back(sandbox)
    assert len(seen) == 4
    pool.close()


def test_a_lost_sandbox_is_replaced_and_its_reason_counted(pool: Pool) -> None:
    for _ in range(3):
        sandbox = pool.lease("python")
        with pytest.raises(SandboxLost):
            run(sandbox, source="lose")
        pool.discard(sandbox, "the agent has ended: and why, at length")
    run(pool.lease("python"))
    assert pool.stats().replaced == {"the agent has ended": 3}


def test_an_image_not_started_ahead_starts_when_leased(pool: Pool) -> None:
    assert pool.lease("native").info.image == "native"


def test_as_many_as_were_needed_at_once_are_kept(pool: Pool) -> None:
    sandboxes = [pool.lease("python") for _ in range(5)]
    assert len({id(sandbox) for sandbox in sandboxes}) == 5
    until(lambda: pool.stats().idle == 1)
    for sandbox in sandboxes:
        pool.give_back(sandbox)
    assert pool.stats().idle == 6
    assert pool.stats().started == {"python": 6}


def test_a_failed_start_is_told_to_who_waits_for_it(backend: FakeBackend) -> None:
    backend.broken = "the engine is on holiday"
    pool = Pool(backend, ["python"])
    for _ in range(2):
        with pytest.raises(SandboxUnavailable, match="on holiday"):
            pool.lease("python")
    assert pool.stats().start_failures["python"] >= 2
    backend.broken = None
    run(pool.lease("python"))
    pool.close()


def test_the_kind_of_failure_is_kept() -> None:
    class NoCompiler(FakeBackend):
        def start(self, image: str) -> Sandbox:
            raise LanguageUnavailable(f"no {image} here")

    pool = Pool(NoCompiler())
    with pytest.raises(LanguageUnavailable, match="no native here"):
        pool.lease("native")
    pool.close()


def test_a_backend_that_fails_is_not_asked_all_the_time(backend: FakeBackend) -> None:
    backend.broken = "down"
    pool = Pool(backend, ["python"])
    until(lambda: pool.stats().start_failures != {})
    # The first wait is half a second: a loop without it would make thousands of attempts.
    deadline = time.monotonic() + 0.1
    until(lambda: time.monotonic() > deadline)
    assert pool.stats().start_failures == {"python": 1}
    pool.close()


def test_many_callers_never_share_a_sandbox(backend: FakeBackend) -> None:
    pool = Pool(backend, ["python"], max_programs=3)
    in_use: set[int] = set()
    clashes = []
    lock = threading.Lock()

    def work() -> None:
        for _ in range(50):
            sandbox = pool.lease("python")
            with lock:
                clashes.extend([sandbox] if id(sandbox) in in_use else [])
                in_use.add(id(sandbox))
            run(sandbox)
            with lock:
                in_use.discard(id(sandbox))
            pool.give_back(sandbox)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clashes == []
    assert pool.stats().leased == 0
    pool.close()
    assert backend.live == []


def test_close_ends_leased_sandboxes_too_and_may_be_repeated(backend: FakeBackend) -> None:
    pool = Pool(backend, ["python"])
    leased = pool.lease("python")
    pool.close()
    pool.close()
    assert backend.live == []
    pool.give_back(leased)  # comes too late, and does no harm
    pool.discard(leased, "late")
    with pytest.raises(SandboxUnavailable, match="closed"):
        pool.lease("python")


def test_who_waits_is_told_of_the_close() -> None:
    starting = threading.Event()
    go_on = threading.Event()

    class Slow(FakeBackend):
        def start(self, image: str) -> Sandbox:
            starting.set()
            assert go_on.wait(10)
            return super().start(image)

    backend = Slow()
    pool = Pool(backend)
    failures: list[Exception] = []

    def lease() -> None:
        try:
            pool.lease("python")
        except SandboxUnavailable as error:
            failures.append(error)

    caller = threading.Thread(target=lease)
    caller.start()
    assert starting.wait(10)
    closer = threading.Thread(target=pool.close)
    closer.start()
    caller.join(10)
    go_on.set()
    closer.join(10)
    assert len(failures) == 1
    assert backend.live == []


@pytest.mark.parametrize(("max_programs", "spares"), [(0, 1), (1, -1)])
def test_senseless_options_are_refused(
    backend: FakeBackend, max_programs: int, spares: int
) -> None:
    with pytest.raises(ValueError, match="at least"):
        Pool(backend, max_programs=max_programs, spares=spares)
