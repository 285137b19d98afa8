"""The blocking client. Its methods only name flows; what they do is in `_flows.py`."""

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Self, Unpack

import httpx

from proctor import _flows as flows
from proctor import _requests as requests
from proctor._effects import Flow, Stream
from proctor._http import Blocking, Connection
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
    StreamEnd,
    SubmissionDetail,
)

# Where `proctor up` and the compose stack listen.
DEFAULT_URL = "http://127.0.0.1:8077"


class Client:
    """A connection to a Proctor server. Safe to use from several threads.

    Args:
        url: the server's address.
        api_key: sent as a bearer token, where the server asks for one.
        retry: how requests are tried again on transport errors and 429, 502, 503, 504;
            always under the same idempotency key, so that nothing is enqueued twice.
        read_timeout_s: seconds of silence after which a connection counts as broken, on top
            of the time for which the server was asked to hold the request.
        transport: instead of the network; `proctor.testing.FakeServer` is one.

    Every method raises a `ProctorError` on failure: `ConnectionFailed`, `BadAnswer`, or a
    `Refused` that says what the server found wrong.

    Raises:
        ValueError: the address or the key cannot be right.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        api_key: str | None = None,
        retry: Retry | None = None,
        read_timeout_s: float = 60.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._http = Blocking(Connection(url, api_key, read_timeout_s), time.sleep, transport)
        self._retry = retry or Retry()

    # -- problems -----------------------------------------------------------------------------

    def put_problem(self, problem: ProblemLike) -> ProblemInfo:
        """Store a problem under its id, in place of what was there."""
        return self._http.run(flows.put_problem(problem, self._retry))

    def import_problems(self, problems: Iterable[ProblemLike]) -> ImportReport:
        """Store any number of problems; the iterable is read as it is sent."""
        return self._http.run(flows.import_problems(problems, self._retry))

    def problem(self, problem_id: str) -> ProblemInfo:
        """What may be known of a problem: never its hidden tests."""
        return self._http.run(flows.problem(problem_id, self._retry))

    def problems(self) -> Iterator[str]:
        """The ids of all problems."""
        for page in self._pages(flows.problem_page):
            yield from page.ids

    def problem_stats(self, problem_id: str) -> ProblemStats:
        """What came of the submissions for a problem since its tests were last changed."""
        return self._http.run(flows.problem_stats(problem_id, self._retry))

    def problems_stats(self) -> Iterator[ProblemStats]:
        """The same of all problems, in the order of their ids."""
        for page in self._pages(flows.problem_stats_page):
            yield from page.problems

    # -- programs -----------------------------------------------------------------------------

    def score(
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

        Args:
            problem_ids: one per completion, or one for all.
            completions: what the model wrote.
            form: "completion" (raw answer, the program is taken out of it), "source" (a whole
                program) or "continuation" (what follows the problem's prefix).
            language: of all of the programs.
            timeout_s: seconds until `WaitTimeout` is raised and the batch cancelled; where the
                server hangs, it takes up to `read_timeout_s` longer to notice.
            on_result: called with each result as it comes, in completion order.
            **options: reward, stop, extraction, fresh, deadline_s; see `Options`.
        """
        if not completions:
            return []
        request = requests.score_request(problem_ids, completions, form, language, options)
        found: list[Result] = []
        for result in self._http.iterate(flows.score(request, self._retry, timeout_s)):
            found.append(result)
            if on_result is not None:
                on_result(result)
        return flows.rewards(found, len(completions))

    def submit(
        self,
        items: Iterable[ItemLike],
        *,
        idempotency_key: str | None = None,
        **options: Unpack[Options],
    ) -> "Batch":
        """Post a batch and return at once with a handle to it.

        Args:
            items: `Item` objects, or mappings with their fields.
            idempotency_key: posting the same items under the same key again gives the same
                batch; made up by default, which covers this call's own retries.
            **options: reward, stop, extraction, fresh, deadline_s; see `Options`.
        """
        request = requests.batch_request(items, options)
        accepted = self._http.run(flows.submit(request, idempotency_key, self._retry))
        return Batch(self._http, self._retry, accepted)

    def batch(self, batch_id: str) -> "Batch":
        """A handle to a batch posted before. Raises `NotFound` if there is none."""
        return Batch(self._http, self._retry, self._http.run(flows.status(batch_id, self._retry)))

    def batches(self) -> Iterator[ListedBatch]:
        """One's own batches whose results are kept, newest first; everybody's for an admin."""
        for page in self._pages(flows.batch_page):
            yield from page.batches

    def submission(
        self, item: ItemLike, *, timeout_s: float | None = None, **options: Unpack[Options]
    ) -> Result:
        """Post one program and wait for its result; `timeout_s` as for `score`."""
        request = requests.submission_request(item, options)
        found = self._http.iterate(flows.submission(request, self._retry, timeout_s))
        return flows.only(list(found))

    def run(self, request: RunLike) -> RunResult:
        """Run one program and get its output: no tests, no reward.

        A request that broke off is sent again, so the program may be run twice.

        Args:
            request: a `RunRequest`, or a mapping with its fields.
        """
        return self._http.run(flows.run(request, self._retry))

    # -- the server ---------------------------------------------------------------------------

    def info(self) -> ServerInfo:
        """What the server is: version, sandbox, workers, languages, limits."""
        return self._http.run(flows.info(self._retry))

    def stats(self) -> Stats:
        """How the server does, now and over the last hour."""
        return self._http.run(flows.stats(self._retry))

    def close(self) -> None:
        """Close every connection."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _pages(self, ask: Callable[[str | None, Retry], Flow[flows.Page]]) -> Iterator[flows.Page]:
        after: str | None = None
        while True:
            page = self._http.run(ask(after, self._retry))
            yield page
            if (after := page.next) is None:
                return


class Batch:
    """A batch on the server."""

    def __init__(self, http: Blocking, retry: Retry, accepted: BatchStatus) -> None:
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
    ) -> Generator[Result, None, StreamEnd]:
        """Results in completion order as they are known, from a cursor on.

        A broken connection is taken up where it broke: every result comes exactly once.
        Raises `WaitTimeout` after `timeout_s` seconds.
        """
        return self._http.iterate(self._stream(cursor, timeout_s))

    def rewards(self, *, timeout_s: float | None = None) -> list[float | None]:
        """Wait for all rewards, in the order in which the items were posted."""
        return flows.rewards(self.results(timeout_s=timeout_s), self.total)

    def status(self) -> BatchStatus:
        """How far it is."""
        return self._http.run(flows.status(self.id, self._retry))

    def wait(self, *, timeout_s: float | None = None) -> BatchStatus:
        """Wait until it is complete. Raises `WaitTimeout` after `timeout_s` seconds."""
        deadline = flows.Deadline.after(timeout_s)
        return self._http.run(flows.wait(self.id, self._retry, deadline))

    def submission(self, index: int) -> SubmissionDetail:
        """One of its programs, and its result if there is one yet: for a look, not for reading all.

        Raises `NotFound` if it has no such index.
        """
        return self._http.run(flows.detail(self.id, index, self._retry))

    def cancel(self) -> BatchStatus:
        """Cancel what of it has not run yet; those items end without verdict and reward."""
        return self._http.run(flows.cancel(self.id, self._retry))

    def _stream(self, cursor: int, timeout_s: float | None) -> Stream[StreamEnd]:
        return flows.results(self.id, self._retry, flows.Deadline.after(timeout_s), cursor)
