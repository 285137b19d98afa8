"""The whole stack, from a request to its rewards."""

import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import httpx

from bench import workloads
from bench.cpu import Parts
from proctor import Client
from proctor.types import Item, Problem, Result
from proctor_server.backends import SandboxKind
from proctor_server.up import StackOptions, background_stack, cores, free_port

# Far above what any batch takes; a stack that hangs must not hang the bench.
_LONGEST_S = 180.0


class WrongReward(Exception):
    """Raised when a program that is right earned anything else than 1.0: nothing was measured."""


@dataclass(frozen=True, slots=True)
class Server:
    """A stack of our own, with a client of it."""

    url: str
    parts: Parts
    client: Client


@contextmanager
def running_stack(
    sandbox: SandboxKind, runtime: str | None, workers: int | None = None
) -> Iterator[Server]:
    """The embedded stack, with a worker for each core if not told how many.

    Raises StackError.
    """
    with tempfile.TemporaryDirectory(prefix="proctor-bench-") as folder:
        options = StackOptions(
            state_dir=Path(folder),
            port=free_port(),
            workers=workers or cores(),
            sandbox=sandbox,
            runtime=runtime,
        )
        with (
            (Path(folder) / "log").open("w+b") as log,
            background_stack(options, log) as stack,
            Client(stack.url) as client,
        ):
            client.put_problem(workloads.TRIVIAL)
            pids = stack.supervisor.pids
            running = tuple(pid for name, pid in pids.items() if name.startswith("worker"))
            parts = Parts(api=pids["api"], redis=pids["redis"], workers=running)
            yield Server(stack.url, parts, client)


def trivial_batch(server: Server, programs: int, mark: str) -> float:
    """Seconds from posting a batch of trivial programs to its last reward."""
    sources = list(islice(workloads.trivial(mark), programs))
    began = time.perf_counter()
    server.client.score(
        workloads.TRIVIAL.id, sources, form="source", timeout_s=_LONGEST_S, on_result=_check
    )
    return time.perf_counter() - began


def humaneval_batch(server: Server, problems: list[Problem], samples: int, mark: str) -> float:
    """Seconds from posting canonical solutions to the last reward."""
    programs = workloads.humaneval_programs(problems, samples, mark)
    ids, sources = [problem.id for problem, _ in programs], [source for _, source in programs]
    began = time.perf_counter()
    server.client.score(
        ids,
        sources,
        form="source",
        reward="all_or_nothing",
        timeout_s=_LONGEST_S,
        on_result=_check,
    )
    return time.perf_counter() - began


def single_requests(server: Server, requests: int, mark: str) -> list[float]:
    """Seconds of each of some requests for one program, one after the other."""
    times = []
    for source in islice(workloads.trivial(mark), requests):
        began = time.perf_counter()
        result = server.client.submission(_item(source), timeout_s=_LONGEST_S)
        times.append(time.perf_counter() - began)
        _check(result)
    return times


def many_callers(server: Server, callers: int, requests: int, mark: str) -> float:
    """Seconds until each of some callers has had its requests for one program answered.

    Callers are threads with one Client: real ones have machines of their own, and an
    AsyncClient takes four times their CPU time from the stack.
    """

    def caller(sources: Sequence[str]) -> None:
        for source in sources:
            result = server.client.submission(_item(source), timeout_s=_LONGEST_S)
            _check(result)

    sources = list(islice(workloads.trivial(mark), callers * requests))
    with ThreadPoolExecutor(callers) as threads:
        began = time.perf_counter()
        for done in [threads.submit(caller, sources[n::callers]) for n in range(callers)]:
            done.result()
        return time.perf_counter() - began


def run_code_requests(server: Server, callers: int, requests: int, mark: str) -> float:
    """Seconds until each of some callers has had its requests in SandboxFusion's format answered.

    Each is a raw run of its own, as verl sends one for every test.
    """

    def caller(client: httpx.Client, sources: Sequence[str]) -> None:
        for source in sources:
            asked = {"code": source, "language": "python", "stdin": "41\n"}
            answer = client.post("/run_code", json=asked, timeout=_LONGEST_S).json()
            if answer["status"] != "Success" or answer["run_result"]["stdout"] != "42\n":
                raise WrongReward(f"a right program was told to be {answer['status']}")

    sources = list(islice(workloads.trivial(mark), callers * requests))
    pool = httpx.Limits(max_connections=callers, max_keepalive_connections=callers)
    with (
        ThreadPoolExecutor(callers) as threads,
        httpx.Client(base_url=server.url, limits=pool, trust_env=False) as client,
    ):
        began = time.perf_counter()
        for done in [threads.submit(caller, client, sources[n::callers]) for n in range(callers)]:
            done.result()
        return time.perf_counter() - began


def _item(source: str) -> Item:
    return Item(problem_id=workloads.TRIVIAL.id, source=source)


def _check(result: Result) -> None:
    if result.reward != 1.0:
        why = f": {result.reason}" if result.reason else ""
        raise WrongReward(f"a right program earned {result.reward}, {result.verdict}{why}")
