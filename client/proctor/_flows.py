"""What the client does, step by step: retries, waiting, resuming a stream at its cursor."""

import contextlib
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NoReturn, TypeVar

import pydantic

from proctor import _requests as requests
from proctor import _responses as responses
from proctor._effects import Answer, Call, Flow, Open, Read, Send, Sleep, Stream
from proctor._retries import RETRIED, Retry
from proctor.errors import BadAnswer, ConnectionFailed, ProctorError, WaitTimeout
from proctor.runs import RunResult
from proctor.types import (
    BatchPage,
    BatchRequest,
    BatchStatus,
    ImportReport,
    ProblemInfo,
    ProblemStats,
    ProblemStatsPage,
    Result,
    Stats,
    StreamEnd,
    SubmissionDetail,
    SubmissionRequest,
)

M = TypeVar("M", bound=pydantic.BaseModel)
Page = TypeVar("Page", responses.ProblemPage, ProblemStatsPage, BatchPage)

# Of what comes in pages, asked for at once.
PAGE = 1000


@dataclass(frozen=True, slots=True)
class Deadline:
    """When the caller stops waiting (a time of the monotonic clock); None: never."""

    at: float | None

    @classmethod
    def after(cls, seconds: float | None) -> "Deadline":
        """The deadline so many seconds from now."""
        return cls(None if seconds is None else time.monotonic() + seconds)

    def hold_s(self) -> float:
        """How long the server may hold the next request, in seconds. 0 where time is up."""
        if self.at is None:
            return requests.HOLD_S
        return max(0.0, min(requests.HOLD_S, self.at - time.monotonic()))

    def passed(self, ahead_s: float = 0.0) -> bool:
        """Whether time is up, or will be so many seconds from now."""
        return self.at is not None and time.monotonic() + ahead_s >= self.at


NEVER = Deadline(None)


class Attempts:
    """Counts failures in a row, and sleeps or gives up."""

    def __init__(self, retry: Retry, deadline: Deadline) -> None:
        self._retry = retry
        self._deadline = deadline
        self._failures = 0

    def succeeded(self) -> None:
        """What went before is forgiven."""
        self._failures = 0

    def failed(self, error: ProctorError | None, answer: Answer | None = None) -> Flow[None]:
        """Sleep before the next try; where there is none left, raise what went wrong."""
        self._failures += 1
        delay = self._retry.delay_s(self._failures, answer.headers if answer else None)
        if delay is None or self._deadline.passed(delay):
            _give_up(error, answer)
        yield Sleep(delay)


def call(request: Call, retry: Retry, deadline: Deadline = NEVER) -> Flow[Answer]:
    """Send a request until it is answered, and raise what the answer says is wrong."""
    attempts = Attempts(retry, deadline)
    while True:
        try:
            answer: Answer = yield Send(request)
        except ConnectionFailed as error:
            yield from attempts.failed(error)
            continue
        if answer.status not in RETRIED:
            responses.check(answer)
            return answer
        yield from attempts.failed(None, answer)


def fetch(request: Call, kind: type[M], retry: Retry, deadline: Deadline = NEVER) -> Flow[M]:
    """Send a request whose answer is one wire type."""
    answer = yield from call(request, retry, deadline)
    return responses.read(kind, answer)


def put_problem(problem: requests.ProblemLike, retry: Retry) -> Flow[ProblemInfo]:
    """Store a problem."""
    return (yield from fetch(requests.put_problem(problem), ProblemInfo, retry))


def problem(problem_id: str, retry: Retry) -> Flow[ProblemInfo]:
    """What may be known of a problem."""
    return (yield from fetch(requests.get_problem(problem_id), ProblemInfo, retry))


def info(retry: Retry) -> Flow[responses.ServerInfo]:
    """What the server is."""
    return (yield from fetch(requests.info(), responses.ServerInfo, retry))


def stats(retry: Retry) -> Flow[Stats]:
    """How the server does."""
    return (yield from fetch(requests.stats(), Stats, retry))


def run(request: requests.RunLike, retry: Retry) -> Flow[RunResult]:
    """Run one program, without tests."""
    return (yield from fetch(requests.run(request), RunResult, retry))


def import_problems(problems: Iterable[requests.ProblemLike], retry: Retry) -> Flow[ImportReport]:
    """Store problems, however many they are."""
    stored = unchanged = 0
    for request in requests.import_problems(problems):
        report = yield from fetch(request, ImportReport, retry)
        stored += report.stored
        unchanged += report.unchanged
    return ImportReport(stored=stored, unchanged=unchanged)


def problem_page(after: str | None, retry: Retry) -> Flow[responses.ProblemPage]:
    """One page of the ids of all problems."""
    return (yield from fetch(requests.list_problems(after, PAGE), responses.ProblemPage, retry))


def problem_stats(problem_id: str, retry: Retry) -> Flow[ProblemStats]:
    """What came of a problem's submissions."""
    return (yield from fetch(requests.problem_stats(problem_id), ProblemStats, retry))


def problem_stats_page(after: str | None, retry: Retry) -> Flow[ProblemStatsPage]:
    """One page of the same of all problems."""
    return (yield from fetch(requests.list_problem_stats(after, PAGE), ProblemStatsPage, retry))


def batch_page(after: str | None, retry: Retry) -> Flow[BatchPage]:
    """One page of the list of batches."""
    return (yield from fetch(requests.list_batches(after, PAGE), BatchPage, retry))


