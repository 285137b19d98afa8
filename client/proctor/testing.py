"""A Proctor server in memory, for the tests of whoever uses the client.

    server = FakeServer(judge=lambda program: 1.0 if "return" in program.text else 0.0)
    client = Client(transport=server)          # or AsyncClient(transport=server)
    server.fail(503, times=2)                  # the client's retries see to it
    server.cut_streams(after=10)               # and resumes at its cursor
    server.hold(after=2)                       # further results do not come, until release()

No program is run: `judge` says what each one earns.
"""

import gzip
import itertools
import json
import threading
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

import httpx
import pydantic

from proctor.types import (
    BatchRequest,
    BatchStatus,
    FieldProblem,
    ImportReport,
    Item,
    MemoryStats,
    Problem,
    ProblemDetails,
    ProblemInfo,
    Result,
    Stats,
    StreamEnd,
    SubmissionRequest,
    Verdict,
)


@dataclass(frozen=True, slots=True)
class Program:
    """What a judge is shown: an item's problem id, language and text."""

    problem_id: str
    language: str
    text: str


# A reward from 0 to 1, None for a fault of Proctor's, or a verdict that stands for one.
Judge = Callable[[Program], float | Verdict | None]


@dataclass(slots=True)
class _Batch:
    id: str
    body: bytes
    results: list[Result]
    created_at: float
    deadline_s: float | None
    # How many of the results are there.
    ready: int
    cancelled: bool = False

    @property
    def total(self) -> int:
        return len(self.results)

    @property
    def state(self) -> Literal["running", "done", "cancelled"]:
        if self.ready < self.total:
            return "running"
        return "cancelled" if self.cancelled else "done"

    def end_if_late(self) -> None:
        """As the server does at a batch's deadline."""
        if self.deadline_s is not None and time.time() >= self.created_at + self.deadline_s:
            self.cancel()

    def cancel(self) -> None:
        """End what is not ready as cancelled."""
        for place in range(self.ready, self.total):
            self.cancelled = True
            self.results[place] = self.results[place].model_copy(
                update={"state": "cancelled", "verdict": None, "pass_rate": None, "reward": None}
            )
        self.ready = self.total


