"""The async client: `Client` method by method, over the same flows."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from types import TracebackType
from typing import Self, Unpack

import httpx

from proctor import _flows as flows
from proctor import _requests as requests
from proctor._client import DEFAULT_URL
from proctor._effects import Flow
from proctor._http import Async, Connection
from proctor._requests import Form, ItemLike, Options, ProblemLike, RunLike
from proctor._responses import ServerInfo
from proctor._retries import Retry
from proctor.runs import RunResult
from proctor.types import (
    BatchStatus,
    ImportReport,
    ListedBatch,
    ProblemInfo,
    ProblemStats,
    Result,
    Stats,
    SubmissionDetail,
)


class AsyncClient:
    """A connection to a Proctor server, for use in one asyncio event loop.

    Arguments and errors are those of `Client`.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        api_key: str | None = None,
        retry: Retry | None = None,
        read_timeout_s: float = 60.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._http = Async(Connection(url, api_key, read_timeout_s), asyncio.sleep, transport)
        self._retry = retry or Retry()

    # -- problems -----------------------------------------------------------------------------

    async def put_problem(self, problem: ProblemLike) -> ProblemInfo:
        """Store a problem under its id, in place of what was there."""
        return await self._http.run(flows.put_problem(problem, self._retry))

    async def import_problems(self, problems: Iterable[ProblemLike]) -> ImportReport:
        """Store any number of problems; the iterable is read as it is sent."""
        return await self._http.run(flows.import_problems(problems, self._retry))

    async def problem(self, problem_id: str) -> ProblemInfo:
        """What may be known of a problem: never its hidden tests."""
        return await self._http.run(flows.problem(problem_id, self._retry))

    async def problems(self) -> AsyncIterator[str]:
        """The ids of all problems."""
        async for page in self._pages(flows.problem_page):
            for problem_id in page.ids:
                yield problem_id

    async def problem_stats(self, problem_id: str) -> ProblemStats:
        """What came of the submissions for a problem since its tests were last changed."""
        return await self._http.run(flows.problem_stats(problem_id, self._retry))

    async def problems_stats(self) -> AsyncIterator[ProblemStats]:
        """The same of all problems, in the order of their ids."""
        async for page in self._pages(flows.problem_stats_page):
            for stats in page.problems:
                yield stats

    # -- programs -----------------------------------------------------------------------------

    async def score(
        self,
        problem_ids: str | Sequence[str],
        completions: Sequence[str],
        *,
        form: Form = "completion",
        language: str = "python",
        timeout_s: float | None = None,
        on_result: Callable[[Result], object] | None = None,
        **options: Unpack[Options],
    ) -> list[float | None]:
        """Rewards of completions, in their order; None where the fault is Proctor's.

        Arguments are those of `Client.score`.
        """
        if not completions:
            return []
        request = requests.score_request(problem_ids, completions, form, language, options)
        found: list[Result] = []
        async for result in self._http.iterate(flows.score(request, self._retry, timeout_s)):
            found.append(result)
            if on_result is not None:
                on_result(result)
        return flows.rewards(found, len(completions))

    async def submit(
        self,
        items: Iterable[ItemLike],
        *,
        idempotency_key: str | None = None,
        **options: Unpack[Options],
    ) -> "AsyncBatch":
        """Post a batch and return at once with a handle to it; see `Client.submit`."""
        request = requests.batch_request(items, options)
        accepted = await self._http.run(flows.submit(request, idempotency_key, self._retry))
        return AsyncBatch(self._http, self._retry, accepted)

    async def batch(self, batch_id: str) -> "AsyncBatch":
        """A handle to a batch posted before. Raises `NotFound` if there is none."""
        found = await self._http.run(flows.status(batch_id, self._retry))
        return AsyncBatch(self._http, self._retry, found)

    async def batches(self) -> AsyncIterator[ListedBatch]:
        """One's own batches whose results are kept, newest first; everybody's for an admin."""
        async for page in self._pages(flows.batch_page):
            for batch in page.batches:
                yield batch

    async def submission(
        self, item: ItemLike, *, timeout_s: float | None = None, **options: Unpack[Options]
    ) -> Result:
        """Post one program and wait for its result; `timeout_s` as for `score`."""
        request = requests.submission_request(item, options)
        found = self._http.iterate(flows.submission(request, self._retry, timeout_s))
        return flows.only([result async for result in found])

    # -- the server ---------------------------------------------------------------------------

    async def run(self, request: RunLike) -> RunResult:
        """Run one program and get its output, as `Client.run`."""
        return await self._http.run(flows.run(request, self._retry))

    async def info(self) -> ServerInfo:
        """What the server is: version, sandbox, workers, languages, limits."""
        return await self._http.run(flows.info(self._retry))

    async def stats(self) -> Stats:
        """How the server does, now and over the last hour."""
        return await self._http.run(flows.stats(self._retry))

    async def close(self) -> None:
        """Close every connection."""
        await self._http.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def _pages(
        self, ask: Callable[[str | None, Retry], Flow[flows.Page]]
    ) -> AsyncIterator[flows.Page]:
        after: str | None = None
        while True:
            page = await self._http.run(ask(after, self._retry))
            yield page
            if (after := page.next) is None:
                return


class AsyncBatch:
    """A batch on the server; `Batch`, awaited."""

    def __init__(self, http: Async, retry: Retry, accepted: BatchStatus) -> None:
        self._http = http
        self._retry = retry
        self._accepted = accepted

    @property
    def id(self) -> str:
        """The server's name for it."""
        return self._accepted.id

    @property
    def total(self) -> int:
        """How many programs it has."""
        return self._accepted.total

    def results(
        self, *, cursor: int = 0, timeout_s: float | None = None
    ) -> AsyncGenerator[Result, None]:
        """Results in completion order as they are known; see `Batch.results`."""
        deadline = flows.Deadline.after(timeout_s)
        return self._http.iterate(flows.results(self.id, self._retry, deadline, cursor))

    async def rewards(self, *, timeout_s: float | None = None) -> list[float | None]:
        """Wait for all rewards, in the order in which the items were posted."""
        found = [result async for result in self.results(timeout_s=timeout_s)]
        return flows.rewards(found, self.total)

    async def status(self) -> BatchStatus:
        """How far it is."""
        return await self._http.run(flows.status(self.id, self._retry))

    async def wait(self, *, timeout_s: float | None = None) -> BatchStatus:
        """Wait until it is complete. Raises `WaitTimeout` after `timeout_s` seconds."""
        deadline = flows.Deadline.after(timeout_s)
        return await self._http.run(flows.wait(self.id, self._retry, deadline))

    async def submission(self, index: int) -> SubmissionDetail:
        """One of its programs, and its result if there is one yet; see `Batch.submission`."""
        return await self._http.run(flows.detail(self.id, index, self._retry))

    async def cancel(self) -> BatchStatus:
        """Cancel what of it has not run yet; those items end without verdict and reward."""
        return await self._http.run(flows.cancel(self.id, self._retry))
