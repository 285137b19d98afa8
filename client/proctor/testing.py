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
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from hashlib import sha256

import httpx
import pydantic

from proctor._fake_batch import FakeBatch, Judge, Program, problem_stats
from proctor.types import (
    BatchPage,
    BatchRequest,
    FieldProblem,
    ImportReport,
    MemoryStats,
    Problem,
    ProblemDetails,
    ProblemInfo,
    ProblemStats,
    ProblemStatsPage,
    Stats,
    StreamEnd,
    SubmissionRequest,
)

__all__ = ["FakeServer", "Judge", "Program"]


class FakeServer(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """An httpx transport, blocking and async, that answers as Proctor's API does.

    Args:
        judge: called once per program, in the order of the batch; by default all earn 1.0.
        check_problems: refuse problem ids that were not stored, as the real server does.
    """

    def __init__(self, judge: Judge | None = None, *, check_problems: bool = False) -> None:
        self.requests: list[httpx.Request] = []
        # What GET /v1/stats answers: nothing of what was posted is counted in it.
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
        self._batches: dict[str, FakeBatch] = {}
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
            case "GET", ["problems", "stats"]:
                page, following = self._problem_ids(request.url.params)
                told = [self._stats_of(problem_id) for problem_id in page]
                return _json(200, ProblemStatsPage(problems=told, next=following))
            case "GET", ["problems", *name, "stats"] if "/".join(name) in self._problems:
                return _json(200, self._stats_of("/".join(name)))
            case "PUT", ["problems", *_]:
                self._store(problem := Problem.model_validate_json(body))
                return _json(200, _info(problem))
            case "GET", ["problems", _, *_]:
                found = self._problems.get(path.removeprefix("/v1/problems/"))
                return _json(200, _info(found)) if found else _refused(404, "no such problem")
            case "GET", ["problems"]:
                page, following = self._problem_ids(request.url.params)
                return httpx.Response(200, json={"ids": page, "next": following})
            case "POST", ["problems"]:
                lines = [line for line in body.split(b"\n") if line.strip()]
                stored = sum(self._store(Problem.model_validate_json(line)) for line in lines)
                return _json(200, ImportReport(stored=stored, unchanged=len(lines) - stored))
            case "GET", ["batches"]:
                return self._list_batches(request.url.params)
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

    def _problem_ids(self, params: httpx.QueryParams) -> tuple[list[str], str | None]:
        left = sorted(i for i in self._problems if i > params.get("after", ""))
        return _paged(left, params)

    def _list_batches(self, params: httpx.QueryParams) -> httpx.Response:
        left = list(reversed(self._batches))
        if "after" in params:
            if params["after"] not in left:
                return _refused(422, "after is no place in the list")
            left = left[left.index(params["after"]) + 1 :]
        page, following = _paged(left, params)
        batches = [self._batches[batch_id].listed() for batch_id in page]
        return _json(200, BatchPage(batches=batches, next=following))

    def _stats_of(self, problem_id: str) -> ProblemStats:
        return problem_stats(self._problems[problem_id], list(self._batches.values()))

    def _create(self, batch: BatchRequest, body: bytes, request: httpx.Request) -> httpx.Response:
        key = request.headers.get("idempotency-key", "")
        if key in self._keys:
            known = self._batches[self._keys[key]]
            if known.body != body:
                return _refused(409, "this idempotency key came with another body")
            return _json(200, known.status())
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
        made = FakeBatch.of(f"fake-{next(self._ids)}", batch, body, self._judge, self._held)
        self._batches[made.id] = made
        if key:
            self._keys[key] = made.id
        return _json(201, made.status())

    def _submit(
        self, item: SubmissionRequest, body: bytes, request: httpx.Request
    ) -> httpx.Response:
        response = self._create(BatchRequest(items=[item]), body, request)
        if response.status_code >= 400:
            return response
        made = self._batches[json.loads(response.content)["id"]]
        return _json(200, made.results[0]) if made.ready else _json(202, made.status())

    def _batch(
        self, method: str, rest: list[str], batch: FakeBatch, request: httpx.Request
    ) -> httpx.Response:
        batch.end_if_late()
        match method, rest:
            case "GET", []:
                return _json(200, batch.status())
            case "DELETE", []:
                batch.cancel()
                return _json(200, batch.status())
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
            case "GET", ["results", index] if index.isdecimal() and int(index) < batch.total:
                return _json(200, batch.detail(int(index)))
            case _:
                return _refused(404, f"{method} is not there")


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


def _info(problem: Problem) -> ProblemInfo:
    body = problem.model_dump_json()
    return ProblemInfo(
        version=sha256(body.encode()).hexdigest(),
        tests=len(problem.tests),
        public_tests=[test for test in problem.tests if test.public],
        **problem.model_dump(exclude={"tests", "reference"}),
    )


def _paged(left: list[str], params: httpx.QueryParams) -> tuple[list[str], str | None]:
    """The first of what is left, and after which the next page begins."""
    page = left[: int(params.get("limit", "100"))]
    return page, page[-1] if len(page) < len(left) else None


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