class FakeServer(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """An httpx transport, blocking and async, that answers as Proctor's API does.

    Args:
        judge: called once per program, in the order of the batch; by default all earn 1.0.
        check_problems: refuse problem ids that were not stored, as the real server does.
    """

    def __init__(self, judge: Judge | None = None, *, check_problems: bool = False) -> None:
        self.requests: list[httpx.Request] = []
        # What GET /v1/stats answers: nothing of what was posted is counted.
        self.stats = Stats(
            at=time.time(),
            version="fake",
            pending=0,
            waiting_chunks=0,
            oldest_wait_s=None,
            memory=MemoryStats(used_bytes=0, limit_bytes=None, nearly_full=False),
            programs_per_s=0.0,
            ie_share=0.0,
            cached_share=0.0,
            verdicts={},
            faults={},
            workers=[],
            history=[],
        )
        self._judge = judge or (lambda _: 1.0)
        self._check_problems = check_problems
        self._problems: dict[str, Problem] = {}
        self._batches: dict[str, _Batch] = {}
        self._keys: dict[str, str] = {}
        self._failures: deque[int | type[httpx.TransportError]] = deque()
        self._cuts: deque[int] = deque()
        self._held: int | None = None
        self._ids = itertools.count(1)
        self._lock = threading.Lock()

    def fail(self, failure: int | type[httpx.TransportError], *, times: int = 1) -> None:
        """Answer the next requests with an HTTP status, or break their connection."""
        self._failures.extend([failure] * times)

    def cut_streams(self, after: int, *, times: int = 1) -> None:
        """Break the next results streams, within the line that follows so many whole ones."""
        self._cuts.extend([after] * times)

    def hold(self, after: int = 0) -> None:
        """Keep back all but so many results of every batch from now on, until `release`.

        What is kept back ends as cancelled at the batch's deadline, or when it is cancelled.
        """
        with self._lock:
            self._held = after

    def release(self) -> None:
        """Let everything through that was held."""
        with self._lock:
            self._held = None
            for batch in self._batches.values():
                batch.ready = batch.total

    # -- httpx's side -------------------------------------------------------------------------

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request of a blocking client."""
        request.read()
        return self._handled(request)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request of an async client."""
        await request.aread()
        return self._handled(request)

    def _handled(self, request: httpx.Request) -> httpx.Response:
        with self._lock:
            self.requests.append(request)
            if self._failures:
                failure = self._failures.popleft()
                if isinstance(failure, int):
                    return _refused(failure, "a failure that the test asked for")
                raise failure("a failure that the test asked for", request=request)
            try:
                return self._routed(request)
            except pydantic.ValidationError as error:
                return _refused(422, f"{error.error_count()} fault(s)")

    # -- routes -------------------------------------------------------------------------------

    def _routed(self, request: httpx.Request) -> httpx.Response:
        body = request.content
        if request.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        path = request.url.path
        parts = path.removeprefix("/v1/").split("/")
        match request.method, parts:
            case "GET", ["stats"]:
                return _json(200, self.stats)
            case "PUT", ["problems", *_]:
                self._store(problem := Problem.model_validate_json(body))
                return _json(200, _info(problem))
            case "GET", ["problems", _, *_]:
                found = self._problems.get(path.removeprefix("/v1/problems/"))
                return _json(200, _info(found)) if found else _refused(404, "no such problem")
            case "GET", ["problems"]:
                return self._page(request.url.params)
            case "POST", ["problems"]:
                lines = [line for line in body.split(b"\n") if line.strip()]
                stored = sum(self._store(Problem.model_validate_json(line)) for line in lines)
                return _json(200, ImportReport(stored=stored, unchanged=len(lines) - stored))
            case "POST", ["batches"]:
                return self._create(BatchRequest.model_validate_json(body), body, request)
            case "POST", ["submissions"]:
                return self._submit(SubmissionRequest.model_validate_json(body), body, request)
            case "GET", ["info"]:
                return httpx.Response(200, json={"version": "fake", "sandbox": "none"})
            case method, ["batches", batch_id, *rest] if batch := self._batches.get(batch_id):
                return self._batch(method, rest, batch, request)
            case _:
                return _refused(404, f"{request.method} {path} is not there")

    def _store(self, problem: Problem) -> bool:
        changed = self._problems.get(problem.id) != problem
        self._problems[problem.id] = problem
        return changed

    def _page(self, params: httpx.QueryParams) -> httpx.Response:
        ids = sorted(i for i in self._problems if i > params.get("after", ""))
        page = ids[: int(params.get("limit", "100"))]
        return httpx.Response(
            200, json={"ids": page, "next": page[-1] if len(page) < len(ids) else None}
        )

    def _create(self, batch: BatchRequest, body: bytes, request: httpx.Request) -> httpx.Response:
        key = request.headers.get("idempotency-key", "")
        if key in self._keys:
            known = self._batches[self._keys[key]]
            if known.body != body:
                return _refused(409, "this idempotency key came with another body")
            return _json(200, _status(known))
        if self._check_problems:
            faults = [
                FieldProblem(
                    field=f"items[{index}].problem_id",
                    reason="names no problem that is stored",
                    remedy="store the problem first",
                )
                for index, item in enumerate(batch.items)
                if item.problem_id and item.problem_id not in self._problems
            ]
            if faults:
                return _refused(422, f"the batch has {len(faults)} fault(s)", faults)
        results = self._results(batch)
        made = _Batch(
            f"fake-{next(self._ids)}",
            body,
            results,
            time.time(),
            batch.deadline_s,
            len(results) if self._held is None else min(self._held, len(results)),
        )
        self._batches[made.id] = made
        if key:
            self._keys[key] = made.id
        return _json(201, _status(made))

    def _submit(
        self, item: SubmissionRequest, body: bytes, request: httpx.Request
    ) -> httpx.Response:
        response = self._create(BatchRequest(items=[item]), body, request)
        if response.status_code >= 400:
            return response
        made = self._batches[json.loads(response.content)["id"]]
        return _json(200, made.results[0]) if made.ready else _json(202, _status(made))

    def _batch(
        self, method: str, rest: list[str], batch: _Batch, request: httpx.Request
    ) -> httpx.Response:
        batch.end_if_late()
        match method, rest:
            case "GET", []:
                return _json(200, _status(batch))
            case "DELETE", []:
                batch.cancel()
                return _json(200, _status(batch))
            case "GET", ["results"]:
                cursor = int(request.url.params.get("cursor", "0"))
                there = batch.results[cursor : batch.ready]
                lines = [r.model_dump_json().encode() for r in there]
                end = StreamEnd(cursor=max(cursor, batch.ready), state=batch.state)
                lines.append(end.model_dump_json().encode())
                cut = self._cuts.popleft() if self._cuts else None
                return httpx.Response(
                    200,
                    headers={"content-type": "application/x-ndjson"},
                    stream=_LineStream([line + b"\n" for line in lines], cut),
                )
            case _:
                return _refused(404, f"{method} is not there")

    def _results(self, batch: BatchRequest) -> list[Result]:
        return [self._result(index, item) for index, item in enumerate(batch.items)]

    def _result(self, index: int, item: Item) -> Result:
        problem_id = item.problem_id or (item.problem.id if item.problem else "")
        text = item.source or item.completion or item.continuation or ""
        verdict, reward = _judged(self._judge(Program(problem_id, item.language, text)))
        return Result(
            index=index,
            id=item.id,
            submission_id=sha256(f"{index} {text}".encode()).hexdigest()[:16],
            problem_id=problem_id,
            language=item.language,
            verdict=verdict,
            pass_rate=None if reward is None else max(0.0, min(1.0, reward)),
            reward=reward,
            passed=int(reward == 1.0),
            total=1,
            reason="the judge gave None" if verdict is Verdict.IE else None,
        )


# -- helpers ----------------------------------------------------------------------------------


class _LineStream(httpx.SyncByteStream, httpx.AsyncByteStream):
    """Lines, one a chunk; with a cut, half of a line after so many whole ones, and an error."""

    def __init__(self, lines: list[bytes], cut: int | None) -> None:
        self._lines = lines
        self._cut = cut

    def __iter__(self) -> Iterator[bytes]:
        for place, line in enumerate(self._lines):
            if place == self._cut:
                yield line[: len(line) // 2]
                raise httpx.RemoteProtocolError("a cut that the test asked for")
            yield line

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self:
            yield chunk


def _judged(said: float | Verdict | None) -> tuple[Verdict, float | None]:
    if isinstance(said, Verdict):
        rewards = {Verdict.AC: 1.0, Verdict.IE: None}
        return said, rewards.get(said, 0.0)
    if said is None:
        return Verdict.IE, None
    return Verdict.AC if said == 1.0 else Verdict.WA, float(said)


def _info(problem: Problem) -> ProblemInfo:
    body = problem.model_dump_json()
    return ProblemInfo(
        version=sha256(body.encode()).hexdigest(),
        tests=len(problem.tests),
        public_tests=[test for test in problem.tests if test.public],
        **problem.model_dump(exclude={"tests", "reference"}),
    )


def _status(batch: _Batch) -> BatchStatus:
    there = batch.results[: batch.ready]
    counts = Counter(result.verdict for result in there if result.verdict)
    return BatchStatus(
        id=batch.id,
        state=batch.state,
        total=batch.total,
        completed=batch.ready,
        verdicts=dict(counts),
        created_at=batch.created_at,
    )


def _json(status: int, model: pydantic.BaseModel) -> httpx.Response:
    return httpx.Response(
        status, content=model.model_dump_json(), headers={"content-type": "application/json"}
    )


def _refused(status: int, detail: str, faults: Sequence[FieldProblem] = ()) -> httpx.Response:
    title = httpx.codes.get_reason_phrase(status)
    details = ProblemDetails(title=title, status=status, detail=detail, errors=[*faults])
    return httpx.Response(
        status,
        content=details.model_dump_json(),
        headers={"content-type": "application/problem+json"},
    )