def submit(
    request: BatchRequest, key: str | None, retry: Retry, deadline: Deadline = NEVER
) -> Flow[BatchStatus]:
    """Post a batch."""
    return (yield from fetch(requests.create_batch(request, key), BatchStatus, retry, deadline))


def status(
    batch_id: str, retry: Retry, wait_s: float = 0.0, deadline: Deadline = NEVER
) -> Flow[BatchStatus]:
    """How far a batch is."""
    request = requests.batch_status(batch_id, wait_s)
    return (yield from fetch(request, BatchStatus, retry, deadline))


def wait(batch_id: str, retry: Retry, deadline: Deadline) -> Flow[BatchStatus]:
    """Wait until a batch is complete or cancelled."""
    while True:
        held_s = deadline.hold_s()
        began = time.monotonic()
        found = yield from status(batch_id, retry, held_s, deadline)
        if found.state != "running":
            return found
        if deadline.passed():
            _too_late(batch_id, found.completed, found.total)
        yield from _pace(began, held_s)


def results(batch_id: str, retry: Retry, deadline: Deadline, cursor: int = 0) -> Stream[StreamEnd]:
    """Results as they are known. A stream that breaks is taken up where it broke."""
    attempts = Attempts(retry, deadline)
    while True:
        held_s = deadline.hold_s()
        began, start = time.monotonic(), cursor
        try:
            answer: Answer = yield Open(requests.batch_results(batch_id, cursor, held_s))
            if answer.status != 200:
                answer = yield from _whole(answer)
                if answer.status in RETRIED:
                    yield from attempts.failed(None, answer)
                    continue
                responses.check(answer)
                raise BadAnswer(f"a results stream came with status {answer.status}")
            lines = responses.Lines()
            end: StreamEnd | None = None
            while end is None:
                chunk: bytes = yield Read()
                if not chunk:
                    raise ConnectionFailed("the results stream ended early")
                for line in lines.feed(chunk):
                    found = responses.read_line(line)
                    if isinstance(found, StreamEnd):
                        end = found
                        break
                    cursor += 1
                    attempts.succeeded()
                    yield found
        except ConnectionFailed as error:
            yield from attempts.failed(error)
            continue
        attempts.succeeded()
        if end.state != "running":
            return end
        if deadline.passed():
            _too_late(batch_id, cursor, None)
        if cursor == start:
            yield from _pace(began, held_s)


def detail(batch_id: str, index: int, retry: Retry) -> Flow[SubmissionDetail]:
    """One submission of a batch."""
    return (yield from fetch(requests.batch_submission(batch_id, index), SubmissionDetail, retry))


def cancel(batch_id: str, retry: Retry) -> Flow[BatchStatus]:
    """Cancel what of a batch has not run."""
    return (yield from fetch(requests.cancel_batch(batch_id), BatchStatus, retry))


def score(request: BatchRequest, retry: Retry, timeout_s: float | None) -> Stream[StreamEnd]:
    """Post a batch and stream its results; cancel it when time is up."""
    deadline = Deadline.after(timeout_s)
    batch = yield from submit(request, None, retry, deadline)
    try:
        return (yield from results(batch.id, retry, deadline))
    except WaitTimeout:
        # Nobody will read the rest. That it timed out matters more than a failed clean-up.
        with contextlib.suppress(ProctorError):
            yield from cancel(batch.id, Retry(attempts=0))
        raise


def submission(request: SubmissionRequest, retry: Retry, timeout_s: float | None) -> Stream[None]:
    """Post one program and wait for its one result."""
    deadline = Deadline.after(timeout_s)
    answer = yield from call(requests.submission(request, deadline.hold_s()), retry, deadline)
    found = responses.read_submission(answer)
    if isinstance(found, Result):
        yield found
    else:
        yield from results(found.id, retry, deadline)


def rewards(found: Iterable[Result], count: int) -> list[float | None]:
    """The rewards of a whole batch, in the order in which it was posted.

    Raises:
        BadAnswer: results are missing, or there are more of them than programs.
    """
    by_index = {result.index: result.reward for result in found}
    if by_index.keys() != set(range(count)):
        raise BadAnswer(f"{count} programs were posted, {len(by_index)} results came back")
    return [by_index[index] for index in range(count)]


def only(found: Sequence[Result]) -> Result:
    """The one result of a submission. Raises `BadAnswer` if it is not one."""
    if len(found) != 1:
        raise BadAnswer(f"one program was posted, {len(found)} results came back")
    return found[0]


# -- helpers ----------------------------------------------------------------------------------


def _whole(head: Answer) -> Flow[Answer]:
    body = b""
    while chunk := (yield Read()):
        body += chunk
    return Answer(head.status, head.headers, body)


def _pace(began: float, held_s: float) -> Flow[None]:
    """A server that answers "not yet" at once would be asked in a tight loop."""
    if held_s > 0 and time.monotonic() - began < min(0.1, held_s):
        yield Sleep(0.1)


def _give_up(error: ProctorError | None, answer: Answer | None) -> NoReturn:
    if answer is not None:
        responses.check(answer)
    raise error or ConnectionFailed("no answer")


def _too_late(batch_id: str, completed: int, total: int | None) -> NoReturn:
    done = f"{completed} of {total}" if total is not None else f"{completed}"
    raise WaitTimeout(f"batch {batch_id}: only {done} result(s) within the time given")
